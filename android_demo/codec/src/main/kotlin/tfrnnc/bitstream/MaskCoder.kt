package tfrnnc.bitstream

/**
 * Codes where an iteration is taken: a bit for each location, whose probability is that of how many
 * of its neighbours to the left and above go on. The probabilities learn from the masks of one
 * stream.
 */
internal class MaskCoder {
    private val probabilities = IntArray(Format.MASK_CONTEXTS) { Format.EVEN }

    /** Codes the bit of a location; returns 0, 1 or [RangeDecoder.ENDED]. */
    internal fun interface BitCoder {
        /** @param probability 65536 times the chance of a 1. */
        fun code(location: Int, probability: Int): Int
    }

    /**
     * Codes a mask, location by location, row by row.
     *
     * @param before which locations took the iteration before; the others have no bit.
     * @param width of the grid.
     * @return which locations go on; null if the coder ended.
     */
    fun code(before: BooleanArray, width: Int, coder: BitCoder): BooleanArray? {
        val mask = BooleanArray(before.size)
        for (location in before.indices) {
            if (!before[location]) continue
            var context = 0
            if (location % width > 0 && mask[location - 1]) context++
            if (location >= width && mask[location - width]) context++
            val probability = probabilities[context]
            val bit = coder.code(location, probability)
            if (bit == RangeDecoder.ENDED) return null
            mask[location] = bit == 1
            probabilities[context] +=
                if (bit == 1) (CERTAIN - probability) shr Format.MASK_SHIFT
                else -(probability shr Format.MASK_SHIFT)
        }
        return mask
    }
}
