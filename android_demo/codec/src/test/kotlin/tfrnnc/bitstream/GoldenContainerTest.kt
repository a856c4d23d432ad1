package tfrnnc.bitstream

import java.io.File
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.TestFactory
import tfrnnc.Repository
import tfrnnc.StreamException
import tfrnnc.WrongModelException
import tfrnnc.hex

class GoldenContainerTest {
    @TestFactory
    fun `version 2 reads as Python does`() =
        GoldenContainer.streams.map { golden ->
            dynamicTest(golden.name) {
                val found = golden.read()
                assertEquals(golden.header, found.header)
                assertEquals(golden.wholeSteps, found.wholeSteps)
                assertEquals(golden.ends, found.ends)
                assertEquals(golden.positive, found.planes.map { hex(it.pack()) })
                assertEquals(golden.known, found.planes.map { hex(known(it).pack()) })
            }
        }

    @TestFactory
    fun `version 2 is written as Python does`() =
        GoldenContainer.streams.map { golden ->
            dynamicTest(golden.name) {
                val header = golden.header
                val model = GoldenContainer.entropyModel.takeIf { header.entropyCoded }
                val writer =
                    StreamWriter(header, GoldenContainer.stride, GoldenContainer.bits, model)
                val found = golden.read()
                if (found.wholeSteps < found.planes.size) {
                    // The bits that this one was cut out of are those of the stream of all kinds.
                    val kind = if (header.dynamic) "dynamic, entropy-coded" else "entropy-coded"
                    val uncut = GoldenContainer.streams.single { it.name == kind }
                    for (plane in uncut.read().planes) writer.add(plane)
                    assertContentEquals(golden.stream, writer.cut(golden.stream.size))
                } else {
                    for (plane in found.planes) writer.add(plane)
                    if (golden.name.endsWith("none goes on")) {
                        writer.add(BitPlane(found.planes[0].shape))
                    }
                    val bare = header.toBytes() + writer.code()
                    assertContentEquals(golden.stream, if (header.openEnd) bare else writer.whole())
                }
            }
        }

    @TestFactory
    fun `version 2 is refused as Python does`() =
        GoldenContainer.refused.map { (name, refused) ->
            val (stream, error) = refused
            dynamicTest(name) {
                val model = GoldenContainer.entropyModel
                val found =
                    assertFailsWith<StreamException> {
                        val (header, _) = Header.readWithLength(stream)
                        if (header.modelId != model.streamId) throw WrongModelException(name)
                        readPlanes(stream, GoldenContainer.stride, GoldenContainer.bits, model)
                    }
                val kind = found::class.simpleName?.removeSuffix("Exception")
                assertEquals(error.removeSuffix("Error"), kind)
            }
        }

    @Test
    fun `version 1 reads as Python does`() {
        val json = Repository.json("tests/golden/v1_container.json").jsonObject
        fun int(name: String) = json.getValue(name).jsonPrimitive.int
        val stream = hex(json.getValue("stream").jsonPrimitive.content)
        val found = readPlanes(stream, int("stride"), int("bits"))
        val id = json.getValue("model_id").jsonPrimitive.content
        assertEquals(
            Header(
                checkNotNull(ModelId.parse(id)),
                int("width"),
                int("height"),
                int("steps"),
                checked = false,
                version = int("format_version"),
            ),
            found.header,
        )
        val expected =
            json.getValue("positive_bits").jsonArray.map { plane ->
                plane.jsonArray.map { it.jsonPrimitive.int }
            }
        assertEquals(
            expected,
            found.planes.map { plane -> plane.values.indices.filter { plane.values[it] > 0 } },
        )
        assertEquals(found.ends.last(), stream.size)
        for (length in 0..stream.size) {
            val cut = stream.copyOf(length)
            val whole = found.ends.count { it <= length }
            assertEquals(found.planes.take(whole), found.cut(length).take(whole))
            if (whole > 0) {
                val read = readPlanes(cut, int("stride"), int("bits"), allowTruncated = true)
                assertEquals(found.planes.take(whole), read.planes)
            }
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
        assertEquals(listOf(2, 2, 1), examples.map { Header.read(it).version })
        for (example in examples) {
            assertEquals(
                listOf("b4", "14"),
                readPlanes(example, 8, 3).planes.map { hex(it.pack()) },
            )
        }
        val first = readPlanes(examples[0].copyOf(14), 8, 3, allowTruncated = true)
        assertEquals(1, first.wholeSteps)
        assertEquals("b4", hex(first.planes[0].pack()))
    }
}
