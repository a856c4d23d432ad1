package tfrnnc.bitstream

import tfrnnc.CorruptStreamException

/**
 * Reads bits back.
 *
 * @param data what [RangeEncoder.finish] gave, or the first bytes of it.
 * @param start where it begins in the array.
 * @param end where it ends.
 * @throws CorruptStreamException if no encoder writes such bytes.
 */
internal class RangeDecoder(
    private val data: ByteArray,
    private val start: Int = 0,
    private val end: Int = data.size,
) {
    private var code = 0L
    private var range = Format.INITIAL_RANGE
    private var position = start

    init {
        repeat(Format.RANGE_BYTES) { code = code shl 8 or next() }
        // From here on the code stays below the range.
        if (code >= range) {
            throw CorruptStreamException("the stream is damaged: its payload begins with ff ff ff ff")
        }
    }

    /**
     * Reads a bit.
     *
     * @param probability as it was for the encoder, from 1 to 65535.
     * @return 0 or 1, or [ENDED] if the data ends before it settles the bit.
     */
    fun decode(probability: Int): Int {
        val bound = (range ushr Format.PROBABILITY_BITS) * probability
        val missing = position - end
        if (missing > 0) {
            // Whatever the missing bytes are, read as zeros so far, the bit must be the same.
            val most = if (missing >= Format.RANGE_BYTES) Long.MAX_VALUE else code + (1L shl 8 * missing)
            if (most > bound && (code < bound || most > range)) return ENDED
        }
        val bit: Int
        if (code < bound) {
            range = bound
            bit = 1
        } else {
            code -= bound
            range -= bound
            bit = 0
        }
        while (range < Format.RANGE_MIN) {
            code = code shl 8 or next()
            range = range shl 8
        }
        return bit
    }

    /** How many bytes from the start it takes to settle the bits read so far. */
    fun used(): Int = settledSize(data, position, code, range, end) - start

    private fun next(): Long {
        val byte = if (position < end) data[position].toLong() and 0xFF else 0L
        position++
        return byte
    }

    companion object {
        const val ENDED = -1
    }
}

/** How many bytes settle the bits that were read by a decoder with these numbers. */
internal fun settledSize(data: ByteArray, position: Int, code: Long, range: Long, end: Int): Int {
    for (spare in Format.RANGE_BYTES downTo 1) {
        val known = code - numberAt(data, position - spare, spare, end)
        if (known >= 0 && known + (1L shl 8 * spare) <= range) return position - spare
    }
    return position
}

/** The number that some bytes make, the highest first; those from the end on are zeros. */
internal fun numberAt(data: ByteArray, position: Int, count: Int, end: Int): Long {
    var number = 0L
    for (i in position until position + count) {
        number = number shl 8 or (if (i < end) data[i].toLong() and 0xFF else 0L)
    }
    return number
}
