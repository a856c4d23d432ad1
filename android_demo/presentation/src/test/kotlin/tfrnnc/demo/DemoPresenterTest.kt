package tfrnnc.demo

import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue
import kotlin.time.Duration.Companion.milliseconds
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.advanceUntilIdle
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.test.testTimeSource
import tfrnnc.ModelException
import tfrnnc.codec.Codec
import tfrnnc.codec.Pixels

@OptIn(ExperimentalCoroutinesApi::class)
class DemoPresenterTest {
    private val image = gradient(61, 43)
    private val stream = Codec(BlockRuntime()).encode(image).data
    private val kept = mutableListOf<ByteArray>()

    private fun TestScope.presenter(load: () -> Codec = { Codec(BlockRuntime()) }) =
        DemoPresenter(
            this,
            StandardTestDispatcher(testScheduler),
            load,
            { kept += it },
            testTimeSource,
        )

    @Test
    fun `a photo is compressed and shown`() = runTest {
        val presenter = presenter()
        presenter.compress("cat") { image }
        assertEquals(DemoState.Busy(compressing = true), presenter.state.value.busy)
        advanceUntilIdle()
        val state = presenter.state.value
        assertEquals("cat", state.name)
        assertNull(state.busy)
        assertNull(state.problem)
        assertEquals(stream.size, state.totalBytes)
        assertEquals(stream.size, state.bytes)
        assertEquals(4, state.wholeIterations)
        assertEquals(8.0 * stream.size / (61 * 43), state.bpp)
        assertNotNull(state.encodeMilliseconds)
        assertContentEquals(Codec(BlockRuntime()).decode(stream).rgb, state.picture?.rgb)
        assertContentEquals(stream, kept.single())
    }

    @Test
    fun `the slider sharpens the picture`() = runTest {
        val presenter = presenter()
        presenter.open("cat.rnnc") { stream }
        advanceUntilIdle()
        assertNull(presenter.state.value.encodeMilliseconds)
        val least = presenter.state.value.minBytes
        assertTrue(least in 12..stream.size / 4)
        for (bytes in least..stream.size) {
            presenter.show(bytes)
            advanceUntilIdle()
            val state = presenter.state.value
            assertEquals(bytes, state.bytes)
            val expected = Codec(BlockRuntime()).decode(stream.copyOf(bytes), allowTruncated = true)
            assertContentEquals(expected.rgb, state.picture?.rgb)
        }
        presenter.show(0)
        advanceUntilIdle()
        assertEquals(least, presenter.state.value.bytes)
        assertEquals(0, presenter.state.value.wholeIterations)
        presenter.show(Int.MAX_VALUE)
        advanceUntilIdle()
        assertEquals(stream.size, presenter.state.value.bytes)
    }

    @Test
    fun `only the slider's last place is computed`() = runTest {
        val runtime = BlockRuntime()
        val presenter = presenter { Codec(runtime) }
        presenter.open("cat.rnnc") { stream }
        advanceUntilIdle()
        val before = runtime.decoded
        for (bytes in stream.size / 2 downTo stream.size / 3) presenter.show(bytes)
        advanceUntilIdle()
        assertTrue(runtime.decoded - before <= 4)
    }

    @Test
    fun `what is shared is what is shown, a stream of its own`() = runTest {
        val presenter = presenter()
        presenter.share { error("nothing is shown") }
        presenter.open("cat.rnnc") { stream }
        advanceUntilIdle()
        presenter.show(stream.size - 9)
        var shared = ByteArray(0)
        presenter.share { shared = it }
        advanceUntilIdle()
        assertTrue(shared.size <= stream.size - 9)
        Codec(BlockRuntime()).decode(shared)
    }

    @Test
    fun `a place is restored`() = runTest {
        val presenter = presenter()
        presenter.open("cat.rnnc", stream.size - 7) { stream }
        advanceUntilIdle()
        assertEquals(stream.size - 7, presenter.state.value.bytes)
    }

    @Test
    fun `a cut file is shown, and said to be cut`() = runTest {
        val presenter = presenter()
        presenter.open("cut.rnnc") { stream.copyOf(stream.size - 3) }
        advanceUntilIdle()
        assertNotNull(presenter.state.value.picture)
        assertEquals(3, presenter.state.value.wholeIterations)
        assertTrue("ends early" in presenter.state.value.problem!!)
        presenter.dismissProblem()
        assertNull(presenter.state.value.problem)
    }

