package tfrnnc.bitstream

import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import tfrnnc.ConfigException
import tfrnnc.CorruptStreamException
import tfrnnc.TruncatedStreamException
import tfrnnc.UnsupportedVersionException
import tfrnnc.hex

class HeaderTest {
    private val id = checkNotNull(ModelId.parse("c0ffee01"))
    private val header = Header(id, 301, 33, 7, downscale = 2)

    private fun checked(content: ByteArray) = content + crc32(content).toByte()

    @Test
    fun `a reduced image has a version of its own, and a byte more`() {
        val stream = checked(hex("524e23c0ffee01ad02210207"))
        assertContentEquals(stream, header.toBytes())
        assertEquals(header to stream.size, Header.readWithLength(stream + 99))
        val whole = header.copy(downscale = 1)
        assertContentEquals(checked(hex("524e22c0ffee01ad022107")), whole.toBytes())
        assertEquals(whole, Header.read(whole.toBytes()))
    }

    @Test
    fun `the sides are of the picture that is shown`() {
        assertEquals(151 to 17, header.codedWidth to header.codedHeight)
        assertEquals(PlaneShape(3, 19, 5), StreamSpec(8, 5).planeShape(header))
        val whole = header.copy(downscale = 1)
        assertEquals(301 to 33, whole.codedWidth to whole.codedHeight)
        val largest = header.copy(width = Format.MAX_SIDE, height = 1)
        assertEquals((1 shl 30) to 1, largest.codedWidth to largest.codedHeight)
    }

    @Test
    fun `the checksums after the planes cover it`() {
        val shape = PlaneShape(2, 3, 3)
        val plane = BitPlane(shape, ByteArray(shape.size) { 1 })
        val half = Header(id, 48, 32, 1, downscale = 2)
        assertContentEquals(hex("524e23c0ffee01302002"), half.identity())
        val payload = StreamWriter(half, StreamSpec(8, 3)).apply { add(plane) }.payload()
        assertEquals(plane, readPlanes(half.toBytes() + payload, StreamSpec(8, 3)).planes[0])
        // The same planes of another picture.
        for (other in listOf(half.copy(width = 47), Header(id, 24, 16, 1))) {
            val stream = other.toBytes() + payload
            assertFailsWith<CorruptStreamException> { readPlanes(stream, StreamSpec(8, 3)) }
        }
    }

    @Test
    fun `an unknown downscale is one of a version to come`() {
        for (downscale in setOf(0, 1, 3, 4, 255)) {
            val content = hex("524e23c0ffee01ad0221%02x07".format(downscale))
            val error =
                assertFailsWith<UnsupportedVersionException> { Header.read(checked(content)) }
            assertTrue("downscale of $downscale is not known" in error.message!!)
            val damaged = content + (crc32(content) + 1).toByte()
            assertFailsWith<CorruptStreamException> { Header.read(damaged) }
        }
    }

    @Test
    fun `it is cut after any byte`() {
        val stream = header.toBytes()
        for (length in stream.indices) {
            assertFailsWith<TruncatedStreamException> { Header.read(stream.copyOf(length)) }
        }
    }

    @Test
    fun `only streams that decoders know are written`() {
        for (downscale in setOf(-2, 0, 3)) {
            assertFailsWith<ConfigException> { header.copy(downscale = downscale) }
        }
    }
}
