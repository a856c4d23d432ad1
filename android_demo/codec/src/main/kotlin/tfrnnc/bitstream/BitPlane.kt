package tfrnnc.bitstream

/**
 * The bits of one iteration.
 *
 * @property shape of the plane.
 * @property values -1 and +1, and 0 for bits that are not known or are of locations that stopped;
 *   row by row, at each location bit by bit.
 */
class BitPlane(val shape: PlaneShape, val values: ByteArray = ByteArray(shape.size)) {
    init {
        require(values.size == shape.size) { "a plane of $shape has not ${values.size} values" }
    }

    /** The bits eight to a byte, the first one highest; 1 for +1, and 0 in what is left over. */
    fun pack(): ByteArray {
        val packed = ByteArray((values.size + 7) / 8)
        for (i in values.indices) {
            if (values[i] > 0) {
                packed[i shr 3] = (packed[i shr 3].toInt() or (0x80 shr (i and 7))).toByte()
            }
        }
        return packed
    }

    /** For each location whether it has bits that are known. */
    internal fun codedLocations() =
        BooleanArray(shape.locations) { location ->
            val first = location * shape.bits
            (first until first + shape.bits).any { values[it] != 0.toByte() }
        }

    override fun equals(other: Any?) =
        other is BitPlane && other.shape == shape && other.values.contentEquals(values)

    override fun hashCode() = 31 * shape.hashCode() + values.contentHashCode()
}
