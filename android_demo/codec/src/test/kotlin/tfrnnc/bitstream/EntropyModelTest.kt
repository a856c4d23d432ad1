package tfrnnc.bitstream

import java.util.zip.CRC32
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import tfrnnc.ModelException

class EntropyModelTest {
    private val file = GoldenContainer.entropyModelFile

    @Test
    fun `the file says what it is`() {
        val model = EntropyModel.fromBytes(file)
        assertEquals("c0ffee01", model.modelId.toString())
        assertEquals(2, model.iterations)
        assertEquals(3, model.bits)
        val coded = GoldenContainer.streams.first { it.header.entropyCoded }
        assertEquals(coded.header.modelId, model.entropyCodedId)
    }

    @Test
    fun `the passes that the format's description shows`() {
        val model = GoldenContainer.entropyModel
        val golden = GoldenContainer.streams.single { it.name == "entropy-coded" }
        val whole = golden.read().planes[0]
        val plane = BitPlane(whole.shape)
        val passes = mutableListOf<List<Int>>()
        model.passes(emptyList(), plane) { locations, channels, probabilities ->
            passes += probabilities.toList()
            for (location in locations) for (channel in channels) {
                val place = location * plane.shape.bits + channel
                plane.values[place] = whole.values[place]
            }
            true
        }
        assertEquals(List(8) { 10230 }, passes[0])
        assertEquals(listOf(20143, 9197, 12579, 677, 29705, 29705, 21324), passes[1])
        assertEquals(4, passes.size)
        assertEquals(whole, plane)
    }

    @Test
    fun `damage is found`() {
        for (place in file.indices) {
            val damaged = file.copyOf().also { it[place] = (it[place].toInt() xor 1).toByte() }
            assertFailsWith<ModelException> { EntropyModel.fromBytes(damaged) }
            assertFailsWith<ModelException> { EntropyModel.fromBytes(file.copyOf(place)) }
        }
    }

    @Test
    fun `a file that contradicts itself is refused`() {
        fun message(offset: Int, value: Int): String {
            val changed = file.copyOf().also { it[offset] = value.toByte() }
            val crc = CRC32().apply { update(changed, 0, changed.size - 4) }.value
            for (i in 0 until 4) changed[changed.size - 4 + i] = (crc shr 8 * i).toByte()
            return assertFailsWith<ModelException> { EntropyModel.fromBytes(changed) }.message!!
        }
        assertTrue("version 2" in message(4, 2))
        // Iterations, bits, groups, hidden and width.
        for (offset in listOf(9, 10, 11, 12, 14)) {
            for (value in listOf(0, 200)) message(offset, value)
        }
        // The highest byte of the first bias that is added to weights.
        val bias = 16 + 9 * 1 * 2 + 3
        assertTrue("too large" in message(bias, 0x7F))
    }
}
