package tfrnnc.codec

/**
 * A tensor (1, height, width, channels) of float32, zeros at first.
 *
 * @property values row by row, the channels of a location together.
 */
class FeatureMap(
    val height: Int,
    val width: Int,
    val channels: Int,
    val values: FloatArray =
        FloatArray(Math.multiplyExact(Math.multiplyExact(height, width), channels)),
) {
    /** Copies a rectangle that may stick out of either map; what is outside is left alone. */
    internal fun copyInto(
        target: FeatureMap,
        rows: IntRange,
        columns: IntRange,
        targetRow: Int,
        targetColumn: Int,
    ) {
        val first = maxOf(columns.first, 0)
        val count = minOf(columns.last + 1, width) - first
        for (row in rows) {
            if (row !in 0 until height || count <= 0) continue
            val from = (row * width + first) * channels
            val to =
                ((targetRow + row - rows.first) * target.width + targetColumn + first -
                    columns.first) * channels
            values.copyInto(target.values, to, from, from + count * channels)
        }
    }
}
