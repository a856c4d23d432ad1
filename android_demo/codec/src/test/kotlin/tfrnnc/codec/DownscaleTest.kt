package tfrnnc.codec

import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNull
import kotlin.test.assertTrue
import tfrnnc.ConfigException
import tfrnnc.TooLargeException
import tfrnnc.TruncatedStreamException
import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.GoldenContainer
import tfrnnc.bitstream.Header
import tfrnnc.bitstream.ReadOptions
import tfrnnc.bitstream.StreamWriter
import tfrnnc.bitstream.WorkLimits

/** Streams whose planes are those of an image at half the width and height. */
class DownscaleTest {
    private val codec = Codec(ToyRuntime(), GoldenContainer.entropyModel)

    private fun assertSame(expected: Pixels, found: Pixels) =
        assertNear(expected, found, levels = 0)

    /** The same planes, of a picture of twice the size. */
    private fun half(stream: ByteArray, width: Int, height: Int): ByteArray {
        val planes = codec.readPlanes(stream)
        val header = planes.header.copy(width = width, height = height, downscale = 2)
        val writer = StreamWriter(header, GoldenContainer.spec)
        for (plane in planes.planes) writer.add(plane)
        return writer.whole()
    }

    @Test
    fun `every way of decoding shows the picture enlarged`() {
        for ((width, height) in listOf(1 to 1, 15 to 16, 122 to 85, 600 to 9)) {
            val stream = codec.encode(blobs((width + 1) / 2, (height + 1) / 2)).data
            val expected =
                codec.decodeProgressive(stream).toList().map { it.enlarged(width, height) }
            val half = half(stream, width, height)
            assertEquals(stream.size + 1, half.size)
            assertSame(expected.last(), codec.decode(half))
            assertSame(expected.first(), codec.decode(half, ReadOptions(iterations = 1)))
            val progressive = codec.decodeProgressive(half).toList()
            assertEquals(expected.size, progressive.size)
            for ((one, other) in expected.zip(progressive)) assertSame(one, other)
        }
    }

    @Test
    fun `the slider shows what the first bytes decode to`() {
        val half = half(codec.encode(blobs(31, 22)).data, 61, 43)
        val planes = codec.readPlanes(half, ReadOptions(track = true))
        val progressive = ProgressivePicture(codec.runtime, planes)
        var shown = 0
        for (bytes in 0..half.size) {
            val expected =
                try {
                    codec.decode(half.copyOf(bytes), ReadOptions(allowTruncated = true))
                } catch (_: TruncatedStreamException) {
                    assertNull(progressive.at(bytes))
                    continue
                }
            assertEquals(61 to 43, expected.width to expected.height)
            assertSame(expected, checkNotNull(progressive.at(bytes)))
            shown++
        }
        assertEquals(half.size + 1 - planes.minBytes, shown)
    }

    @Test
    fun `shortened streams stay at half the resolution`() {
        val half = half(codec.encode(blobs(31, 22)).data, 61, 43)
        val short = codec.shorten(half, half.size - 5)
        val header = Header.read(short)
        assertEquals(listOf(61, 43, 2), listOf(header.width, header.height, header.downscale))
        assertTrue(header.openEnd)
        val planes = codec.readPlanes(short)
        assertSame(codec.decode(short), codec.decode(planes.header, planes.planes))
        assertEquals(61 to 43, codec.decode(short).let { it.width to it.height })
    }

    @Test
    fun `in adaptive streams a location that stopped stays as it was`() {
        val runtime = ToyRuntime(brighter = 0.05f)
        val codec = Codec(runtime, GoldenContainer.entropyModel)
        val (first, second) = codec.readPlanes(codec.encode(blobs(31, 22)).data).planes
        val left =
            ByteArray(second.values.size) {
                if (it / runtime.bits % 2 == 0) second.values[it] else 0
            }
        fun stream(width: Int, height: Int, downscale: Int): ByteArray {
            val id = GoldenContainer.entropyModel.entropyCodedId
            val header =
                Header(
                    id,
                    width,
                    height,
                    2,
                    entropyCoded = true,
                    adaptive = true,
                    downscale = downscale,
                )
            val writer = StreamWriter(header, GoldenContainer.spec)
            writer.add(first)
            writer.add(BitPlane(second.shape, left))
            return writer.whole()
        }
        val expected = codec.decode(stream(31, 22, 1)).enlarged(61, 43)
        assertSame(expected, codec.decode(stream(61, 43, 2)))
    }

    @Test
    fun `what is encoded is the reduced image`() {
        for ((width, height) in listOf(1 to 1, 16 to 15, 61 to 43, 300 to 5)) {
            val image = blobs(width, height, seed = width)
            for (entropyCoding in listOf(true, false)) {
                val options = EncodeOptions(entropyCoding = entropyCoding, downscale = 2)
                val encoded = codec.encode(image, options)
                val header = Header.read(encoded.data)
                assertEquals(width to height, header.width to header.height)
                assertEquals(2, header.downscale)
                assertSame(encoded.picture, codec.decode(encoded.data))
                val reduced = codec.encode(image.reduced(), options.copy(downscale = 1)).data
                assertEquals(
                    codec.readPlanes(reduced).planes,
                    codec.readPlanes(encoded.data).planes,
                )
            }
        }
    }

