package tfrnnc.codec

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertNull
import kotlin.test.assertTrue
import tfrnnc.TruncatedStreamException
import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.GoldenContainer
import tfrnnc.bitstream.Header
import tfrnnc.bitstream.ReadOptions
import tfrnnc.bitstream.StreamWriter

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
}
