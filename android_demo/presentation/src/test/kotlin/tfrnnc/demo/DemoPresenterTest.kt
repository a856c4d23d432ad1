package tfrnnc.demo

import java.io.FileNotFoundException
import kotlin.coroutines.cancellation.CancellationException
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertSame
import kotlin.test.assertTrue
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.advanceUntilIdle
import kotlinx.coroutines.test.runTest
import kotlinx.coroutines.test.testTimeSource
import tfrnnc.ModelException
import tfrnnc.bitstream.ReadOptions
import tfrnnc.bitstream.StreamSpec
import tfrnnc.bitstream.StreamWriter
import tfrnnc.bitstream.WorkLimits
import tfrnnc.codec.Codec
import tfrnnc.codec.Pixels
import tfrnnc.demo.Problem.Kind

@OptIn(ExperimentalCoroutinesApi::class)
class DemoPresenterTest {
    private val image = gradient(61, 43)
    private val stream = Codec(BlockRuntime()).encode(image).data
    private val kept = mutableListOf<ByteArray>()

    /** What the user chose; a picture if it has pixels. */
    private class Source(
        private val name: String,
        private val pixels: (() -> Pixels)? = null,
        private val stream: () -> ByteArray = { error("not asked for") },
    ) : PictureSource {
        override fun name() = name

        override fun isPicture() = pixels != null

        override fun pixels() = checkNotNull(pixels)()

        override fun stream() = stream.invoke()
    }