    @Test
    fun `never more bytes than asked for, and more bytes are no worse`() {
        val image = blobs(122, 85)
        val whole = codec.encode(image, EncodeOptions(downscale = 2)).data
        var least = Long.MAX_VALUE
        for (limit in whole.size / 3..whole.size) {
            val encoded = codec.encode(image, EncodeOptions(maxBytes = limit, downscale = 2))
            assertTrue(encoded.data.size <= limit)
            assertSame(encoded.picture, codec.decode(encoded.data))
            val error = squaredError(image, encoded.picture)
            if (codec.readPlanes(encoded.data).planes.size == 2) assertTrue(error < least)
            else least = error
        }
        assertTrue(least < Long.MAX_VALUE)
    }

    @Test
    fun `a header for many images`() {
        val options = EncodeOptions(headerless = true, downscale = 2)
        val start = codec.sharedHeader(61, 43, downscale = 2)
        for (seed in 0..20) {
            val code = codec.encode(blobs(61, 43, seed), options)
            assertSame(code.picture, codec.decode(start + code.data))
        }
        assertFailsWith<ConfigException> { codec.sharedHeader(61, 43, downscale = 3) }
    }

    /** As [EncodeOptions.downscale] describes it. */
    private fun product(image: Pixels, picture: Pixels): Double {
        val error =
            image.rgb.indices.sumOf {
                val difference =
                    (image.rgb[it].toInt() and 0xFF) - (picture.rgb[it].toInt() and 0xFF)
                (difference * difference).toDouble()
            }
        return error * (1 - blockSsim(image, picture))
    }

    @Test
    fun `within few bytes the better picture is taken`() {
        val chosen = mutableMapOf(1 to 0, 2 to 0)
        for (seed in 0..5) {
            val image = blobs(160, 130, seed)
            for (maxBytes in 60..270 step 30) {
                val options = EncodeOptions(maxBytes = maxBytes)
                val (whole, half) =
                    (1..2).map { downscale ->
                        runCatching { codec.encode(image, options.copy(downscale = downscale)) }
                    }
                val best =
                    listOfNotNull(whole.getOrNull(), half.getOrNull()).minBy {
                        product(image, it.picture)
                    }
                val found = codec.encode(image, options)
                assertContentEquals(best.data, found.data)
                assertSame(best.picture, found.picture)
                chosen.merge(Header.read(found.data).downscale, 1, Int::plus)
            }
        }
        assertTrue(chosen.values.all { it > 3 }, "$chosen")
    }

    @Test
    fun `bytes that are too few for the one may be enough for the other`() {
        val image = blobs(160, 130)
        val least =
            (1..200).first { bytes ->
                val options = EncodeOptions(maxBytes = bytes, downscale = 2)
                runCatching { codec.encode(image, options) }.isSuccess
            }
        val options = EncodeOptions(maxBytes = least)
        assertFailsWith<ConfigException> { codec.encode(image, options.copy(downscale = 1)) }
        assertEquals(2, Header.read(codec.encode(image, options).data).downscale)
        val error =
            assertFailsWith<ConfigException> {
                codec.encode(image, options.copy(maxBytes = least - 1))
            }
        assertTrue("${least - 1} bytes are too few for 160x130" in error.message!!)
    }

    @Test
    fun `half the resolution is tried where it may be better`() {
        fun iterations(image: Pixels, options: EncodeOptions): Int {
            var count = 0
            codec.encode(image, options) { _, _ -> count++ }
            return count
        }
        val (small, large) = blobs(63, 300) to blobs(64, 300)
        val half = EncodeOptions(maxBytes = 64 * 300 / 16)
        assertEquals(4, iterations(large, half))
        assertEquals(2, iterations(large, half.copy(maxBytes = 64 * 300 / 16 + 1)))
        assertEquals(4, iterations(large, EncodeOptions(bpp = 0.5)))
        assertEquals(2, iterations(large, EncodeOptions(bpp = 0.501)))
        assertEquals(2, iterations(large, EncodeOptions()))
        assertEquals(2, iterations(large, half.copy(downscale = 1)))
        assertEquals(2, iterations(large, half.copy(downscale = 2)))
        assertEquals(2, iterations(large, half.copy(headerless = true)))
        assertEquals(2, iterations(small, half.copy(maxBytes = 1000)))
    }

    @Test
    fun `other downscales are refused`() {
        for (downscale in listOf(0, 3, -1)) {
            val options = EncodeOptions(downscale = downscale)
            val error = assertFailsWith<ConfigException> { codec.encode(blobs(9, 9), options) }
            assertTrue("must be 1 or 2, not $downscale" in error.message!!)
        }
    }

    @Test
    fun `pixels count of the image, and work of what is coded`() {
        // 61x43 pixels are 64x48 at a stride of 8; 31x22 are 32x24.
        val limits = WorkLimits(maxPixels = 64 * 48, maxWork = 2 * 32 * 24)
        val options = EncodeOptions(downscale = 2, limits = limits)
        val data = codec.encode(blobs(61, 43), options).data
        codec.decode(data, ReadOptions(limits = limits))
        for (lower in
            listOf(limits.copy(maxPixels = 64 * 48 - 1), limits.copy(maxWork = 2 * 32 * 24 - 1))) {
            assertFailsWith<TooLargeException> {
                codec.encode(blobs(61, 43), options.copy(limits = lower))
            }
            assertFailsWith<TooLargeException> { codec.decode(data, ReadOptions(limits = lower)) }
        }
    }
}
