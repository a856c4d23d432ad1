package tfrnnc.bitstream

/** Bits of the probabilities; docs/FORMAT.md describes the coder. */
internal const val PROBABILITY_BITS = 16

/** The probability of a bit of which nothing is known. */
internal const val EVEN = 1 shl (PROBABILITY_BITS - 1)

internal const val RANGE_TOP = 1L shl 24
internal const val WORD = (1L shl 32) - 1

/** Writes bits, each with its probability. */
internal class RangeEncoder {
    private var low = 0L
    private var range = WORD
    private var out = ByteArray(256)
    private var size = 0

    /**
     * Appends a bit.
     *
     * @param bit whether it is 1.
     * @param probability 65536 times the chance that it is 1; from 1 to 65535.
     */
    fun encode(bit: Boolean, probability: Int) {
        val bound = (range ushr PROBABILITY_BITS) * probability
        if (bit) {
            range = bound
        } else {
            low += bound
            range -= bound
        }
        while (range < RANGE_TOP) {
            if (low > WORD) {
                carry(out, size)
                low = low and WORD
            }
            if (size == out.size) out = out.copyOf(2 * size)
            out[size++] = (low ushr 24).toByte()
            low = low shl 8 and WORD
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
            val unit = 1L shl (32 - 8 * count)
            value = (low + unit - 1) / unit * unit
            if (value + unit <= low + range) break
            count++
        }
        val whole = out.copyOf(size + count)
        if (value > WORD) carry(whole, size)
        for (i in 0 until count) whole[size + i] = (value ushr (24 - 8 * i)).toByte()
        return whole
    }

    private fun carry(bytes: ByteArray, end: Int) {
        var position = end - 1
        while (bytes[position] == 0xFF.toByte()) bytes[position--] = 0
        bytes[position]++
    }
}
