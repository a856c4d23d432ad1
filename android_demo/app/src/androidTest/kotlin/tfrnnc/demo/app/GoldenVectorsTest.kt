package tfrnnc.demo.app

import android.graphics.BitmapFactory
import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import kotlin.math.abs
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import tfrnnc.codec.Codec
import tfrnnc.codec.Pixels

/** On the device: pixels to the streams of the golden vectors, and those to their pictures. */
@RunWith(AndroidJUnit4::class)
class GoldenVectorsTest {
    private val instrumentation = InstrumentationRegistry.getInstrumentation()
    private val golden = instrumentation.context.assets
    private val model = AssetFiles(instrumentation.targetContext.assets)

    private fun image(name: String): Pixels {
        val options = BitmapFactory.Options().apply { inScaled = false }
        val bitmap = golden.open(name).use { BitmapFactory.decodeStream(it, null, options) }!!
        val colours = IntArray(bitmap.width * bitmap.height)
        bitmap.getPixels(colours, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
        return Pixels.fromArgb(bitmap.width, bitmap.height, colours)
    }

    @Test
    fun goldenVectors() {
        val names =
            golden.list("")!!.filter { it.endsWith(".rnnc") }.map { it.removeSuffix(".rnnc") }
        assertTrue(names.isNotEmpty())
        Codec.load(model, ::LiteRtRunner).use { codec ->
            for (name in names) {
                val stream = golden.open("$name.rnnc").use { it.readBytes() }
                assertArrayEquals(name, stream, codec.encode(image("$name.png")).data)
                val expected = image("${name}_steps.png").rgb
                val found =
                    codec.decodeProgressive(stream).fold(ByteArray(0)) { all, it -> all + it.rgb }
                assertEquals(expected.size, found.size)
                val most =
                    found.indices.maxOf {
                        abs((found[it].toInt() and 0xFF) - (expected[it].toInt() and 0xFF))
                    }
                assertTrue("$name: the pictures differ by $most grey levels", most <= 1)
            }
        }
    }
}
