package tfrnnc.bitstream

/**
 * What an encoder is at some point: its output so far is a number from [low] up.
 *
 * @property size bytes that have gone out.
 * @property low what comes after them, at least; above 32 bits if it carries into them.
 * @property range how much more it may be, this number excluded.
 */
internal class CoderState(private val size: Int, private val low: Long, private val range: Long) {
    /**
     * How many bytes of the encoder's output it takes to settle all bits up to this point.
     *
     * @param data the output after this point or a later one.
     */
    fun endIn(data: ByteArray): Int {
        val code = numberAt(data, size, Format.RANGE_BYTES, data.size) - low and Format.INITIAL_RANGE
        return settledSize(data, size + Format.RANGE_BYTES, code, range, data.size)
    }
}

/** Writes bits, each with its probability; docs/FORMAT.md describes the coder. */
internal class RangeEncoder {
    private var low = 0L
    private var range = Format.INITIAL_RANGE
    private var out = ByteArray(256)
    private var size = 0

    /** What the encoder is now. */
    val state: CoderState
        get() = CoderState(size, low, range)

    /**
     * Appends a bit.
     *
     * @param bit whether it is 1.
     * @param probability 65536 times the chance that it is 1, from 1 to 65535.
     */
    fun encode(bit: Boolean, probability: Int) {
        val bound = (range ushr Format.PROBABILITY_BITS) * probability
        if (bit) {
            range = bound
        } else {
            low += bound
            range -= bound
        }
        while (range < Format.RANGE_MIN) {
            if (low > Format.INITIAL_RANGE) {
                carry(out, size)
                low = low and Format.INITIAL_RANGE
            }
            if (size == out.size) out = out.copyOf(2 * size)
            out[size++] = (low ushr TOP_BYTE).toByte()
            low = low shl 8 and Format.INITIAL_RANGE
            range = range shl 8
        }
    }

    /**
     * The bytes so far and the fewest that settle every bit, whatever may follow them. The encoder
     * stays as it is, so that more bits can be appended.
     */
    fun finish(): ByteArray {
        var count = 0
        var value: Long
        while (true) {
            val unit = 1L shl (8 * (Format.RANGE_BYTES - count))
            value = (low + unit - 1) / unit * unit
            if (value + unit <= low + range) break
            count++
        }
        val whole = out.copyOf(size + count)
        if (value > Format.INITIAL_RANGE) carry(whole, size)
        for (i in 0 until count) whole[size + i] = (value ushr (TOP_BYTE - 8 * i)).toByte()
        return whole
    }

    private fun carry(bytes: ByteArray, end: Int) {
        var position = end - 1
        while (bytes[position] == 0xFF.toByte()) bytes[position--] = 0
        bytes[position]++
    }

    private companion object {
        /** Place of the first byte in a register. */
        const val TOP_BYTE = 8 * (Format.RANGE_BYTES - 1)
    }
}
