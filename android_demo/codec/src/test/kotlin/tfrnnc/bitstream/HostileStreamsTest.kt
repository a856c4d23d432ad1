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
                assertEquals(least, all.minBytes)
                var decoded = 0
                for (length in 0 until golden.stream.size) {
                    val cut = golden.stream.copyOf(length)
                    val header = golden.header
                    if (!header.openEnd) {
                        val error = assertFailsWith<TruncatedStreamException> { golden.read(cut) }
                        assertEquals(all.ends.count { it <= length }, error.wholeIterations)
                        if (length > start) assertTrue("cut after $length bytes" in error.message!!)
                    }
                    val found =
                        try {
                            golden.read(cut, allowTruncated = true).planes
                        } catch (_: TruncatedStreamException) {
                            emptyList()
                        } catch (error: CorruptStreamException) {
                            // An end's checksum that is taken for payload.
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
                    assertTrue(found.planes.size in 1..found.header.iterations)
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
        // A checksum of eight bits misses one in 256.
        assertTrue(seen >= 8 * (coded.stream.size - start) * 31 / 32, "$seen")
    }

    @Test
    fun `noise behind any start`() {
        val random = Random(2)
        for (start in
            listOf(
                "",
                "524e",
                "524e22",
                "524e23",
                "524e32",
                "524e33",
                "524e52",
                "524e72",
                "524e82",
                "524eb2",
                "524ef2",
                "524ef3",
            )) {
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
        assertTrue("version 4" in message("524e24c0ffee01")!!.message!!)
        assertTrue("reads versions 2 and 3" in message("524e24c0ffee01")!!.message!!)
        assertTrue(message("524e24c0ffee01") is UnsupportedVersionException)
        assertTrue(message("524e22c0ffee018100") is CorruptStreamException)
        assertTrue("idle bytes" in message("524e22c0ffee018100")!!.message!!)
        assertTrue("too long" in message("524e22c0ffee01ffffffffff01")!!.message!!)
        assertTrue(message(hex(coded.stream) + "00") is CorruptStreamException)
        assertTrue("1 bytes after its end" in message(hex(coded.stream) + "00")!!.message!!)
        val damaged = coded.stream.copyOf().also { it[9] = 99 }
        assertTrue("its header is wrong" in message(hex(damaged))!!.message!!)
    }

    private fun readWithin(data: ByteArray, limits: WorkLimits, iterations: Int? = null) =
        readPlanes(data, GoldenContainer.spec, ReadOptions(iterations, true, limits))

    private fun header(width: Int, height: Int, iterations: Int) =
        Header(coded.header.modelId, width, height, iterations)

    @Test
    fun `sizes are held against the limits and the bytes before memory is taken`() {
        val huge = header(Int.MAX_VALUE, Int.MAX_VALUE, Format.MAX_ITERATIONS).toBytes()
        assertFailsWith<TooLargeException> { coded.read(huge, allowTruncated = true) }
        assertFailsWith<TooLargeException> { readWithin(huge, WorkLimits.NONE) }
        val large = header(5000, 5000, 10).toBytes() + ByteArray(200)
        val error =
            assertFailsWith<TruncatedStreamException> { coded.read(large, allowTruncated = true) }
        assertTrue("0 of 10 iterations" in error.message!!)
    }

    @Test
    fun `pixels are counted with their padding`() {
        // 37x20 pixels are 40x24 at a stride of 8.
        assertEquals(37 to 20, coded.header.width to coded.header.height)
        val limits = WorkLimits(maxPixels = 40 * 24)
        assertEquals(2, readWithin(coded.stream, limits).wholeIterations)
        val error =
            assertFailsWith<TooLargeException> {
                readWithin(coded.stream, limits.copy(maxPixels = 40 * 24 - 1))
            }
        assertTrue("raise maxPixels" in error.message!!)
        for (line in listOf(header(1_000_000, 1, 1), header(1, 1_000_000, 1))) {
            assertFailsWith<TooLargeException> {
                readWithin(line.toBytes(), WorkLimits(maxPixels = 4_000_000))
            }
        }
    }

    @Test
    fun `pixels are counted of the picture that is shown, and work of what is coded`() {
        // 39x30 pixels are 40x32 at a stride of 8; 20x15 are coded, which are 24x16.
        val header = header(39, 30, 2).copy(downscale = 2)
        val writer = StreamWriter(header, StreamSpec(8, 3))
        val shape = PlaneShape(2, 3, 3)
        repeat(2) { writer.add(BitPlane(shape, ByteArray(shape.size) { 1 })) }
        val limits = WorkLimits(maxPixels = 40 * 32, maxWork = 2 * 24 * 16)
        val found = readWithin(writer.whole(), limits)
        assertEquals(listOf(shape, shape), found.planes.map { it.shape })
        fun message(limits: WorkLimits) =
            assertFailsWith<TooLargeException> { readWithin(writer.whole(), limits) }.message!!
        val pixels = message(limits.copy(maxPixels = 40 * 32 - 1))
        assertTrue("39x30 pixels, with padding 1280, more than the limit of 1279" in pixels)
        val work = message(limits.copy(maxWork = 2 * 24 * 16 - 1))
        assertTrue("39x30 pixels; 2 iterations of 384, with padding, are more work" in work)
    }

    @Test
    fun `iterations are work, those too that cost no bytes`() {
        val writer =
            StreamWriter(header(64, 64, 1).copy(checked = false, adaptive = true), StreamSpec(8, 3))
        val shape = PlaneShape(8, 8, 3)
        writer.add(BitPlane(shape, ByteArray(shape.size) { 1 }))
        // One location goes on and on.
        val last = BitPlane(shape, ByteArray(shape.size) { if (it < 3) 1 else 0 })
        repeat(99) { writer.add(last) }
        val stream = writer.whole()
        assertTrue(stream.size < 100)
        assertEquals(100, readWithin(stream, WorkLimits(maxWork = 100 * 64 * 64)).wholeIterations)
        val limits = WorkLimits(maxWork = 100 * 64 * 64 - 1)
        val error = assertFailsWith<TooLargeException> { readWithin(stream, limits) }
        assertTrue(
            "100 iterations of 4096, with padding, are more work than the limit" in error.message!!
        )
        assertEquals(99, readWithin(stream, limits, iterations = 99).wholeIterations)
        // With an open end what is read counts, and not what the header promises.
        val open = Header.read(stream).copy(iterations = 255, openEnd = true).toBytes()
        assertFailsWith<TooLargeException> { readWithin(open + writer.payload(), limits) }
        val one = WorkLimits(maxWork = 64 * 64)
        val ended =
            StreamWriter(header(64, 64, 1).copy(checked = false, adaptive = true), StreamSpec(8, 3))
        ended.add(BitPlane(shape, ByteArray(shape.size) { 1 }))
        ended.add(BitPlane(shape))
        assertFailsWith<TooLargeException> { readWithin(open + ended.payload(), one) }
        assertEquals(
            1,
            readWithin(open + ended.payload(), WorkLimits(maxWork = 2 * 64 * 64)).wholeIterations,
        )
    }

    @Test
    fun `an eighth of a first plane with an open end is work too`() {
        val header = header(64, 64, 10).copy(openEnd = true)
        val plane =
            BitPlane(PlaneShape(8, 8, 3), ByteArray(8 * 8 * 3) { (it % 2 * 2 - 1).toByte() })
        val writer = StreamWriter(header, StreamSpec(8, 3)).apply { add(plane) }
        val size = header.toBytes().size + 4
        val stream = checkNotNull(writer.cut(size))
        val limits = WorkLimits(maxWork = 64 * 64)
        assertEquals(0, readWithin(stream, limits).wholeIterations)
        assertFailsWith<TooLargeException> {
            readWithin(stream, limits.copy(maxWork = 64 * 64 - 1))
        }
    }

    @Test
    fun `at most as many iterations as are asked for`() {
        assertEquals(1, coded.read(iterations = 1).planes.size)
        assertEquals(1, coded.read(coded.stream.copyOf(coded.ends[0]), iterations = 1).planes.size)
        for (iterations in listOf(2, 3, 1000)) {
            assertEquals(coded.read().planes, coded.read(iterations = iterations).planes)
        }
        val cut = streams.single { it.name == "cut, with an open end" }
        assertEquals(cut.read().planes, cut.read(iterations = 2).planes)
        for (iterations in listOf(0, -1)) {
            val error = assertFailsWith<ConfigException> { coded.read(iterations = iterations) }
            assertTrue("1 or more" in error.message!!)
        }
    }

    @Test
    fun `an entropy-coded stream needs the entropy model`() {
        assertFailsWith<WrongModelException> { readPlanes(coded.stream, StreamSpec(8, 3)) }
    }

    @Test
    fun `a payload that no encoder writes is damaged`() {
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
