package tfrnnc.bitstream

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import kotlin.math.abs
import tfrnnc.ModelException

/** The content of `entropy_model.bin`; docs/FORMAT.md describes it. */
internal class EntropyModelFile(private val content: ByteArray) {
    private val end = content.size - CHECKSUM_BYTES

    /**
     * Reads the model.
     *
     * @throws ModelException if it is damaged, cut, or of an unknown version.
     */
    fun read(): EntropyModel {
        if (end < HEADER_BYTES || !content.copyOf(MAGIC.size).contentEquals(MAGIC)) {
            throw ModelException("not an entropy model; export the model again")
        }
        if (crc32(content, end).toInt() != littleEndian(end, content.size).int) {
            throw ModelException("the entropy model is damaged or cut; export the model again")
        }
        val buffer = littleEndian(MAGIC.size, end)
        val version = buffer.byte()
        if (version != Format.ENTROPY_MODEL_VERSION) {
            throw ModelException(
                "the entropy model is of version $version, not ${Format.ENTROPY_MODEL_VERSION}; export " +
                    "the model again"
            )
        }
        val modelId = ModelId(ByteArray(ModelId.BYTES).also { buffer.get(it) })
        val sizes = buffer.sizes()
        val models = List(sizes.iterations) { buffer.iterationModel(it, sizes) }
        if (buffer.hasRemaining()) throw damaged()
        val digest = MessageDigest.getInstance("SHA-256").digest(content)
        return EntropyModel(modelId, ModelId(digest.copyOf(ModelId.BYTES)), sizes.bits, models)
    }

    private fun littleEndian(from: Int, until: Int): ByteBuffer =
        ByteBuffer.wrap(content, from, until - from).order(ByteOrder.LITTLE_ENDIAN)

    /** Of the networks; `hidden` channels of context, `width` of each head. */
    private class Sizes(
        val iterations: Int,
        val bits: Int,
        groups: Int,
        val hidden: Int,
        val width: Int,
    ) {
        val edges = List(groups + 1) { bits * it / groups }
    }

    private fun ByteBuffer.sizes(): Sizes {
        val (iterations, bits, groups) = List(3) { byte() }
        val (hidden, width) = List(2) { short.toInt() and 0xFFFF }
        if (iterations == 0 || groups !in 1..bits || width == 0) throw damaged()
        return Sizes(iterations, bits, groups, hidden, width)
    }

    private fun ByteBuffer.iterationModel(iteration: Int, sizes: Sizes): IterationModel {
        val (hidden, width) = sizes.hidden to sizes.width
        val places = IterationModel.PLACES
        val rows =
            if (iteration > 0) listOf(places * iteration * sizes.bits, places * hidden)
            else emptyList()
        val layers = rows.map { IterationModel.Layer(int8(it, hidden), int32(hidden)) }
        for (layer in layers) requireExact(iteration, layer.kernel, layer.bias)
        val heads =
            sizes.edges.zipWithNext { first, end ->
                val context = int8(if (iteration > 0) hidden else 0, width)
                val plane = int8(places * end, width)
                val bias = int32(2 * width)
                val output = int8(width, end - first)
                val outputBias = int32(end - first)
                for (parity in 0..1) {
                    val half = bias.copyOfRange(parity * width, (parity + 1) * width)
                    requireExact(iteration, context + plane, half)
                }
                requireExact(iteration, output, outputBias)
                IterationModel.Head(end - first, context, plane, bias, output, outputBias)
            }
        return IterationModel(layers, heads)
    }

    /** Refuses weights with which a sum could be too large for a client to hold exactly. */
    private fun requireExact(iteration: Int, kernel: IntArray, bias: IntArray) {
        val sums = LongArray(bias.size) { abs(bias[it].toLong()) }
        for (i in kernel.indices) {
            sums[i % bias.size] += Format.ACTIVATION_MAX * abs(kernel[i]).toLong()
        }
        if (sums.any { it >= Format.EXACT }) {
            throw ModelException(
                "the weights of iteration ${iteration + 1} are too large to be summed exactly; " +
                    "train the entropy model again"
            )
        }
    }

    private fun ByteBuffer.byte() = get().toInt() and 0xFF

    private fun ByteBuffer.int8(rows: Int, columns: Int): IntArray {
        if (remaining() < rows.toLong() * columns) throw damaged()
        return IntArray(rows * columns) { get().toInt() }
    }

    private fun ByteBuffer.int32(count: Int): IntArray {
        if (remaining() < 4L * count) throw damaged()
        return IntArray(count) { int }
    }

    private fun damaged() = ModelException("the entropy model is damaged; export the model again")

    private companion object {
        val MAGIC = Format.ENTROPY_MODEL_MAGIC.toByteArray(Charsets.US_ASCII)
        const val CHECKSUM_BYTES = 4

        /** The magic, version, identity, three counts of a byte, and two of two bytes. */
        const val HEADER_BYTES = 16
    }
}