    private fun file(name: String, stream: () -> ByteArray) = Source(name, stream = stream)

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
        presenter.compress(Source("cat", { image }))
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
        presenter.open(file("cat.rnnc") { stream })
        advanceUntilIdle()
        assertNull(presenter.state.value.encodeMilliseconds)
        val least = presenter.state.value.minBytes
        assertTrue(least in 12..stream.size / 4)
        for (bytes in least..stream.size) {
            presenter.show(bytes)
            advanceUntilIdle()
            val state = presenter.state.value
            assertEquals(bytes, state.bytes)
            val expected =
                Codec(BlockRuntime())
                    .decode(stream.copyOf(bytes), ReadOptions(allowTruncated = true))
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

    /** A stream of a picture of this size, coded at half of it. */
    private fun half(width: Int, height: Int): ByteArray {
        val codec = Codec(BlockRuntime())
        val planes = codec.readPlanes(codec.encode(gradient(width / 2, height / 2)).data)
        val header = planes.header.copy(width = width, height = height, downscale = 2)
        val writer = StreamWriter(header, StreamSpec(8, 3))
        for (plane in planes.planes) writer.add(plane)
        return writer.whole()
    }

    @Test
    fun `at half the resolution the picture that is shown counts`() = runTest {
        val presenter = presenter()
        val half = half(122, 86)
        presenter.open(file("half.rnnc") { half })
        advanceUntilIdle()
        val state = presenter.state.value
        assertNull(state.problem)
        assertEquals(122 to 86, state.picture?.let { it.width to it.height })
        assertEquals(8.0 * half.size / (122 * 86), state.bpp)
        assertEquals(2, state.downscale)
        presenter.open(file("cat.rnnc") { stream })
        advanceUntilIdle()
        assertEquals(1, presenter.state.value.downscale)
        // 1024x513 pixels are coded, few enough by themselves.
        presenter.open(file("large.rnnc") { half(2048, 1026) })
        advanceUntilIdle()
        assertEquals(Problem(Kind.TOO_LARGE), presenter.state.value.problem)
        assertEquals("cat.rnnc", presenter.state.value.name)
    }

    @Test
    fun `only the slider's last place is computed`() = runTest {
        val runtime = BlockRuntime()
        val presenter = presenter { Codec(runtime) }
        presenter.open(file("cat.rnnc") { stream })
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
        presenter.open(file("cat.rnnc") { stream })
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
        presenter.restore("cat.rnnc", stream.size - 7) { stream }
        advanceUntilIdle()
        assertEquals(stream.size - 7, presenter.state.value.bytes)
        val without = presenter()
        without.restore("cat.rnnc", 5) { null }
        advanceUntilIdle()
        assertEquals(DemoState(), without.state.value)
    }

    @Test
    fun `another app's file is taken for what it is, and asked on the worker only`() = runTest {
        val worker = StandardTestDispatcher(testScheduler)
        var asked = 0
        fun source(isPicture: Boolean) =
            object : PictureSource {
                override fun name() = "cat".also { asked++ }

                override fun isPicture() = isPicture.also { asked++ }

                override fun pixels() = image.also { asked++ }

                override fun stream() = stream.also { asked++ }
            }
        for (isPicture in listOf(true, false)) {
            val presenter = DemoPresenter(this, worker, { Codec(BlockRuntime()) })
            for (ask in listOf(presenter::receive, presenter::compress, presenter::open)) {
                ask(source(isPicture))
                assertEquals(0, asked)
                advanceUntilIdle()
                assertTrue(asked in 2..3)
                asked = 0
                assertEquals("cat", presenter.state.value.name)
                assertEquals(stream.size, presenter.state.value.totalBytes)
            }
        }
    }

    @Test
    fun `whatever a provider throws is a problem that is said`() = runTest {
        val errors =
            listOf(
                SecurityException("no grant"),
                IllegalStateException("the other app is gone"),
                NullPointerException(),
                UnsupportedOperationException(),
                FileNotFoundException("moved"),
            )
        for (error in errors) {
            val presenter = presenter()
            presenter.receive(file("cat") { readProvided { throw error } })
            advanceUntilIdle()
            assertEquals(Problem(Kind.UNREADABLE), presenter.state.value.problem)
            assertNull(presenter.state.value.busy)
        }
        assertFailsWith<CancellationException> { readProvided { throw CancellationException() } }
        val refused = PictureException(Kind.MEMORY)
        assertSame(refused, assertFailsWith<PictureException> { readProvided { throw refused } })
    }

    @Test
    fun `a cut file is shown, and said to be cut`() = runTest {
        val presenter = presenter()
        presenter.open(file("cut.rnnc") { stream.copyOf(stream.size - 3) })
        advanceUntilIdle()
        assertNotNull(presenter.state.value.picture)
        assertEquals(3, presenter.state.value.wholeIterations)
        assertEquals(Problem(Kind.CUT), presenter.state.value.problem)
        presenter.dismissProblem()
        assertNull(presenter.state.value.problem)
    }

    @Test
    fun `problems are told apart, and what was shown stays`() = runTest {
        val presenter = presenter()
        presenter.open(file("cat.rnnc") { stream })
        advanceUntilIdle()
        val files =
            mapOf(
                byteArrayOf(1, 2, 3) to Kind.FOREIGN,
                ByteArray(0) to Kind.CUT_TOO_EARLY,
                stream.copyOf(20) to Kind.CUT_TOO_EARLY,
                stream.copyOf().also { it[2] = 0x24 } to Kind.NEWER,
                stream.copyOf().also { it[8] = 99 } to Kind.DAMAGED,
                Codec(BlockRuntime(id = 7)).encode(image).data to Kind.OTHER_MODEL,
                stream + 0 to Kind.DAMAGED,
            )
        for ((data, kind) in files) {
            presenter.open(file("bad.rnnc") { data })
            advanceUntilIdle()
            val state = presenter.state.value
            assertEquals(Problem(kind), state.problem)
            assertNotNull(state.picture)
            assertNull(state.busy)
            presenter.dismissProblem()
        }
        presenter.compress(Source("bad.jpg", { throw PictureException(Kind.UNREADABLE) }))
        advanceUntilIdle()
        assertEquals(Problem(Kind.UNREADABLE), presenter.state.value.problem)
    }

    @Test
    fun `no memory and no model are said too`() = runTest {
        val presenter = presenter()
        presenter.compress(Source("vast.jpg", { throw OutOfMemoryError() }))
        advanceUntilIdle()
        assertEquals(Problem(Kind.MEMORY), presenter.state.value.problem)
        assertNull(presenter.state.value.busy)

        val without = presenter { throw ModelException("manifest.json: cannot be read") }
        without.open(file("cat.rnnc") { stream })
        advanceUntilIdle()
        assertEquals(
            Problem(Kind.MODEL, "manifest.json: cannot be read"),
            without.state.value.problem,
        )
    }

    @Test
    fun `cancelling leaves things as they were`() = runTest {
        val presenter = presenter()
        presenter.compress(Source("cat", { image }))
        presenter.cancel()
        advanceUntilIdle()
        assertEquals(DemoState(), presenter.state.value)
    }

    @Test
    fun `the codec is closed when the worker is done`() = runTest {
        val runtime = BlockRuntime()
        val presenter = presenter { Codec(runtime) }
        presenter.open(file("cat.rnnc") { stream })
        advanceUntilIdle()
        presenter.close()
        assertFalse(runtime.closed)
        advanceUntilIdle()
        assertTrue(runtime.closed)
    }

    @Test
    fun `the latest of two pictures is shown`() = runTest {
        val presenter = presenter()
        presenter.compress(Source("one", { error("cancelled before it began") }))
        presenter.compress(Source("two", { image }))
        advanceUntilIdle()
        assertEquals("two", presenter.state.value.name)
    }

    @Test
    fun `large photos are reduced`() {
        assertEquals(640 to 480, DemoPresenter.reduced(640, 480))
        val sizes =
            listOf(
                4032 to 3024,
                3024 to 4032,
                100_000 to 3,
                1 to 9_000_000,
                1025 to 1025,
                1182 to 887,
            )
        for ((width, height) in sizes) {
            val (newWidth, newHeight) = DemoPresenter.reduced(width, height)
            val pixels = WorkLimits.paddedPixels(newWidth, newHeight, 8)
            val before = WorkLimits.paddedPixels(width, height, 8)
            val least = minOf(DemoPresenter.MAX_PIXELS, before) * 9 / 10
            assertTrue(pixels in least..DemoPresenter.MAX_PIXELS, "$newWidth x $newHeight")
            if (minOf(newWidth, newHeight) > 100) {
                assertEquals(width / height.toDouble(), newWidth / newHeight.toDouble(), 0.005)
            }
        }
    }
}
