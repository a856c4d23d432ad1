package tfrnnc.preview

/** The inverse DCT in whole numbers; docs/PREVIEW.md describes it. */
internal object InverseDct {
    private const val LOW = PreviewCoefficients.LOW
    private const val SIDE = PreviewDecoder.SIDE
    private const val COLUMN_LIMIT = 8191

    /**
     * Coefficients to the differences from the average colour.
     *
     * @param values (row, column, channel) of 16x16 frequencies.
     * @param basis (frequency, place).
     * @return (row, column, channel) of 32x32 pixels, in Y, Cb and Cr.
     */
    fun of(values: IntArray, basis: IntArray): IntArray {
        val columns = multiply(values, basis, 3 * LOW, 1)
        for (i in columns.indices) {
            columns[i] = (columns[i] + 32 shr 6).coerceIn(-COLUMN_LIMIT, COLUMN_LIMIT)
        }
        val pixels = multiply(columns, basis, 3, SIDE)
        for (i in pixels.indices) pixels[i] = pixels[i] + 2048 shr 12
        return pixels
    }

    /** Sums over 16 frequencies, [across] numbers side by side in each, for [count] such arrays. */
    private fun multiply(input: IntArray, basis: IntArray, across: Int, count: Int): IntArray {
        val output = IntArray(count * SIDE * across)
        for ((i, value) in input.withIndex()) {
            if (value == 0) continue
            val frequency = i / across % LOW
            val start = i / across / LOW * SIDE * across + i % across
            for (place in 0 until SIDE) {
                output[start + place * across] += value * basis[frequency * SIDE + place]
            }
        }
        return output
    }
}
