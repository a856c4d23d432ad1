package tfrnnc.codec

import java.util.concurrent.CancellationException
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue
import tfrnnc.ConfigException
import tfrnnc.CorruptStreamException
import tfrnnc.ModelException
import tfrnnc.TooLargeException
import tfrnnc.TruncatedStreamException
import tfrnnc.WrongModelException
import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.EntropyModel
import tfrnnc.bitstream.GoldenContainer
import tfrnnc.bitstream.Header
import tfrnnc.bitstream.ReadOptions
import tfrnnc.bitstream.StreamWriter
import tfrnnc.bitstream.WorkLimits

class CodecTest {
    private val image = blobs(61, 43)
    private val codec = Codec(ToyRuntime(), GoldenContainer.entropyModel)
    private val data = codec.encode(image).data

    private fun assertSame(expected: Pixels, found: Pixels) =
        assertNear(expected, found, levels = 0)

    @Test
    fun `round trips of any size`() {
        val sizes = listOf(1 to 1, 8 to 8, 9 to 7, 61 to 43, 300 to 5)
        for ((width, height) in sizes) for (entropyCoding in listOf(true, false)) {
            val pixels = blobs(width, height, seed = width)
            val encoded = codec.encode(pixels, EncodeOptions(entropyCoding = entropyCoding))
            assertSame(encoded.picture, codec.decode(encoded.data))
            assertEquals(entropyCoding, Header.read(encoded.data).entropyCoded)
            assertEquals(width to height, Header.read(encoded.data).let { it.width to it.height })
        }
    }

    @Test
    fun `an iteration more is a nearer picture`() {
        val pictures = codec.decodeProgressive(data).toList()
        val errors = pictures.map { meanLevels(image, it) }
        assertEquals(2, errors.size)
        assertTrue(errors[1] < errors[0])
        assertSame(pictures[0], codec.decode(data, ReadOptions(iterations = 1)))
        assertSame(
            pictures[0],
            codec.decode(codec.encode(image, EncodeOptions(iterations = 1)).data),
        )
    }

    @Test
    fun `never more bytes than asked for, and more bytes are no worse`() {
        var least = Double.MAX_VALUE
        var refused = 0
        for (limit in 0..data.size + 5) {
            val encoded =
                try {
                    codec.encode(image, EncodeOptions(maxBytes = limit))
                } catch (error: ConfigException) {
                    assertTrue("$limit bytes are too few for 61x43" in error.message!!)
                    assertEquals(Double.MAX_VALUE, least)
                    refused++
                    continue
                }
            assertTrue(encoded.data.size <= limit)
            assertSame(encoded.picture, codec.decode(encoded.data))
            least = meanLevels(image, encoded.picture)
        }
        assertTrue(refused in 12..data.size / 2)
        assertContentEquals(data, codec.encode(image, EncodeOptions(maxBytes = data.size)).data)
    }

    @Test
    fun `bits per pixel count all bytes`() {
        val bpp = 8.0 * (data.size - 1) / (61 * 43)
        assertTrue(codec.encode(image, EncodeOptions(bpp = bpp)).data.size < data.size)
        assertContentEquals(data, codec.encode(image, EncodeOptions(bpp = 1e18)).data)
        for (wrong in listOf(0.0, -1.0, Double.NaN)) {
            assertFailsWith<ConfigException> { codec.encode(image, EncodeOptions(bpp = wrong)) }
        }
        assertFailsWith<ConfigException> { codec.encode(image, EncodeOptions(bpp = 1e-9)) }
    }

    @Test
    fun `iterations are of the model`() {
        for (iterations in listOf(0, 3)) {
            val error =
                assertFailsWith<ConfigException> {
                    codec.encode(image, EncodeOptions(iterations = iterations))
                }
            assertTrue("from 1 to 2" in error.message!!)
        }
    }

    @Test
    fun `a header for many images`() {
        val start = codec.sharedHeader(61, 43)
        for (iterations in 1..2) for (seed in 0..20) {
            val pixels = blobs(61, 43, seed)
            val code =
                codec.encode(pixels, EncodeOptions(iterations = iterations, headerless = true))
            assertSame(code.picture, codec.decode(start + code.data))
            // The end is that of the longer code, cut.
            val longer = codec.encode(pixels, EncodeOptions(headerless = true)).data
            assertContentEquals(longer.copyOf(code.data.size), code.data)
            for (limit in code.data.size / 2..code.data.size) {
                val cut = codec.encode(pixels, EncodeOptions(maxBytes = limit, headerless = true))
                assertTrue(cut.data.size <= limit)
                assertSame(cut.picture, codec.decode(start + cut.data))
            }
        }
        val plain = codec.encode(image, EncodeOptions(headerless = true, entropyCoding = false))
        assertSame(
            plain.picture,
            codec.decode(codec.sharedHeader(61, 43, entropyCoding = false) + plain.data),
        )
    }

