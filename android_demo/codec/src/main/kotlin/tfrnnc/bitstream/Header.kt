package tfrnnc.bitstream

import java.util.zip.CRC32
import tfrnnc.CorruptStreamException
import tfrnnc.ForeignStreamException
import tfrnnc.StreamException
import tfrnnc.TruncatedStreamException
import tfrnnc.UnsupportedVersionException

/**
 * What a stream says of itself.
 *
 * @property modelId identity of the model; of the codec model and its entropy model together where
 *   the stream is entropy-coded.
 * @property width of the image in pixels.
 * @property height of the image in pixels.
 * @property iterations how many iterations follow; the last one, or more, may be cut if the end is
 *   open.
 * @property entropyCoded whether an entropy model gave the probabilities of the bits.
 * @property checked whether a checksum follows each iteration.
 * @property openEnd whether the payload may end anywhere.
 * @property adaptive whether each location takes its own number of iterations.
 */
data class Header(
    val modelId: ModelId,
    val width: Int,
    val height: Int,
    val iterations: Int,
    val entropyCoded: Boolean = false,
    val checked: Boolean = true,
    val openEnd: Boolean = false,
    val adaptive: Boolean = false,
) {
    /** The header as it stands in a stream. */
    fun toBytes(): ByteArray {
        val content = identity() + iterations.toByte()
        return content + crc32(content).toByte()
    }

    /** The part of the header that the checksums after the iterations cover. */
    internal fun identity(): ByteArray {
        var first = Format.VERSION
        if (entropyCoded) first = first or Format.ENTROPY_CODED
        if (checked) first = first or Format.CHECKED
        if (openEnd) first = first or Format.OPEN_END
        if (adaptive) first = first or Format.ADAPTIVE
        return MAGIC + first.toByte() + modelId.toBytes() + varint(width) + varint(height)
    }

    companion object {
        private val MAGIC = Format.MAGIC.toByteArray(Charsets.US_ASCII)

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
            if (data.isEmpty()) throw TruncatedStreamException("the stream is empty")
            if (MAGIC.indices.any { it < data.size && data[it] != MAGIC[it] }) {
                throw ForeignStreamException(
                    "not a tfrnnc stream: it does not begin with '${Format.MAGIC}'"
                )
            }
            val reader = FieldReader(data, minOf(MAGIC.size, data.size))
            val first = reader.byte()
            requireVersion(first and Format.VERSION_BITS)
            val modelId = ModelId(reader.take(ModelId.BYTES))
            val width = reader.varint()
            val height = reader.varint()
            val iterations = reader.byte()
            val checksum = reader.byte()
            if (crc32(data, reader.offset - 1).toInt() and 0xFF != checksum) {
                throw CorruptStreamException("the stream is damaged: its header is wrong")
            }
            val sides = 1..Format.MAX_SIDE.toLong()
            if (width !in sides || height !in sides || iterations == 0) {
                throw CorruptStreamException(
                    "the header makes no sense: ${width}x$height pixels, $iterations iterations"
                )
            }
            val header =
                Header(
                    modelId,
                    width.toInt(),
                    height.toInt(),
                    iterations,
                    first and Format.ENTROPY_CODED != 0,
                    first and Format.CHECKED != 0,
                    first and Format.OPEN_END != 0,
                    first and Format.ADAPTIVE != 0,
                )
            return header to reader.offset
        }

        private fun requireVersion(version: Int) {
            if (version != Format.VERSION) {
                throw UnsupportedVersionException(
                    "format version $version is not known to this release, which reads version " +
                        "${Format.VERSION}; a newer release may read it"
                )
            }
        }
    }
}

/** The crc32 of the first bytes of an array. */
internal fun crc32(data: ByteArray, length: Int = data.size): Long =
    CRC32().apply { update(data, 0, length) }.value
