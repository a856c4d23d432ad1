package tfrnnc.preview

import tfrnnc.CorruptStreamException
import tfrnnc.ForeignStreamException
import tfrnnc.StreamException
import tfrnnc.TruncatedStreamException
import tfrnnc.UnsupportedVersionException

/**
 * The average colour of a preview as Android's opaque ARGB; it takes the first 4 characters only,
 * and no weights.
 *
 * @param text from tfrnnc-preview, whole or cut.
 * @throws StreamException if it is no preview.
 */
fun previewColor(text: String): Int {
    val (luma, blueChroma, redChroma) = PreviewText.read(text).average
    val (red, green, blue) = toRgb(luma, blueChroma, redChroma)
    return 0xFF shl 24 or (red shl 16) or (green shl 8) or blue
}

/** Red, green and blue, from 0 to 255, of luma, blue and red chroma. */
internal fun toRgb(luma: Int, blue: Int, red: Int): IntArray =
    intArrayOf(
        (luma + (359 * red + 128 shr 8)).coerceIn(0, 255),
        (luma - (88 * blue + 183 * red + 128 shr 8)).coerceIn(0, 255),
        (luma + (454 * blue + 128 shr 8)).coerceIn(0, 255),
    )

/**
 * What a preview's string says; docs/PREVIEW.md describes it.
 *
 * @property width of the picture's shape; the longer side is 32.
 * @property height likewise.
 * @property average luma from 0 to 255, blue and red chroma around 0.
 * @property step index of the step size.
 * @property payload the range-coded coefficients, as many as there are.
 */
internal class PreviewText
private constructor(
    val width: Int,
    val height: Int,
    val average: IntArray,
    val step: Int,
    val payload: ByteArray,
) {
    /** How many bytes the preview has. */
    val size
        get() = HEADER_BYTES + payload.size

    companion object {
        private const val VERSION = 1
        private const val HEADER_BYTES = 3
        private const val MAX_BYTES = 64
        private const val ALPHABET =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

        /** Chroma by its 4 bits. */
        private val CHROMA =
            intArrayOf(-112, -80, -56, -38, -25, -15, -7, 0, 7, 15, 25, 38, 56, 80, 112, 127)

        /**
         * Reads a string, whole or cut.
         *
         * @throws StreamException if it is no preview.
         */
        fun read(text: String): PreviewText {
            requireCharacters(text)
            val size = (text.length * 6L / 8).also(::requireAtMost).toInt()
            val data = readBytes(text, size)
            val version = if (size > 0) data[0].toInt() and 0xFF shr 6 else VERSION
            if (version != VERSION) {
                throw UnsupportedVersionException(
                    "preview of version $version: this release reads version $VERSION; update the app"
                )
            }
            if (size < HEADER_BYTES) {
                throw TruncatedStreamException(
                    "preview of $size bytes: the shortest has $HEADER_BYTES, which are 4 characters; " +
                        "cut it less"
                )
            }
            val isTall = data[0].toInt() and 32 > 0
            val short = (data[0].toInt() and 31) + 1
            val rest = (data[1].toInt() and 0xFF shl 8) or (data[2].toInt() and 0xFF)
            val luma = rest shr 11
            return PreviewText(
                width = if (isTall) short else PreviewDecoder.SIDE,
                height = if (isTall) PreviewDecoder.SIDE else short,
                average =
                    intArrayOf(
                        luma shl 3 or (luma shr 2),
                        CHROMA[rest shr 7 and 15],
                        CHROMA[rest shr 3 and 15],
                    ),
                step = rest and 7,
                payload = data.copyOfRange(HEADER_BYTES, size),
            )
        }

        /** The bytes of six bits of each character, the most significant first. */
        private fun readBytes(text: String, size: Int) =
            ByteArray(size) {
                val first = 8 * it / 6
                val left = ALPHABET.indexOf(text[first])
                val right = ALPHABET.indexOf(text[first + 1])
                // Of the twelve bits that begin 0, 2 or 4 before the byte.
                ((left shl 6 or right) shr 4 - 8 * it % 6).toByte()
            }

        private fun requireCharacters(text: String) {
            if (text.any { it !in ALPHABET }) {
                throw ForeignStreamException(
                    "preview ${text.take(40)}: has other characters than A-Z, a-z, 0-9, - and _; give " +
                        "the string that tfrnnc-preview printed"
                )
            }
        }

        private fun requireAtMost(size: Long) {
            if (size > MAX_BYTES) {
                throw CorruptStreamException(
                    "preview of $size bytes: none has more than $MAX_BYTES; give the string that " +
                        "tfrnnc-preview printed"
                )
            }
        }
    }
}
