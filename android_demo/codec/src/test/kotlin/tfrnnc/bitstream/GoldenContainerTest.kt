package tfrnnc.bitstream

import java.io.File
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.TestFactory
import tfrnnc.Repository
import tfrnnc.StreamException
import tfrnnc.WrongModelException
import tfrnnc.hex

class GoldenContainerTest {
    @TestFactory
    fun `streams read as Python does`() =
        GoldenContainer.streams.map { golden ->
            dynamicTest(golden.name) {
                val found = golden.read()
                assertEquals(golden.header, found.header)
                assertEquals(golden.wholeIterations, found.wholeIterations)
                assertEquals(golden.ends, found.ends)
                assertEquals(golden.positive, found.planes.map { hex(it.pack()) })
                assertEquals(golden.known, found.planes.map { hex(known(it).pack()) })
            }
        }

    @TestFactory
    fun `streams are written as Python does`() =
        GoldenContainer.streams.map { golden ->
            dynamicTest(golden.name) {
                val header = golden.header
                val writer = StreamWriter(header, GoldenContainer.spec)
                val found = golden.read()
                if (found.wholeIterations < found.planes.size) {
                    // The bits that this one was cut out of are those of the stream of all kinds.
                    val kind = if (header.adaptive) "adaptive, entropy-coded" else "entropy-coded"
                    val uncut = GoldenContainer.streams.single { it.name == kind }
                    for (plane in uncut.read().planes) writer.add(plane)
                    assertContentEquals(golden.stream, writer.cut(golden.stream.size))
                } else {
                    for (plane in found.planes) writer.add(plane)
                    if (golden.name.endsWith("none goes on")) {
                        writer.add(BitPlane(found.planes[0].shape))
                    }
                    val headerless = header.toBytes() + writer.payload()
                    assertContentEquals(
                        golden.stream,
                        if (header.openEnd) headerless else writer.whole(),
                    )
                }
                val length = Header.readWithLength(golden.stream).second
                val ends = golden.ends.indices.map { length + writer.end(it + 1, writer.payload()) }
                assertEquals(golden.ends, ends)
            }
        }

    @TestFactory
    fun `streams are refused as Python does`() =
        GoldenContainer.refused.map { (name, refused) ->
            val (stream, error) = refused
            dynamicTest(name) {
                val model = GoldenContainer.entropyModel
                val found =
                    assertFailsWith<StreamException> {
                        val (header, _) = Header.readWithLength(stream)
                        if (header.modelId != model.entropyCodedId) throw WrongModelException(name)
                        readPlanes(stream, GoldenContainer.spec)
                    }
                val kind = found::class.simpleName?.removeSuffix("Exception")
                assertEquals(error.removeSuffix("Error"), kind)
            }
        }

    @Test
    fun `the examples of the format's description`() {
        val text = File(Repository.root, "docs/FORMAT.md").readText()
        val examples =
            Regex("^```\n(.*?)^```", setOf(RegexOption.MULTILINE, RegexOption.DOT_MATCHES_ALL))
                .findAll(text)
                .map { it.groupValues[1] }
                .filter { "magic" in it }
                .map { block ->
                    val lines = Regex("^((?:[0-9a-f]{2} )+)", RegexOption.MULTILINE).findAll(block)
                    hex(lines.joinToString("") { it.value.replace(" ", "") })
                }
                .toList()
        assertTrue(examples.size > 1)
        for (example in examples) {
            assertEquals(
                listOf("b4", "14"),
                readPlanes(example, StreamSpec(8, 3)).planes.map { hex(it.pack()) },
            )
        }
        val first =
            readPlanes(examples[0].copyOf(14), StreamSpec(8, 3), ReadOptions(allowTruncated = true))
        assertEquals(1, first.wholeIterations)
        assertEquals("b4", hex(first.planes[0].pack()))
    }
}
