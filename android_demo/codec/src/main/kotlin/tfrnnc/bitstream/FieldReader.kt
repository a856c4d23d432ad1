package tfrnnc.bitstream

import java.io.ByteArrayOutputStream
import tfrnnc.CorruptStreamException
import tfrnnc.TruncatedStreamException

/** Takes fields from the front of a header. */
internal class FieldReader(private val data: ByteArray, offset: Int) {
    var offset = offset
        private set

    /**
     * The next bytes.
     *
     * @throws TruncatedStreamException if there are not as many.
     */
    fun take(count: Int): ByteArray {
        if (data.size - offset < count) {
            throw TruncatedStreamException(
                "the stream is cut within its header, after ${data.size} bytes; get the rest"
            )
        }
        offset += count
        return data.copyOfRange(offset - count, offset)
    }

    /** The next byte, from 0 to 255. */
    fun byte(): Int = take(1)[0].toInt() and 0xFF

    /**
     * The next number, as [varint] writes it.
     *
     * @throws CorruptStreamException if it takes more than five bytes, or more than it needs.
     */
    fun varint(): Long {
        var value = 0L
        for (shift in 0 until 35 step 7) {
            val byte = byte()
            value = value or ((byte and 0x7F).toLong() shl shift)
            if (byte < 0x80) {
                if (byte == 0 && shift > 0) {
                    throw CorruptStreamException("the header is damaged: a number has idle bytes")
                }
                return value
            }
        }
        throw CorruptStreamException("the header is damaged: a number is too long")
    }
}

/** A number, seven bits to a byte, the least significant first; the last byte is below 128. */
internal fun varint(value: Int): ByteArray {
    val encoded = ByteArrayOutputStream()
    var rest = value
    while (rest >= 0x80) {
        encoded.write(rest and 0x7F or 0x80)
        rest = rest ushr 7
    }
    encoded.write(rest)
    return encoded.toByteArray()
}
