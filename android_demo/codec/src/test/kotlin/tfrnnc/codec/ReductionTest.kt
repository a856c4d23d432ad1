package tfrnnc.codec

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import tfrnnc.hex

class ReductionTest {
    /** Noise in red and blue, checkers in green. */
    private fun picture(width: Int, height: Int) =
        Pixels(
            width,
            height,
            ByteArray(3 * width * height) {
                (if (it % 3 == 1) it / 3 % 2 * 255 else (it * it * 7 + it * 13) % 251).toByte()
            },
        )

    @Test
    fun `Pillow's pictures`() {
        val expected =
            mapOf(
                (1 to 1) to "000036",
                (2 to 3) to "5b809160808e",
                (7 to 5) to
                    "477b869780883b8280a46c26b8824c707f576e7e64598c586f6f9b6781b5a788bd" + "603119",
                (15 to 13) to
                    "707c606080708b7f67ae7f797b7f75807f8635815e7e6f5e6e809e967f8a7f805f" +
                        "aa7f6b777f51a88069727fabd184c77c7f5573804e7f7f955b7f844a7f358e7f6f" +
                        "81808cf77fe2847f79717f90347f49847f5c957f7f4b7f715f7f83e47fe6ac7f6a" +
                        "6c80aa527f776c7faa5f7f7f8b7f979e8073857dad5981397e7f7f718077757fb0" +
                        "657f8b6d8060647f688c88461f6fac3284693b7f3b457fc3567f96657d5b75881b" +
                        "a932a8",
                (14 to 16) to
                    "626a5c7e85675f7f70ad7f6a95807d747a835a9555896a8b7585a47f7f8ea77f63" +
                        "8d806d867a56919561766a83a185bcbe7f835d7f43718081777a9c4595298e6a81" +
                        "6485617d7f918f7faa8e8078367a745b95367c6a9d668563577f9cb77fa1b38081" +
                        "7c7a8f549590716a6c6e85cc6d7f8d8d7f4c6980965a7a41709573616a85668560" +
                        "657f935b7f9573806a767a305b959f806a629f855aa27f77647fc06c808d4c7a60" +
                        "659553",
            )
        for ((size, rgb) in expected) {
            val (width, height) = size
            val found = picture(width, height).reduced()
            assertEquals((width + 1) / 2 to (height + 1) / 2, found.width to found.height)
            assertEquals(rgb, hex(found.rgb))
        }
    }

    @Test
    fun `enlarged again, a smooth picture is itself`() {
        for ((width, height) in listOf(200 to 151, 97 to 64)) {
            val smooth = blobs(width, height, seed = 3)
            assertTrue(meanLevels(smooth, smooth.reduced().enlarged(width, height)) < 1)
        }
    }
}
