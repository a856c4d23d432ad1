package tfrnnc.bitstream

import kotlin.random.Random
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import tfrnnc.hex

class RangeCoderTest {
    @Test
    fun `bits come back, and from every cut their beginning`() {
        val random = Random(3)
        repeat(300) {
            val count = random.nextInt(1, 200)
            val most = if (it % 2 == 0) 65535 else 40
            val probabilities =
                List(count) { if (random.nextBoolean()) random.nextInt(1, most + 1) else 65535 }
            val bits =
                probabilities.map { p -> random.nextInt(65536) < p != (random.nextInt(9) == 0) }
            val encoder = RangeEncoder()
            for ((bit, p) in bits.zip(probabilities)) encoder.encode(bit, p)
            val data = encoder.finish()
            for (length in 0..data.size) {
                val decoder = RangeDecoder(data, 0, length)
                var found = 0
                while (found < count) {
                    val bit = decoder.decode(probabilities[found])
                    if (bit == RangeDecoder.ENDED) break
                    assertEquals(bits[found], bit == 1)
                    found++
                    // Nothing but the first bytes' being full leaves it open how many are used.
                    if (data[0] != 0xFF.toByte()) assertTrue(decoder.used() <= length)
                }
                if (length == data.size) assertEquals(count, found)
            }
        }
    }

    @Test
    fun `the end takes the fewest bytes that settle all bits`() {
        val random = Random(4)
        repeat(500) {
            val encoder = RangeEncoder()
            val probabilities = List(random.nextInt(1, 40)) { random.nextInt(1, 65536) }
            val bits = probabilities.map { random.nextBoolean() }
            for ((bit, p) in bits.zip(probabilities)) encoder.encode(bit, p)
            val data = encoder.finish()
            for (tail in listOf(ByteArray(8), ByteArray(8) { -1 }, random.nextBytes(8))) {
                val decoder = RangeDecoder(data + tail)
                val found = probabilities.map { decoder.decode(it) == 1 }
                assertEquals(bits, found)
                assertEquals(data.size, decoder.used())
            }
        }
    }

    @Test
    fun `a carry runs through bytes that are full`() {
        // Each 1 keeps `low` and makes the range small; the 0 after them adds to all of it.
        var carried = 0
        val random = Random(5)
        repeat(2000) {
            val encoder = RangeEncoder()
            val bits = MutableList(60) { random.nextInt(20) > 0 }
            val probabilities = bits.map { if (it) 1 + random.nextInt(3) else 65535 }
            for ((bit, p) in bits.zip(probabilities)) encoder.encode(bit, p)
            val data = encoder.finish()
            val decoder = RangeDecoder(data)
            assertEquals(bits, probabilities.map { decoder.decode(it) == 1 })
            if (data.any { it == 0.toByte() }) carried++
        }
        assertTrue(carried > 0)
    }

    @Test
    fun `Python's example`() {
        val encoder = RangeEncoder()
        for ((bit, p) in listOf(true to 60000, false to 5000, true to Format.EVEN)) encoder.encode(
            bit,
            p,
        )
        assertEquals("12", hex(encoder.finish()))
    }
}
