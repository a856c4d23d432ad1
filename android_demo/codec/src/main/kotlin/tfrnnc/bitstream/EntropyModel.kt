package tfrnnc.bitstream

import tfrnnc.ModelException

/**
 * The learned model of the bit planes: how probable each bit is, from what was decoded before it.
 *
 * It computes with integers alone, so that every machine finds the same probabilities;
 * docs/FORMAT.md describes the network and its file, `entropy_model.bin`. Several threads may use
 * it at a time.
 *
 * @property modelId identity of the codec model whose bits these are.
 * @property entropyCodedId identity of the codec model and this one together, as entropy-coded streams
 *   carry it.
 * @property bits at each location, for each iteration.
 */
class EntropyModel
internal constructor(
    val modelId: ModelId,
    val entropyCodedId: ModelId,
    val bits: Int,
    private val models: List<IterationModel>,
) {
    /** How many iterations it knows. */
    val iterations: Int
        get() = models.size

    /** Codes the bits of one pass. */
    internal fun interface PassCoder {
        /**
         * @param locations counted row by row.
         * @param channels which bits of these locations.
         * @param probabilities 65536 times the chance that a bit is 1, location by location.
         * @return whether to go on.
         */
        fun code(locations: IntArray, channels: IntRange, probabilities: IntArray): Boolean
    }

    /**
     * Runs the passes of the iteration after some planes.
     *
     * @param previous the planes of the iterations before.
     * @param plane 0 where not known; the coder fills in the bits of its pass.
     * @param mask the locations that take the iteration; null for all.
     */
    internal fun passes(
        previous: List<BitPlane>,
        plane: BitPlane,
        mask: BooleanArray? = null,
        coder: PassCoder,
    ) {
        val shape = plane.shape
        val model = models[previous.size]
        val context = model.context(previous, shape)
        val known = BitPlane(shape, plane.values.copyOf())
        val parities =
            List(2) { parity ->
                val locations = locationsOf(shape, parity)
                if (mask == null) locations else locations.filter { mask[it] }.toIntArray()
            }
        var first = 0
        for (head in model.heads) {
            val end = first + head.channels
            for ((parity, locations) in parities.withIndex()) {
                val probabilities = head.probabilities(locations, parity, known, context)
                val goOn = coder.code(locations, first until end, probabilities)
                for (location in locations) {
                    val from = location * shape.bits + first
                    plane.values.copyInto(known.values, from, from, from + head.channels)
                }
                if (!goOn) return
            }
            first = end
        }
    }

    companion object {
        const val FILE_NAME = "entropy_model.bin"

        private fun locationsOf(shape: PlaneShape, parity: Int): IntArray =
            (0 until shape.locations)
                .filter { (it / shape.width + it % shape.width) % 2 == parity }
                .toIntArray()

        /**
         * Reads the content of `entropy_model.bin`.
         *
         * @throws ModelException if it is damaged, cut, or of an unknown version.
         */
        fun fromBytes(content: ByteArray): EntropyModel = EntropyModelFile(content).read()
    }
}
