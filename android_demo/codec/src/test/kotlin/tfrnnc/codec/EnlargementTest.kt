package tfrnnc.codec

import java.util.Base64
import kotlin.random.Random
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import tfrnnc.Repository

class EnlargementTest {
    @TestFactory
    fun `pictures are enlarged as Python does`() =
        Repository.json("tests/golden/enlargement.json").jsonArray.map {
            val vector = it.jsonObject
            fun int(name: String) = vector.getValue(name).jsonPrimitive.int
            fun text(name: String) = vector.getValue(name).jsonPrimitive.content
            fun bytes(name: String) = Base64.getDecoder().decode(text(name))
            dynamicTest(text("name")) {
                val (width, height) = int("width") to int("height")
                val coded = Pixels((width + 1) / 2, (height + 1) / 2, bytes("coded"))
                val found = coded.enlarged(width, height)
                assertEquals(width to height, found.width to found.height)
                assertContentEquals(bytes("enlarged"), found.rgb)
            }
        }

    /** Each value by itself: the formula of docs/FORMAT.md in both directions at once. */
    private fun byTheFormula(picture: Pixels, width: Int, height: Int): ByteArray {
        fun taps(place: Int): Map<Int, Int> {
            val i = place / 2
            return if (place % 2 == 0) mapOf(i - 2 to -3, i - 1 to 29, i to 111, i + 1 to -9)
            else mapOf(i - 1 to -9, i to 111, i + 1 to 29, i + 2 to -3)
        }
        return ByteArray(3 * width * height) { place ->
            var sum = 0L
            for ((row, down) in taps(place / 3 / width)) {
                for ((column, right) in taps(place / 3 % width)) {
                    val y = row.coerceIn(0, picture.height - 1)
                    val x = column.coerceIn(0, picture.width - 1)
                    val level = picture.rgb[3 * (y * picture.width + x) + place % 3]
                    sum += down * right * (level.toInt() and 0xFF)
                }
            }
            Math.floorDiv(sum + 8192, 16384L).coerceIn(0, 255).toByte()
        }
    }

    @Test
    fun `pictures of any size, and such whose sums are out of range`() {
        val random = Random(9)
        var clipped = 0
        val sizes = List(40) { random.nextInt(1, 40) to random.nextInt(1, 40) } + (1 to 1)
        for ((width, height) in sizes) {
            val (halfWidth, halfHeight) = (width + 1) / 2 to (height + 1) / 2
            val noise = Pixels(halfWidth, halfHeight, random.nextBytes(3 * halfWidth * halfHeight))
            val extremes = ByteArray(noise.rgb.size) { if (random.nextBoolean()) -1 else 0 }
            for (picture in listOf(noise, Pixels(halfWidth, halfHeight, extremes))) {
                val found = picture.enlarged(width, height)
                assertEquals(width to height, found.width to found.height)
                assertContentEquals(byTheFormula(picture, width, height), found.rgb)
            }
            clipped +=
                Pixels(halfWidth, halfHeight, extremes).enlarged(width, height).rgb.count {
                    it == 0.toByte() || it == (-1).toByte()
                }
        }
        assertEquals(true, clipped > 1000)
    }

    @Test
    fun `only to twice the size, or one less`() {
        val picture = blobs(5, 4)
        for ((width, height) in listOf(5 to 4, 11 to 8, 10 to 6, 8 to 8)) {
            assertFailsWith<IllegalArgumentException> { picture.enlarged(width, height) }
        }
    }
}
