package tfrnnc.codec

import java.io.File
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import tfrnnc.ConfigException
import tfrnnc.Repository
import tfrnnc.bitstream.EntropyModel
import tfrnnc.filesOf

/** Images of any size on files of one size: the streams of the whole image at once. */
class WindowsTest {
    /** Python's stream of the photo, made with the whole image at once. */
    private val photo = Repository.image(File(Repository.root, "examples/photos/chelsea.png"))
    private val golden = File(Repository.root, "tests/golden")
    private val stream = File(golden, "${Repository.FLOAT_PRESET}_v2.rnnc").readBytes()

    private fun codec(size: List<Int>? = null, windowSide: Int = 256): Codec {
        val files = filesOf(Repository.floatPreset)
        val manifest = Manifest.parse(files.read(Manifest.FILE_NAME).toString(Charsets.UTF_8))
        // Files of any size, run as those of one size are.
        val runtime = ExportedRuntime(manifest.copy(size = size), files, ::JvmRunner, windowSide)
        return Codec(runtime, EntropyModel.fromBytes(files.read(EntropyModel.FILE_NAME)))
    }

    private fun assertStream(codec: Codec) =
        codec.use {
            val iterations = it.readPlanes(stream).wholeIterations
            val encoded = it.encode(photo, EncodeOptions(iterations = iterations))
            assertContentEquals(stream, encoded.data)
            val expected = Repository.image(File(golden, "${Repository.FLOAT_PRESET}.png"))
            assertNear(expected, encoded.picture)
        }

    @Test fun `at once`() = assertStream(codec(windowSide = 1000))

    @Test fun `files of any size, in windows`() = assertStream(codec(windowSide = 200))

    @Test fun `an image larger than the files`() = assertStream(codec(size = listOf(256, 256)))

    @Test fun `an image smaller than the files`() = assertStream(codec(size = listOf(320, 480)))

    @Test
    fun `an image smaller than the files in height only`() =
        assertStream(codec(size = listOf(320, 256)))

    @Test
    fun `an adaptive stream of a model whose locations depend on each other`() {
        val stream = File(golden, "${Repository.FLOAT_PRESET}_adaptive.rnnc").readBytes()
        val expected = Repository.image(File(golden, "${Repository.FLOAT_PRESET}_adaptive.png"))
        for (windowSide in listOf(1000, 64)) codec(windowSide = windowSide).use {
            assertNear(expected, it.decode(stream))
        }
    }

    @Test
    fun `small images on the shipped files for large ones`() {
        val golden = File(Repository.small(32), "golden")
        Codec.load(filesOf(Repository.small(256)), ::JvmRunner).use { codec ->
            assertTrue((codec.runtime as ExportedRuntime).isExact(32, 32))
            val file = golden.listFiles { each -> each.extension == "rnnc" }.orEmpty().min()
            val image = Repository.image(File(golden, "${file.nameWithoutExtension}.png"))
            assertContentEquals(file.readBytes(), codec.encode(image).data)
        }
    }

    @Test
    fun `images too small for the files' margins are coded, and said to differ`() {
        val tiny = crop(photo, 100, 100, 24, 17)
        codec(size = listOf(64, 64)).use { windows ->
            assertFalse((windows.runtime as ExportedRuntime).isExact(24, 17))
            val encoded = windows.encode(tiny)
            assertNear(encoded.picture, windows.decode(encoded.data), levels = 0)
            codec().use { atOnce ->
                assertTrue((atOnce.runtime as ExportedRuntime).isExact(24, 17))
                // Still the same picture to the eye: a mean difference below two grey levels.
                val expected = atOnce.decode(encoded.data)
                assertTrue(meanLevels(expected, encoded.picture) < 2)
            }
        }
    }

    @Test
    fun `images too large for the files' margins are refused`() {
        Codec.load(filesOf(Repository.small(32)), ::JvmRunner).use { codec ->
            assumeTrue(
                (codec.runtime as ExportedRuntime).manifest.decoders.any { 2 * it.margin >= 32 }
            )
            val error = assertFailsWith<ConfigException> { codec.encode(crop(photo, 0, 0, 33, 20)) }
            assertTrue("at most 32x32 pixels, not of 24x40" in error.message!!, error.message)
        }
    }

    @Test
    fun `windows make up the axis, and keep away from cuts`() {
        val stride = 8
        for (length in stride..400 step stride) for (window in stride..200 step stride) {
            for (margin in 0..32 step stride) {
                if (length > window && window <= 2 * margin) continue
                val windows = Window.cut(length, window, margin, stride)
                assertEquals(length, windows.sumOf { it.last - it.first })
                assertEquals(0, windows.first().first)
                windows.zipWithNext { one, next -> assertEquals(one.last, next.first) }
                for (each in windows) {
                    assertEquals(window, each.stop - each.start)
                    assertTrue(maxOf(each.start, 0) <= each.first && each.first < each.last)
                    assertTrue(each.last <= minOf(each.stop, length))
                    assertEquals(0, each.first % stride)
                    if (Window.isExact(length, window, margin)) {
                        assertTrue(each.start == 0 || each.first - each.start >= margin)
                        assertTrue(each.start == 0 || each.first >= margin)
                        assertTrue(each.stop == length || each.stop - each.last >= margin)
                        assertTrue(each.stop == length || length - each.last >= margin)
                    }
                }
            }
        }
    }
}

/** A part of an image. */
fun crop(image: Pixels, left: Int, top: Int, width: Int, height: Int): Pixels {
    val rgb = ByteArray(3 * width * height)
    for (row in 0 until height) {
        val from = 3 * ((top + row) * image.width + left)
        image.rgb.copyInto(rgb, 3 * row * width, from, from + 3 * width)
    }
    return Pixels(width, height, rgb)
}

/** The mean difference of two pictures, in grey levels. */
fun meanLevels(expected: Pixels, found: Pixels): Double =
    expected.rgb.indices
        .map {
            kotlin.math.abs((expected.rgb[it].toInt() and 0xFF) - (found.rgb[it].toInt() and 0xFF))
        }
        .average()