    @Test
    fun `cut streams need leave`() {
        val cut = data.copyOf(data.size - 2)
        val error = assertFailsWith<TruncatedStreamException> { codec.decode(cut) }
        assertEquals(1, error.wholeIterations)
        assertTrue("allowTruncated" in error.message!!)
        codec.decode(cut, ReadOptions(allowTruncated = true))
        assertSame(
            codec.decode(data, ReadOptions(iterations = 1)),
            codec.decode(cut, ReadOptions(iterations = 1)),
        )
    }

    @Test
    fun `shortened streams are whole streams`() {
        var shortest = 0
        for (limit in 0 until data.size) {
            val short =
                try {
                    codec.shorten(data, limit)
                } catch (error: ConfigException) {
                    assertTrue("too few" in error.message!!)
                    shortest = limit + 1
                    continue
                }
            assertTrue(short.size <= limit)
            assertTrue(Header.read(short).openEnd)
            codec.decode(short)
            // And once more.
            val shorter = runCatching { codec.shorten(short, limit - 3) }
            shorter.onSuccess { codec.decode(it) }
            shorter.onFailure { assertTrue(it is ConfigException) }
        }
        assertTrue(shortest in 10..data.size / 2)
        assertContentEquals(data, codec.shorten(data, data.size))
    }

    @Test
    fun `the slider shows what the first bytes decode to`() {
        val runtime = ToyRuntime()
        val planes = codec.readPlanes(data, ReadOptions(track = true))
        val progressive = ProgressivePicture(runtime, planes)
        val lengths = (0..data.size).toList()
        for (bytes in lengths + lengths.reversed() + lengths.shuffled(kotlin.random.Random(6))) {
            val expected =
                try {
                    codec.decode(data.copyOf(bytes), ReadOptions(allowTruncated = true))
                } catch (_: TruncatedStreamException) {
                    assertNull(progressive.at(bytes))
                    continue
                }
            assertSame(expected, checkNotNull(progressive.at(bytes)))
        }
        val before = runtime.decoded
        progressive.at(data.size)
        assertEquals(before, runtime.decoded)
    }

    @Test
    fun `encoding and decoding can be stopped between iterations`() {
        val stop = { throw CancellationException() }
        assertFailsWith<CancellationException> { codec.encode(image) { _, _ -> stop() } }
        val progressive =
            ProgressivePicture(ToyRuntime(), codec.readPlanes(data, ReadOptions(track = true)))
        assertFailsWith<CancellationException> { progressive.at(data.size) { stop() } }
        assertSame(codec.decode(data), checkNotNull(progressive.at(data.size)))
    }

    @Test
    fun `streams of other models are refused`() {
        val other = Codec(ToyRuntime(), null)
        val error = assertFailsWith<WrongModelException> { other.decode(data) }
        assertTrue("but this is c0ffee01" in error.message!!)
        val longer = Codec(ToyRuntime(iterations = 3)).encode(image).data
        assertFailsWith<WrongModelException> { Codec(ToyRuntime(iterations = 2)).decode(longer) }
        assertFailsWith<ModelException> {
            Codec(ToyRuntime(iterations = 3), GoldenContainer.entropyModel)
        }
    }

