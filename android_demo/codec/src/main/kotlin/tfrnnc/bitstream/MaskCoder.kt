package tfrnnc.bitstream

/**
 * Codes where a step is taken: a bit for each location, whose probability is that of how many of
 * its neighbours to the left and above go on. The probabilities learn from the masks of one stream.
 */
internal class MaskCoder {
    private val probabilities = IntArray(3) { EVEN }

    /** Codes the bit of a location; returns 0, 1 or [RangeDecoder.ENDED]. */
    internal fun interface BitCoder {
        /** @param probability 65536 times the chance of a 1. */
        fun code(cell: Int, probability: Int): Int
    }

    /**
     * Codes a mask, location by location, row by row.
     *
     * @param before which locations took the step before; the others have no bit.
     * @param width of the grid.
     * @return which locations go on; null if the coder ended.
     */
    fun code(before: BooleanArray, width: Int, coder: BitCoder): BooleanArray? {
        val mask = BooleanArray(before.size)
        for (cell in before.indices) {
            if (!before[cell]) continue
            var context = 0
            if (cell % width > 0 && mask[cell - 1]) context++
            if (cell >= width && mask[cell - width]) context++
            val probability = probabilities[context]
            val bit = coder.code(cell, probability)
            if (bit == RangeDecoder.ENDED) return null
            mask[cell] = bit == 1
            probabilities[context] +=
                if (bit == 1) (65536 - probability) shr SHIFT else -(probability shr SHIFT)
        }
        return mask
    }

    private companion object {
        /** A probability goes this part of the way, 1 in 2^SHIFT, to what was seen. */
        const val SHIFT = 5
    }
}
