package tfrnnc.codec

import java.io.File
import kotlin.math.abs
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.TestFactory
import tfrnnc.Repository
import tfrnnc.filesOf
import tfrnnc.hex

/** From pixels to the stream and back, with the shipped TFLite files: what Python made of them. */
class GoldenVectorsTest {
    private class Vector(val folder: File, val name: String, val bits: List<String>) {
        private val golden = File(folder, "golden")
        val image = Repository.image(File(golden, "$name.png"))
        val stream = File(golden, "$name.rnnc").readBytes()

        /** The pictures after each iteration, which lie one below the other. */
        val pictures: List<Pixels> by lazy {
            val all = Repository.image(File(golden, "${name}_steps.png"))
            val bytes = all.rgb.size / bits.size
            List(bits.size) {
                val rgb = all.rgb.copyOfRange(it * bytes, (it + 1) * bytes)
                Pixels(all.width, all.height / bits.size, rgb)
            }
        }
    }

    private val vectors =
        Repository.exported.flatMap { folder ->
            val entries = Json.parseToJsonElement(File(folder, "golden/golden.json").readText())
            entries.jsonArray.map { entry ->
                val bits = entry.jsonObject.getValue("bits").jsonArray
                Vector(
                    folder,
                    entry.jsonObject.getValue("name").jsonPrimitive.content,
                    bits.map { it.jsonPrimitive.content },
                )
            }
        }

    private fun forEach(test: (Vector, Codec) -> Unit): List<DynamicTest> =
        vectors.map { vector ->
            dynamicTest("${vector.folder.name} ${vector.name}") {
                Codec.load(filesOf(vector.folder), ::JvmRunner).use { test(vector, it) }
            }
        }

    @TestFactory
    fun `pixels to the stream, byte for byte`() = forEach { vector, codec ->
        val encoded = codec.encode(vector.image)
        assertContentEquals(vector.stream, encoded.data)
        assertNear(vector.pictures.last(), encoded.picture)
    }

    @TestFactory
    fun `the stream to its bits`() = forEach { vector, codec ->
        val found = codec.readPlanes(vector.stream)
        assertEquals(vector.bits, found.planes.map { hex(it.pack()) })
        assertEquals(found.ends.last(), vector.stream.size)
    }

    @TestFactory
    fun `the stream to pictures, within one grey level`() = forEach { vector, codec ->
        val pictures = codec.decodeProgressive(vector.stream).toList()
        assertEquals(vector.pictures.size, pictures.size)
        for ((expected, found) in vector.pictures.zip(pictures)) assertNear(expected, found)
    }
}

/** Asserts that no value differs by more than one grey level. */
fun assertNear(expected: Pixels, found: Pixels, levels: Int = 1) {
    assertEquals(expected.width to expected.height, found.width to found.height)
    val most = mostLevels(expected, found)
    assertTrue(most <= levels, "the pictures differ by $most grey levels")
}

/** The greatest difference of a value, in grey levels. */
fun mostLevels(expected: Pixels, found: Pixels): Int =
    expected.rgb.indices.maxOf {
        abs((expected.rgb[it].toInt() and 0xFF) - (found.rgb[it].toInt() and 0xFF))
    }
