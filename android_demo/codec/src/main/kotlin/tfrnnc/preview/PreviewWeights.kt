package tfrnnc.preview

import java.nio.ByteBuffer
import java.nio.ByteOrder
import tfrnnc.ModelException
import tfrnnc.bitstream.crc32

/**
 * A 3x3 convolution in whole numbers.
 *
 * @property shift how many bits the sums are shifted to the right.
 * @property bias is added to the sums before, the half that rounds included.
 * @property kernel (row, column, input, output).
 */
internal class PreviewLayer(val shift: Int, val bias: IntArray, val kernel: ByteArray)

/**
 * What the decoder has learned; docs/PREVIEW.md describes it.
 *
 * @property place of each coefficient in (row, column, channel), as an index.
 * @property scale of each coefficient.
 * @property stepSize (step, channel).
 * @property expected by base.
 * @property probability (base, class, context, decision).
 * @property reconstruction (base, class, magnitude 1 or more).
 * @property basis (frequency, place).
 * @property layers of the network, in its order.
 */
internal class PreviewWeights
private constructor(
    val place: IntArray,
    val scale: IntArray,
    val stepSize: IntArray,
    val expected: IntArray,
    val probability: IntArray,
    val reconstruction: IntArray,
    val basis: IntArray,
    val layers: List<PreviewLayer>,
) {
    companion object {
        const val CONTEXTS = 15
        const val LAST_BASE = 21

        private const val MAGIC = 0x54465056 // "TFPV"
        private const val FILE_VERSION: Byte = 1
        private const val CHECKSUM_BYTES = 4
        private const val HEADER_BYTES = 5
        private const val COEFFICIENTS = 330
        private const val STEPS = 8
        private const val BASES = LAST_BASE + 1
        private const val PROBABILITIES = BASES * 2 * CONTEXTS * 3
        private const val RECONSTRUCTIONS = BASES * 2 * 2
        private const val BASIS = 16 * 32
        private const val TABLES_BYTES =
            2 * (COEFFICIENTS + 3 * STEPS + BASES + PROBABILITIES + BASIS) +
                COEFFICIENTS +
                RECONSTRUCTIONS

        /** Inputs and outputs of the layers, in the order of the file. */
        private val LAYERS = listOf(50 to 40, 40 to 40, 40 to 48)
        private val END =
            HEADER_BYTES +
                TABLES_BYTES +
                LAYERS.sumOf { (inputs, outputs) -> 1 + (4 + 9 * inputs) * outputs }

        /**
         * Reads the content of `decoder.bin`.
         *
         * @throws ModelException if it is damaged, cut or of another version.
         */
        fun read(content: ByteArray): PreviewWeights {
            val buffer = ByteBuffer.wrap(content)
            if (
                content.size != END + CHECKSUM_BYTES ||
                    buffer.int != MAGIC ||
                    buffer.get() != FILE_VERSION
            ) {
                throw ModelException(
                    "the preview decoder's weights of ${content.size} bytes are none of this " +
                        "version; take the decoder.bin of this release"
                )
            }
            buffer.order(ByteOrder.LITTLE_ENDIAN)
            if (buffer.getInt(END) != crc32(content, END).toInt()) {
                throw ModelException(
                    "the preview decoder's weights are damaged; take the decoder.bin of this release"
                )
            }
            // In the order of the file, as the arguments are evaluated in theirs.
            return PreviewWeights(
                place = buffer.unsignedShorts(COEFFICIENTS),
                scale = IntArray(COEFFICIENTS) { buffer.get().toInt() },
                stepSize = buffer.unsignedShorts(3 * STEPS),
                expected = buffer.unsignedShorts(BASES),
                probability = buffer.unsignedShorts(PROBABILITIES),
                reconstruction = IntArray(RECONSTRUCTIONS) { buffer.get().toInt() and 0xFF },
                basis = IntArray(BASIS) { buffer.short.toInt() },
                layers = LAYERS.map { (inputs, outputs) -> buffer.layer(inputs, outputs) },
            )
        }

        private fun ByteBuffer.unsignedShorts(count: Int) =
            IntArray(count) { short.toInt() and 0xFFFF }

        private fun ByteBuffer.layer(inputs: Int, outputs: Int): PreviewLayer {
            val shift = get().toInt()
            val bias = IntArray(outputs) { int + (1 shl shift shr 1) }
            return PreviewLayer(shift, bias, ByteArray(9 * inputs * outputs).also { get(it) })
        }
    }
}
