package tfrnnc.bitstream

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import kotlin.math.abs
import tfrnnc.ModelException

/**
 * The learned model of the bit planes: how probable each bit is, from what was decoded before it.
 *
 * It computes with integers alone, so that every machine finds the same probabilities;
 * docs/FORMAT.md describes the network and its file, `entropy_model.bin`.
 *
 * @property codecId identity of the codec model whose bits these are.
 * @property streamId identity of the codec model and this one together, as entropy-coded streams
 *   carry it.
 * @property bits at each location, for each step.
 */
class EntropyModel
private constructor(
    val codecId: ModelId,
    val streamId: ModelId,
    val bits: Int,
    private val hidden: Int,
    private val width: Int,
    private val networks: List<StepNetwork>,
) {
    /** How many steps it knows. */
    val steps: Int
        get() = networks.size

    /** Codes the bits of one pass. */
    internal fun interface PassCoder {
        /**
         * @param cells locations, counted row by row.
         * @param channels which bits of these locations.
         * @param probabilities 65536 times the chance that a bit is 1, cell by cell.
         * @return whether to go on.
         */
        fun code(cells: IntArray, channels: IntRange, probabilities: IntArray): Boolean
    }

    /**
     * Runs the passes of the step after some planes.
     *
     * @param previous the planes of the steps before.
     * @param plane 0 where not known; the coder fills in the bits of its pass.
     * @param mask the locations that take the step; null for all.
     */
    internal fun passes(
        previous: List<BitPlane>,
        plane: BitPlane,
        mask: BooleanArray? = null,
        coder: PassCoder,
    ) {
        val shape = plane.shape
        val network = networks[previous.size]
        val context = context(network, previous, shape)
        val known = plane.values.copyOf()
        val parities =
            List(2) { parity ->
                val cells = cellsOf(shape, parity)
                if (mask == null) cells else cells.filter { mask[it] }.toIntArray()
            }
        val sums = IntArray(width)
        var first = 0
        for (head in network.heads) {
            val end = first + head.channels
            for ((parity, cells) in parities.withIndex()) {
                val probabilities = IntArray(cells.size * head.channels)
                for ((i, cell) in cells.withIndex()) {
                    head.bias.copyInto(sums, 0, parity * width, (parity + 1) * width)
                    if (context != null) {
                        addActivations(sums, context, cell * hidden, hidden, head.context, 0)
                    }
                    addBits(sums, known, cell, shape, 0, end, shape.bits, head.plane, end, 0)
                    head.probabilities(sums, probabilities, i * head.channels)
                }
                val goOn = coder.code(cells, first until end, probabilities)
                for (cell in cells) {
                    val from = cell * shape.bits + first
                    plane.values.copyInto(known, from, from, from + head.channels)
                }
                if (!goOn) return
            }
            first = end
        }
    }

    /** The context of every location, `hidden` activations each; null in the first step. */
    private fun context(
        network: StepNetwork,
        previous: List<BitPlane>,
        shape: PlaneShape,
    ): ByteArray? {
        if (network.context.isEmpty()) return null
        val channels = previous.size * shape.bits
        var layer = network.context[0]
        val first = ByteArray(shape.locations * hidden)
        val sums = IntArray(hidden)
        for (cell in 0 until shape.locations) {
            layer.bias.copyInto(sums)
            for ((step, plane) in previous.withIndex()) {
                val offset = step * shape.bits
                addBits(
                    sums,
                    plane.values,
                    cell,
                    shape,
                    0,
                    shape.bits,
                    shape.bits,
                    layer.kernel,
                    channels,
                    offset,
                )
            }
            activate(sums, first, cell * hidden)
        }
        layer = network.context[1]
        val second = ByteArray(first.size)
        for (cell in 0 until shape.locations) {
            layer.bias.copyInto(sums)
            forNeighbours(cell, shape) { neighbour, place ->
                addActivations(
                    sums,
                    first,
                    neighbour * hidden,
                    hidden,
                    layer.kernel,
                    place * hidden,
                )
            }
            activate(sums, second, cell * hidden)
        }
        return second
    }

    /** Adds the bits around a cell, each +-64, times their rows of a kernel of `rows` a place. */
    private fun addBits(
        sums: IntArray,
        values: ByteArray,
        cell: Int,
        shape: PlaneShape,
        from: Int,
        until: Int,
        stride: Int,
        kernel: IntArray,
        rows: Int,
        firstRow: Int,
    ) {
        val count = sums.size
        forNeighbours(cell, shape) { neighbour, place ->
            for (channel in from until until) {
                val scale = ACTIVATION_SCALE * values[neighbour * stride + channel]
                if (scale != 0) {
                    val row = (place * rows + firstRow + channel) * count
                    for (j in 0 until count) sums[j] += scale * kernel[row + j]
                }
            }
        }
    }

    private fun addActivations(
        sums: IntArray,
        values: ByteArray,
        from: Int,
        channels: Int,
        kernel: IntArray,
        firstRow: Int,
    ) {
        val count = sums.size
        for (channel in 0 until channels) {
            val value = values[from + channel].toInt() and 0xFF
            if (value != 0) {
                val row = (firstRow + channel) * count
                for (j in 0 until count) sums[j] += value * kernel[row + j]
            }
        }
    }

    private fun activate(sums: IntArray, target: ByteArray, offset: Int) {
        for (j in sums.indices) target[offset + j] = clamped(sums[j]).toByte()
    }

    /** A 3x3 layer: kernel (9 * channels, hidden) and bias (hidden). */
    private class Layer(val kernel: IntArray, val bias: IntArray)

    /** What predicts a group of bits, in one step; the arrays as in the file. */
    private class Head(
        val channels: Int,
        val context: IntArray,
        val plane: IntArray,
        val bias: IntArray,
        val output: IntArray,
        val outputBias: IntArray,
    ) {
        fun probabilities(sums: IntArray, target: IntArray, offset: Int) {
            for (channel in 0 until channels) {
                var sum = outputBias[channel]
                for (j in sums.indices) sum += clamped(sums[j]) * output[j * channels + channel]
                val logit = (sum shr WEIGHT_SHIFT).coerceIn(-128, 127)
                target[offset + channel] = Probabilities.ofLogits[logit + 128]
            }
        }
    }

    private class StepNetwork(val context: List<Layer>, val heads: List<Head>)

    companion object {
        const val FILE_NAME = "entropy_model.bin"
        private val MAGIC = "RNNE".toByteArray(Charsets.US_ASCII)
        private const val VERSION = 1
        private const val HEADER_BYTES = 16
        private const val ACTIVATION_SCALE = 64
        private const val ACTIVATION_MAX = 255
        private const val WEIGHT_SHIFT = 7
        private const val EXACT = 1L shl 24

        private fun clamped(sum: Int): Int = (sum shr WEIGHT_SHIFT).coerceIn(0, ACTIVATION_MAX)

        private fun cellsOf(shape: PlaneShape, parity: Int): IntArray =
            (0 until shape.locations)
                .filter { (it / shape.width + it % shape.width) % 2 == parity }
                .toIntArray()

        private inline fun forNeighbours(
            cell: Int,
            shape: PlaneShape,
            action: (neighbour: Int, place: Int) -> Unit,
        ) {
            val row = cell / shape.width
            val column = cell % shape.width
            for (down in -1..1) {
                if (row + down !in 0 until shape.height) continue
                for (right in -1..1) {
                    if (column + right !in 0 until shape.width) continue
                    action(cell + down * shape.width + right, 3 * down + right + 4)
                }
            }
        }

        /**
         * Reads the content of `entropy_model.bin`.
         *
         * @throws ModelException if it is damaged, cut, or of an unknown version.
         */
        fun fromBytes(content: ByteArray): EntropyModel {
            val end = content.size - 4
            if (end < HEADER_BYTES || !content.copyOf(MAGIC.size).contentEquals(MAGIC)) {
                throw ModelException("not an entropy model")
            }
            fun littleEndian(from: Int, until: Int) =
                ByteBuffer.wrap(content, from, until - from).order(ByteOrder.LITTLE_ENDIAN)
            if (crc32(content, end).toInt() != littleEndian(end, content.size).int) {
                throw ModelException("the entropy model is damaged or cut; export the model again")
            }
            val buffer = littleEndian(MAGIC.size, end)
            val version = buffer.byte()
            if (version != VERSION) {
                throw ModelException("the entropy model is of version $version, not $VERSION")
            }
            val codecId = ModelId(ByteArray(ModelId.BYTES).also { buffer.get(it) })
            val (steps, bits, groups) = List(3) { buffer.byte() }
            val (hidden, width) = List(2) { buffer.short.toInt() and 0xFFFF }
            if (steps == 0 || groups !in 1..bits || width == 0) throw damaged()
            val edges = List(groups + 1) { bits * it / groups }
            val networks = List(steps) { buffer.network(it, bits, edges, hidden, width) }
            if (buffer.hasRemaining()) throw damaged()
            val digest = MessageDigest.getInstance("SHA-256").digest(content)
            val streamId = ModelId(digest.copyOf(ModelId.BYTES))
            return EntropyModel(codecId, streamId, bits, hidden, width, networks)
        }

        private fun ByteBuffer.network(
            step: Int,
            bits: Int,
            edges: List<Int>,
            hidden: Int,
            width: Int,
        ): StepNetwork {
            val rows = if (step > 0) listOf(9 * step * bits, 9 * hidden) else emptyList()
            val context = rows.map { Layer(int8(it, hidden), int32(hidden)) }
            val heads =
                edges.zipWithNext { first, end ->
                    Head(
                        end - first,
                        int8(if (step > 0) hidden else 0, width),
                        int8(9 * end, width),
                        int32(2 * width),
                        int8(width, end - first),
                        int32(end - first),
                    )
                }
            for (layer in context) requireExact(step, layer.kernel, layer.bias)
            for (head in heads) {
                val kernel = head.context + head.plane
                requireExact(step, kernel, head.bias.copyOf(width))
                requireExact(step, kernel, head.bias.copyOfRange(width, 2 * width))
                requireExact(step, head.output, head.outputBias)
            }
            return StepNetwork(context, heads)
        }

        /** Refuses weights with which a sum could reach 2^24, which not every client holds. */
        private fun requireExact(step: Int, kernel: IntArray, bias: IntArray) {
            val sums = LongArray(bias.size) { abs(bias[it].toLong()) }
            for (i in kernel.indices) sums[i % bias.size] +=
                ACTIVATION_MAX * abs(kernel[i]).toLong()
            if (sums.any { it >= EXACT }) {
                throw ModelException(
                    "the weights of step ${step + 1} are too large to be summed exactly"
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

        private fun damaged() = ModelException("the entropy model is damaged")
    }
}
