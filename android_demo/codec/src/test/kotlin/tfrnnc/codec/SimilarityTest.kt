package tfrnnc.codec

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class SimilarityTest {
    private fun picture(factor: Int) =
        Pixels(21, 13, ByteArray(3 * 21 * 13) { (it * it / 9 * factor % 251).toByte() })

    @Test
    fun `Python's values`() {
        val (one, other) = picture(1) to picture(3)
        assertEquals(0.3356179588177621, blockSsim(one, other), 1e-12)
        assertEquals(5_779_688, squaredError(one, other))
        assertEquals(1.0, blockSsim(one, one))
        assertEquals(0, squaredError(one, one))
    }

    @Test
    fun `nearer pictures are more similar`() {
        val image = blobs(70, 50)
        fun shifted(levels: Int) =
            Pixels(70, 50, ByteArray(image.rgb.size) { (image.rgb[it] + it % 2 * levels).toByte() })
        val values = listOf(0, 2, 5).map { blockSsim(image, shifted(it)) }
        assertTrue(values.zipWithNext().all { (more, less) -> more > less }, "$values")
    }
}
