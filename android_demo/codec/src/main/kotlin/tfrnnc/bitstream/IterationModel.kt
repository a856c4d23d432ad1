package tfrnnc.bitstream

/** The network of one iteration; all in integers. */
internal class IterationModel(private val layers: List<Layer>, val heads: List<Head>) {
    /** The context of every location, a vector of activations; null in the first iteration. */
    fun context(previous: List<BitPlane>, shape: PlaneShape): Activations? {
        if (layers.isEmpty()) return null
        val (first, second) = layers
        val channels = previous.size * shape.bits
        val kernels = previous.indices.map { BitKernel(first.kernel, channels, it * shape.bits) }
        val inner =
            first.activations(shape) { sums, location ->
                for ((plane, kernel) in previous.zip(kernels)) {
                    addBits(sums, plane, location, shape.bits, kernel)
                }
            }
        return second.activations(shape) { sums, location ->
            forNeighbours(location, shape) { neighbour, place ->
                inner.addTo(sums, neighbour, second.kernel, place * inner.channels)
            }
        }
    }

    /** A 3x3 layer: kernel (9 * channels, hidden) and bias (hidden). */
    class Layer(val kernel: IntArray, val bias: IntArray) {
        /** Its outputs; `add` adds what comes in at a location. */
        inline fun activations(
            shape: PlaneShape,
            add: (sums: IntArray, location: Int) -> Unit,
        ): Activations {
            val outputs = Activations(shape.locations, bias.size)
            val sums = IntArray(bias.size)
            for (location in 0 until shape.locations) {
                bias.copyInto(sums)
                add(sums, location)
                outputs.put(location, sums)
            }
            return outputs
        }
    }

    /** What predicts a group of bits, in one iteration; the arrays as in the file. */
    class Head(
        val channels: Int,
        val context: IntArray,
        plane: IntArray,
        private val bias: IntArray,
        private val output: IntArray,
        private val outputBias: IntArray,
    ) {
        private val width = bias.size / 2
        // It sees the bits up to the last of its own group.
        private val seen = plane.size / (PLACES * width)
        private val kernel = BitKernel(plane, seen, 0)

        /**
         * The probabilities of the group's bits.
         *
         * @param locations all even, or all odd, on the checkerboard.
         * @param parity 0 for even ones, 1 for odd ones.
         * @param known the bits that were coded.
         */
        fun probabilities(
            locations: IntArray,
            parity: Int,
            known: BitPlane,
            features: Activations?,
        ): IntArray {
            val probabilities = IntArray(locations.size * channels)
            val sums = IntArray(width)
            for ((i, location) in locations.withIndex()) {
                bias.copyInto(sums, 0, parity * width, (parity + 1) * width)
                features?.addTo(sums, location, context, 0)
                addBits(sums, known, location, seen, kernel)
                put(sums, probabilities, i * channels)
            }
            return probabilities
        }

        private fun put(sums: IntArray, target: IntArray, offset: Int) {
            for (channel in 0 until channels) {
                var sum = outputBias[channel]
                for (j in sums.indices) sum += activated(sums[j]) * output[j * channels + channel]
                target[offset + channel] = Probabilities.forLogit(sum shr WEIGHT_SHIFT)
            }
        }
    }

    /** Activations from 0 to 255, the channels of a location together. */
    class Activations(locations: Int, val channels: Int) {
        private val values = ByteArray(Math.multiplyExact(locations, channels))

        fun put(location: Int, sums: IntArray) {
            val first = location * channels
            for (j in sums.indices) values[first + j] = activated(sums[j]).toByte()
        }

        /** Adds a location's activations times the rows of a kernel from `firstRow` on. */
        fun addTo(sums: IntArray, location: Int, kernel: IntArray, firstRow: Int) {
            val count = sums.size
            for (channel in 0 until channels) {
                val value = values[location * channels + channel].toInt() and 0xFF
                if (value != 0) {
                    val row = (firstRow + channel) * count
                    for (j in 0 until count) sums[j] += value * kernel[row + j]
                }
            }
        }
    }

    /** Rows of a 3x3 kernel: `rows` for each place, those of a plane from `first` on. */
    private class BitKernel(val weights: IntArray, val rows: Int, val first: Int)

    companion object {
        /** The places of a 3x3 kernel. */
        const val PLACES = 9
        private val WEIGHT_SHIFT = Integer.numberOfTrailingZeros(Format.WEIGHT_SCALE)

        private fun activated(sum: Int): Int =
            (sum shr WEIGHT_SHIFT).coerceIn(0, Format.ACTIVATION_MAX)

        /** Adds the first bits of the locations around one, times their rows of a kernel. */
        private fun addBits(
            sums: IntArray,
            plane: BitPlane,
            location: Int,
            channels: Int,
            kernel: BitKernel,
        ) {
            val count = sums.size
            val shape = plane.shape
            forNeighbours(location, shape) { neighbour, place ->
                val firstRow = place * kernel.rows + kernel.first
                for (channel in 0 until channels) {
                    val bit = plane.values[neighbour * shape.bits + channel]
                    val scale = Format.ACTIVATION_SCALE * bit
                    if (scale != 0) {
                        val row = (firstRow + channel) * count
                        for (j in 0 until count) sums[j] += scale * kernel.weights[row + j]
                    }
                }
            }
        }

        private inline fun forNeighbours(
            location: Int,
            shape: PlaneShape,
            action: (neighbour: Int, place: Int) -> Unit,
        ) {
            val row = location / shape.width
            val column = location % shape.width
            for (down in -1..1) {
                if (row + down !in 0 until shape.height) continue
                for (right in -1..1) {
                    if (column + right !in 0 until shape.width) continue
                    action(location + down * shape.width + right, 3 * down + right + 4)
                }
            }
        }
    }
}