    @Test
    fun `problems are said plainly, and what was shown stays`() = runTest {
        val presenter = presenter()
        presenter.open("cat.rnnc") { stream }
        advanceUntilIdle()
        val files =
            mapOf(
                byteArrayOf(1, 2, 3) to "not an .rnnc file",
                ByteArray(0) to "ends before anything",
                stream.copyOf(20) to "ends before anything",
                stream.copyOf().also { it[2] = 0x23 } to "newer version",
                stream.copyOf().also { it[8] = 99 } to "damaged",
                Codec(BlockRuntime(id = 7)).encode(image).data to "another model",
                stream + 0 to "damaged",
            )
        for ((data, problem) in files) {
            presenter.open("bad.rnnc") { data }
            advanceUntilIdle()
            val state = presenter.state.value
            assertTrue(problem in state.problem.orEmpty(), "${state.problem}, not $problem")
            assertNotNull(state.picture)
            assertNull(state.busy)
            presenter.dismissProblem()
        }
        presenter.compress("bad.jpg") { throw PictureException(Texts.UNREADABLE) }
        advanceUntilIdle()
        assertEquals(Texts.UNREADABLE, presenter.state.value.problem)
    }

    @Test
    fun `no memory and no model are said too`() = runTest {
        val presenter = presenter()
        presenter.compress("vast.jpg") { throw OutOfMemoryError() }
        advanceUntilIdle()
        assertEquals(Texts.MEMORY, presenter.state.value.problem)
        assertNull(presenter.state.value.busy)

        val without = presenter { throw ModelException("manifest.json: cannot be read") }
        without.open("cat.rnnc") { stream }
        advanceUntilIdle()
        assertTrue("manifest.json" in without.state.value.problem!!)
    }

    @Test
    fun `cancelling leaves things as they were`() = runTest {
        val presenter = presenter()
        presenter.compress("cat") { image }
        presenter.cancel()
        advanceUntilIdle()
        assertEquals(DemoState(), presenter.state.value)
    }

    @Test
    fun `the codec is closed when the worker is done`() = runTest {
        val runtime = BlockRuntime()
        val presenter = presenter { Codec(runtime) }
        presenter.open("cat.rnnc") { stream }
        advanceUntilIdle()
        presenter.close()
        assertFalse(runtime.closed)
        advanceUntilIdle()
        assertTrue(runtime.closed)
    }

    @Test
    fun `the latest of two pictures is shown`() = runTest {
        val presenter = presenter()
        presenter.compress("one") { error("cancelled before it began") }
        presenter.compress("two") { image }
        advanceUntilIdle()
        assertEquals("two", presenter.state.value.name)
    }

    @Test
    fun `large photos are reduced`() {
        assertEquals(640 to 480, DemoPresenter.reduced(640, 480))
        val sizes = listOf(4032 to 3024, 3024 to 4032, 100_000 to 3, 1 to 9_000_000, 1025 to 1025)
        for ((width, height) in sizes) {
            val (newWidth, newHeight) = DemoPresenter.reduced(width, height)
            val pixels = newWidth.toLong() * newHeight
            val least = minOf(DemoPresenter.MAX_PIXELS, width.toLong() * height) / 2
            assertTrue(pixels in least..DemoPresenter.MAX_PIXELS, "$newWidth x $newHeight")
        }
    }

    @Test
    fun `what the screen says`() {
        val state =
            DemoState(
                name = "cat",
                picture = Pixels(100, 80, ByteArray(3 * 8000)),
                bytes = 1234,
                totalBytes = 5678,
                wholeIterations = 2,
                iterations = 8,
                encodeMilliseconds = 1500.milliseconds.inWholeMilliseconds,
                decodeMilliseconds = 20,
            )
        assertEquals("1,234 of 5,678 bytes · 1.234 bpp · iteration 2 of 8", Texts.size(state))
        assertEquals("compressed in 1500 ms · shown in 20 ms", Texts.time(state))
        assertEquals("cat, shown from 1234 of 5678 bytes", Texts.picture(state))
        assertEquals("Compressing: iteration 3 of 8", Texts.busy(DemoState.Busy(true, 3, 8)))
        assertEquals("Opening…", Texts.busy(DemoState.Busy(false)))
    }
}