    @Test
    fun `in adaptive streams a location that stopped stays as it was`() {
        val runtime = ToyRuntime(brighter = 0.05f)
        val codec = Codec(runtime, GoldenContainer.entropyModel)
        val plain = codec.encode(image).data
        val (first, second) = codec.readPlanes(plain).planes
        val pictures = codec.decodeProgressive(plain).toList()
        val random = kotlin.random.Random(4)
        val goesOn = BooleanArray(first.shape.locations) { random.nextBoolean() }
        val left =
            ByteArray(second.values.size) {
                if (goesOn[it / runtime.bits]) second.values[it] else 0
            }
        val header = Header.read(plain).copy(adaptive = true)
        val writer = StreamWriter(header, GoldenContainer.spec)
        writer.add(first)
        writer.add(BitPlane(second.shape, left))
        val stream = writer.whole()

        val found = codec.decode(stream)
        for (i in found.rgb.indices) {
            val row = i / 3 / found.width / runtime.stride
            val column = i / 3 % found.width / runtime.stride
            val shown = if (goesOn[row * second.shape.width + column]) pictures[1] else pictures[0]
            assertEquals(shown.rgb[i], found.rgb[i])
        }
        val planes = codec.readPlanes(stream, ReadOptions(track = true))
        val progressive = ProgressivePicture(runtime, planes)
        for (bytes in 0..stream.size) {
            val expected =
                try {
                    codec.decode(stream.copyOf(bytes), ReadOptions(allowTruncated = true))
                } catch (_: TruncatedStreamException) {
                    null
                }
            val shown = progressive.at(bytes)
            if (expected == null) assertNull(shown) else assertSame(expected, shown!!)
        }

        // Where locations depend on each other the missing bits are zeros, and no more.
        val others = ToyRuntime()
        val before = others.decodeIteration(first, null, 0)
        val after = others.decodeIteration(BitPlane(second.shape, left), before, 1)
        val expected = after.reconstruction.toPixels(image.width, image.height)
        assertSame(expected, this.codec.decode(stream))
    }

    @Test
    fun `limits and damage come through`() {
        assertFailsWith<TooLargeException> {
            codec.decode(data, ReadOptions(limits = WorkLimits(maxPixels = 100)))
        }
        val damaged = data.copyOf().also { it[15] = (it[15].toInt() xor 0x40).toByte() }
        assertFailsWith<CorruptStreamException> { codec.decode(damaged) }
    }

    @Test
    fun `encoding has the limits of decoding`() {
        // 61x43 pixels are 64x48 at a stride of 8.
        val limits = WorkLimits(maxPixels = 64 * 48, maxWork = 2 * 64 * 48)
        val options = EncodeOptions(limits = limits)
        assertContentEquals(data, codec.encode(image, options).data)
        codec.decode(data, ReadOptions(limits = limits))
        for (lower in
            listOf(limits.copy(maxPixels = 64 * 48 - 1), limits.copy(maxWork = 2 * 64 * 48 - 1))) {
            val within = ReadOptions(limits = lower)
            assertFailsWith<TooLargeException> {
                codec.encode(image, EncodeOptions(limits = lower))
            }
            assertFailsWith<TooLargeException> { codec.decode(data, within) }
            assertFailsWith<TooLargeException> { codec.decodeProgressive(data, within) }
        }
        val one = WorkLimits(maxWork = 64 * 48)
        codec.encode(image, EncodeOptions(iterations = 1, limits = one))
        codec.decode(data, ReadOptions(iterations = 1, limits = one))
    }

    @Test
    fun `at most as many iterations as asked for`() {
        assertSame(codec.decode(data), codec.decode(data, ReadOptions(iterations = 1000)))
        val one = codec.encode(image, EncodeOptions(iterations = 1)).data
        assertSame(codec.decode(one), codec.decode(one, ReadOptions(iterations = 2)))
    }

    @Test
    fun `files that are missing are named`() {
        val folder = GoldenFiles()
        for (name in listOf(Manifest.FILE_NAME, "encoder_1.tflite")) {
            val error =
                assertFailsWith<ModelException> { Codec.load(folder.without(name), ::JvmRunner) }
            assertTrue(name in error.message!!, error.message)
        }
        val without = Codec.load(folder.without(EntropyModel.FILE_NAME), ::JvmRunner)
        without.use { assertNull(it.entropyModel) }
    }

    @Test
    fun `files that are damaged are named`() {
        val folder = GoldenFiles()
        for (name in listOf("encoder_1.tflite", "decoder_1.tflite", EntropyModel.FILE_NAME)) {
            val damaged = folder.damaged(name)
            val error = assertFailsWith<ModelException> { Codec.load(damaged, ::JvmRunner) }
            assertTrue("damaged" in error.message!!, error.message)
        }
        for (text in listOf("", "{}", "[]", "{\"encoders\": []}")) {
            val error = assertFailsWith<ModelException> { Manifest.parse(text) }
            assertTrue("manifest.json: not a manifest" in error.message!!)
        }
    }
}
