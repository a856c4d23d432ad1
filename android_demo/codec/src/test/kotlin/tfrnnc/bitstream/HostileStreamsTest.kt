package tfrnnc.bitstream

import kotlin.random.Random
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import tfrnnc.ConfigException
import tfrnnc.CorruptStreamException
import tfrnnc.ForeignStreamException
import tfrnnc.StreamException
import tfrnnc.TooLargeException
import tfrnnc.TruncatedStreamException
import tfrnnc.UnsupportedVersionException
import tfrnnc.WrongModelException
import tfrnnc.hex

/** Streams that were cut, damaged, or were never streams. */
class HostileStreamsTest {
    private val streams = GoldenContainer.streams
    private val coded = streams.single { it.name == "entropy-coded" }

    @TestFactory
    fun `cut after every byte`() =
        streams.map { golden ->
            dynamicTest(golden.name) {
                val all = golden.read(track = true)
                val (_, start) = Header.readWithLength(golden.stream)
                val least = (0..golden.stream.size).first { all.cut(it).isNotEmpty() }
                assertEquals(least, all.leastBytes)
                var decoded = 0
                for (length in 0 until golden.stream.size) {
                    val cut = golden.stream.copyOf(length)
                    val header = golden.header
                    if (!header.openEnd) {
                        val error = assertFailsWith<TruncatedStreamException> { golden.read(cut) }
                        assertEquals(all.ends.count { it <= length }, error.wholeSteps)
                        if (length > start) assertTrue("cut after $length bytes" in error.message!!)
                    }
                    val found =
                        try {
                            golden.read(cut, allowTruncated = true).planes
                        } catch (_: TruncatedStreamException) {
                            emptyList()
                        } catch (error: CorruptStreamException) {
                            // An end's check that is taken for code.
                            assertTrue(header.openEnd && header.checked, error.message)
                            continue
                        }
                    if (header.openEnd && header.checked) continue
                    assertEquals(found, all.cut(length), "after $length bytes")
                    for ((plane, whole) in found.zip(all.planes)) assertWithin(plane, whole)
                    decoded += found.size
                }
                assertTrue(decoded > 0 || "cut" in golden.name)
            }
        }

    @Test
    fun `a bit that is given is the bit of the whole stream`() {
        val uncut = coded.read()
        val cut = streams.single { it.name == "cut, with an open end" }.read()
        for ((plane, whole) in cut.planes.zip(uncut.planes)) assertWithin(plane, whole)
    }

    private fun assertWithin(plane: BitPlane, whole: BitPlane) {
        for ((found, expected) in plane.values.zip(whole.values)) {
            assertTrue(found == 0.toByte() || found == expected)
        }
    }

    @Test
    fun `damage is found or does nothing, and never ends the program`() {
        val random = Random(1)
        val outcomes = mutableMapOf<String, Int>()
        repeat(6000) {
            val golden = streams.filter { !it.name.endsWith("large") }.random(random)
            val data = mutate(golden.stream, random)
            val outcome =
                try {
                    val found = golden.read(data, allowTruncated = random.nextBoolean())
                    assertTrue(found.planes.size in 1..found.header.steps)
                    "read"
                } catch (error: StreamException) {
                    error.javaClass.simpleName
                }
            outcomes.merge(outcome, 1, Int::plus)
        }
        val kinds =
            setOf(
                "read",
                "ForeignStreamException",
                "UnsupportedVersionException",
                "TruncatedStreamException",
                "CorruptStreamException",
            )
        assertTrue(outcomes.keys.containsAll(kinds), "$outcomes")
    }

    @Test
    fun `a changed bit in a checked plane does not go unseen`() {
        var seen = 0
        val (_, start) = Header.readWithLength(coded.stream)
        for (bit in 8 * start until 8 * coded.stream.size) {
            val data = coded.stream.copyOf()
            data[bit / 8] = (data[bit / 8].toInt() xor (1 shl bit % 8)).toByte()
            if (runCatching { coded.read(data) }.exceptionOrNull() is StreamException) seen++
        }
        // A check of eight bits misses one in 256.
        assertTrue(seen >= 8 * (coded.stream.size - start) * 31 / 32, "$seen")
    }

