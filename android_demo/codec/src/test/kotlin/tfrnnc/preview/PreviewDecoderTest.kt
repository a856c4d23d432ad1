package tfrnnc.preview

import java.io.File
import java.io.IOException
import java.io.InputStream
import kotlin.random.Random
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertIs
import kotlin.test.assertTrue
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import tfrnnc.CorruptStreamException
import tfrnnc.ForeignStreamException
import tfrnnc.ModelException
import tfrnnc.Repository
import tfrnnc.StreamException
import tfrnnc.TruncatedStreamException
import tfrnnc.UnsupportedVersionException
import tfrnnc.hex

class PreviewDecoderTest {
    private val file = File(Repository.root, "tfrnnc/presets/preview/decoder.bin").readBytes()
    private val decoder = PreviewDecoder.load(file.inputStream())
    private val golden =
        listOf("pictures", "cut", "random").flatMap { name ->
            val content = Repository.json("tests/golden/preview/$name.json").jsonObject
            val checksum = content.getValue("weights_crc32").jsonPrimitive.content
            assertEquals(checksum, hex(file.takeLast(4).reversed().toByteArray()), name)
            content.getValue("cases").jsonArray.map { it.jsonObject }
        }

    private fun JsonObject.int(name: String) = getValue(name).jsonPrimitive.int

    private fun JsonObject.ints(name: String) =
        getValue(name).jsonArray.map { it.jsonPrimitive.int }

    private fun JsonObject.text() = getValue("preview").jsonPrimitive.content

    @TestFactory
    fun `pixels, colours and shapes are Python's`() =
        golden.map { case ->
            dynamicTest(case.text()) {
                val found = decoder.decode(case.text())
                assertEquals(case.ints("pixels"), found.pixels.rgb.map { it.toInt() and 0xFF })
                assertEquals(case.int("width").toFloat() / case.int("height"), found.aspectRatio)
                val (red, green, blue) = case.ints("color")
                val color = 0xFF shl 24 or (red shl 16) or (green shl 8) or blue
                assertEquals(color, previewColor(case.text()))
                assertEquals(color, previewColor(case.text().take(4)))
            }
        }

    @Test
    fun `a character that fills no byte does not matter`() {
        val text = golden.map { it.text() }.first { it.length > 8 }
        for (whole in listOf(4, 8)) {
            assertContentEquals(
                decoder.decode(text.take(whole)).pixels.rgb,
                decoder.decode(text.take(whole + 1)).pixels.rgb,
            )
        }
    }

    @Test
    fun `what is no preview is refused as by Python, in the same order`() {
        fun refused(text: String, kind: Class<out StreamException>, words: String) {
            for (call in listOf<(String) -> Any>(decoder::decode, ::previewColor)) {
                val error = assertFailsWith<StreamException> { call(text) }
                assertEquals(kind, error.javaClass, text.take(20))
                assertTrue(words in error.message!! && error.message!!.length < 200)
            }
        }
        refused("", TruncatedStreamException::class.java, "of 0 bytes")
        refused("X", TruncatedStreamException::class.java, "of 0 bytes")
        refused("X__", TruncatedStreamException::class.java, "of 2 bytes")
        refused("AAAA", UnsupportedVersionException::class.java, "version 0")
        refused("AA", UnsupportedVersionException::class.java, "version 0")
        refused("____", UnsupportedVersionException::class.java, "version 3")
        refused("A".repeat(87), CorruptStreamException::class.java, "of 65 bytes")
        refused("X".repeat(1_000_000), CorruptStreamException::class.java, "of 750000 bytes")
        for (text in listOf("X+__", "X___\n", "X___==", "Xé__", "X".repeat(10_000) + "!")) {
            refused(text, ForeignStreamException::class.java, "characters")
        }
    }

    @Test
    fun `a payload that no encoder writes is refused, its average colour can be read`() {
        for (text in listOf("X_________", "X___" + "_".repeat(40))) {
            assertFailsWith<CorruptStreamException> { decoder.decode(text) }
            assertEquals(previewColor(text.take(4)), previewColor(text))
        }
        assertEquals(3 * 32 * 32, decoder.decode("X_______-_").pixels.rgb.size)
    }

    @Test
    fun `any string is read or refused`() {
        val random = Random(7)
        val letters = "AXYZabz019-_+= \n\u0000é"
        val outcomes =
            List(1000) {
                val known = if (random.nextInt(3) > 0) 12 else letters.length
                val tail = List(random.nextInt(100)) { letters[random.nextInt(known)] }
                try {
                    decoder.decode("X" + tail.joinToString("")).pixels.rgb.size
                } catch (error: StreamException) {
                    error.javaClass.simpleName
                }
            }
        assertTrue(outcomes.toSet().size >= 4, outcomes.toSet().toString())
        assertTrue(outcomes.count { it == 3 * 32 * 32 } > 100)
    }

    @Test
    fun `weights that cannot be read are refused`() {
        for (size in listOf(0, 3, 5, file.size - 1)) {
            assertFailsWith<ModelException> { PreviewDecoder.load(file.copyOf(size).inputStream()) }
        }
        for (place in (0..12) + (13 until file.size step 997)) {
            val damaged = file.copyOf().also { it[place] = (it[place].toInt() xor 1).toByte() }
            assertFailsWith<ModelException> { PreviewDecoder.load(damaged.inputStream()) }
        }
        val broken =
            object : InputStream() {
                override fun read(): Int = throw IOException("no card")
            }
        val error = assertFailsWith<ModelException> { PreviewDecoder.load(broken) }
        assertTrue("no card" in error.message!!)
        assertIs<IOException>(error.cause)
    }
}
