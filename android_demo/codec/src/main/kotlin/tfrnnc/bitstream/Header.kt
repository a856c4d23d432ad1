package tfrnnc.bitstream

import java.util.zip.CRC32
import tfrnnc.CorruptStreamException
import tfrnnc.ForeignStreamException
import tfrnnc.StreamException
import tfrnnc.TooLargeException
import tfrnnc.TruncatedStreamException
import tfrnnc.UnsupportedVersionException

/**
 * What a stream says of itself.
 *
 * @property modelId identity of the model; of the codec model and its entropy model together where
 *   the stream is entropy-coded.
 * @property width of the image in pixels.
 * @property height of the image in pixels.
 * @property steps how many steps follow; the last one, or more, may be cut if the end is open.
 * @property entropyCoded whether an entropy model gave the probabilities of the bits.
 * @property checked whether a check follows each step.
 * @property openEnd whether the code may end anywhere.
 * @property dynamic whether each location takes its own number of steps.
 * @property version of the format.
 */
data class Header(
    val modelId: ModelId,
    val width: Int,
    val height: Int,
    val steps: Int,
    val entropyCoded: Boolean = false,
    val checked: Boolean = true,
    val openEnd: Boolean = false,
    val dynamic: Boolean = false,
    val version: Int = VERSION,
) {
    /** The header as it stands in a stream of the newest version. */
    fun toBytes(): ByteArray {
        val content = identity() + steps.toByte()
        return content + crc32(content).toByte()
    }

    /** The part of the header that the checks after the steps cover. */
    internal fun identity(): ByteArray {
        var first = VERSION
        if (entropyCoded) first = first or ENTROPY_CODED
        if (checked) first = first or CHECKED
        if (openEnd) first = first or OPEN_END
        if (dynamic) first = first or DYNAMIC
        return MAGIC + first.toByte() + modelId.toBytes() + varint(width) + varint(height)
    }

    /**
     * The grid of one step, for a model of this stride and so many bits.
     *
     * @throws TooLargeException if a plane of it does not fit in an array.
     */
    fun planeShape(stride: Int, bits: Int): PlaneShape {
        val shape = PlaneShape((height - 1) / stride + 1, (width - 1) / stride + 1, bits)
        if (shape.height.toLong() * shape.width > MAX_PLANE / bits) {
            throw TooLargeException(
                "the image has ${width}x$height pixels, more than this decoder can hold"
            )
        }
        return shape
    }

    companion object {
        const val VERSION = 2
        private val MAGIC = "RN".toByteArray(Charsets.US_ASCII)
        private const val ENTROPY_CODED = 0x10
        private const val CHECKED = 0x20
        private const val OPEN_END = 0x40
        private const val DYNAMIC = 0x80
        private const val MAX_PLANE = Int.MAX_VALUE - 64

        /**
         * Reads the header of a stream, whole or cut.
         *
         * @throws StreamException of one of these kinds: [ForeignStreamException] if this is no
         *   tfrnnc stream; [UnsupportedVersionException] if it is of an unknown version;
         *   [TruncatedStreamException] if it ends within the header; [CorruptStreamException] if
         *   the header is damaged.
         */
        fun read(data: ByteArray): Header = readWithLength(data).first

        /** The pair (header, its length in bytes); see [read]. */
        internal fun readWithLength(data: ByteArray): Pair<Header, Int> {
            if (Version1.recognises(data))
                return Version1.readHeader(data).let { (old, length) -> old.header to length }
            if (data.isEmpty()) throw TruncatedStreamException("the stream is empty")
            if (MAGIC.indices.any { it < data.size && data[it] != MAGIC[it] }) {
                throw ForeignStreamException("not a tfrnnc stream: it does not begin with 'RN'")
            }
            val reader = FieldReader(data, minOf(MAGIC.size, data.size))
            val first = reader.byte()
            val version = first and 0x0F
            if (version != VERSION) {
                throw UnsupportedVersionException(
                    "format version $version is not known to this release, which reads versions " +
                        "1 and $VERSION; a newer release may read it"
                )
            }
            val modelId = ModelId(reader.take(ModelId.BYTES))
            val width = reader.varint()
            val height = reader.varint()
            val steps = reader.byte()
            val check = reader.byte()
            if (crc32(data, reader.offset - 1).toInt() and 0xFF != check) {
                throw CorruptStreamException("the stream is damaged: its header is wrong")
            }
            if (width !in 1..Int.MAX_VALUE || height !in 1..Int.MAX_VALUE || steps == 0) {
                throw CorruptStreamException(
                    "the header makes no sense: ${width}x$height pixels, $steps steps"
                )
            }
            val header =
                Header(
                    modelId,
                    width.toInt(),
                    height.toInt(),
                    steps,
                    first and ENTROPY_CODED != 0,
                    first and CHECKED != 0,
                    first and OPEN_END != 0,
                    first and DYNAMIC != 0,
                )
            return header to reader.offset
        }
    }
}

/** The crc32 of the first bytes of an array. */
internal fun crc32(data: ByteArray, length: Int = data.size): Long =
    CRC32().apply { update(data, 0, length) }.value