    @Test
    fun `noise behind any start`() {
        val random = Random(2)
        for (start in listOf("", "524e", "524e22", "524e32", "524e52", "524e72", "524e82", "524eb2", "524ef2", "524e4e4301")) {
            repeat(500) {
                val data = hex(start) + random.nextBytes(random.nextInt(60))
                val error =
                    runCatching { coded.read(data, allowTruncated = true) }.exceptionOrNull()
                assertTrue(error == null || error is StreamException, "$error")
            }
        }
    }

    @Test
    fun `the errors say what was wrong`() {
        fun message(data: String) = runCatching { coded.read(hex(data)) }.exceptionOrNull()
        assertTrue(message("89504e470d0a1a0a") is ForeignStreamException)
        assertTrue(message("") is TruncatedStreamException)
        assertEquals("the stream is empty", message("")?.message)
        assertTrue(message("52") is TruncatedStreamException)
        assertTrue("version 3" in message("524e23c0ffee01")!!.message!!)
        assertTrue(message("524e23c0ffee01") is UnsupportedVersionException)
        assertTrue(message("524e22c0ffee018100") is CorruptStreamException)
        assertTrue("idle bytes" in message("524e22c0ffee018100")!!.message!!)
        assertTrue("too long" in message("524e22c0ffee01ffffffffff01")!!.message!!)
        assertTrue(message(hex(coded.stream) + "00") is CorruptStreamException)
        assertTrue("1 bytes after its end" in message(hex(coded.stream) + "00")!!.message!!)
        val damaged = coded.stream.copyOf().also { it[9] = 99 }
        assertTrue("its header is wrong" in message(hex(damaged))!!.message!!)
    }

    @Test
    fun `sizes are held against the limit and the bytes before memory is taken`() {
        val huge = Header(coded.header.modelId, Int.MAX_VALUE, Int.MAX_VALUE, 255).toBytes()
        assertFailsWith<TooLargeException> { coded.read(huge, allowTruncated = true) }
        val large = Header(coded.header.modelId, 9000, 9000, 255).toBytes() + ByteArray(200)
        val error =
            assertFailsWith<TruncatedStreamException> { coded.read(large, allowTruncated = true) }
        assertTrue("0 of 255 steps" in error.message!!)
        val limit = coded.header.width * coded.header.height.toLong()
        fun read(most: Long) =
            readPlanes(coded.stream, 8, 3, GoldenContainer.entropyModel, maxPixels = most)
        assertEquals(2, read(limit).wholeSteps)
        assertFailsWith<TooLargeException> { read(limit - 1) }
        assertFailsWith<TooLargeException> {
            readPlanes(huge, 1, 8, maxPixels = Long.MAX_VALUE, allowTruncated = true)
        }
    }

    @Test
    fun `steps are counted`() {
        assertEquals(1, coded.read(steps = 1).planes.size)
        assertEquals(1, coded.read(coded.stream.copyOf(coded.ends[0]), steps = 1).planes.size)
        for (steps in listOf(0, -1, 3)) {
            val error = assertFailsWith<ConfigException> { coded.read(steps = steps) }
            assertTrue("from 1 to 2" in error.message!!)
        }
    }

    @Test
    fun `an entropy-coded stream needs the entropy model`() {
        assertFailsWith<WrongModelException> { readPlanes(coded.stream, 8, 3) }
    }

    @Test
    fun `a code that no encoder writes is damaged`() {
        assertFailsWith<CorruptStreamException> { RangeDecoder(ByteArray(40) { -1 }) }
        assertEquals(RangeDecoder.ENDED, RangeDecoder(ByteArray(3) { -1 }).decode(32768))
    }
}

/** A stream with some of its bytes changed, left out, doubled, or cut off. */
fun mutate(stream: ByteArray, random: Random): ByteArray {
    var data = stream
    repeat(random.nextInt(1, 4)) {
        if (data.isEmpty()) return data
        val place = random.nextInt(data.size)
        when (random.nextInt(6)) {
            0 -> data = data.copyOf(place)
            1 -> data = data.copyOf(place) + data.copyOfRange(place + 1, data.size)
            2 -> data = data.copyOf(place) + data[place] + data.copyOfRange(place, data.size)
            3 -> data = data + random.nextBytes(random.nextInt(4))
            4 -> data = data.copyOf().also { it[place] = random.nextInt().toByte() }
            else ->
                data =
                    data.copyOf().also {
                        it[place] = (it[place].toInt() xor (1 shl random.nextInt(8))).toByte()
                    }
        }
    }
    return data
}
