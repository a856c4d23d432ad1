package tfrnnc.bitstream

import java.util.zip.CRC32
import tfrnnc.ConfigException
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
 * @property width of the picture that is shown, in pixels.
 * @property height of the picture that is shown, in pixels.
 * @property iterations how many iterations follow; the last one, or more, may be cut if the end is
 *   open.
 * @property entropyCoded whether an entropy model gave the probabilities of the bits.
 * @property checked whether a checksum follows each iteration.
 * @property openEnd whether the payload may end anywhere.
 * @property adaptive whether each location takes its own number of iterations.
 * @property downscale 2 if the planes are those of the image at half its width and height, whose
 *   picture is enlarged after decoding; else 1.
 * @throws ConfigException if [downscale] is neither.
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
    val downscale: Int = 1,
) {
    init {
        if (downscale != 1 && downscale != Format.DOWNSCALE) {
            throw ConfigException("downscale must be 1 or ${Format.DOWNSCALE}, not $downscale")
        }
    }

    /** Width in pixels of the image that the planes are of, before padding. */
    val codedWidth: Int
        get() = (width - 1) / downscale + 1

    /** Height in pixels of the image that the planes are of, before padding. */
    val codedHeight: Int
        get() = (height - 1) / downscale + 1

    /** The header as it stands in a stream. */
    fun toBytes(): ByteArray {
        val content = identity() + iterations.toByte()
        return content + crc32(content).toByte()
    }

    /** The part of the header that the checksums after the iterations cover. */
    internal fun identity(): ByteArray {
        var first = if (downscale == 1) Format.VERSION else Format.DOWNSCALE_VERSION
        if (entropyCoded) first = first or Format.ENTROPY_CODED
        if (checked) first = first or Format.CHECKED
        if (openEnd) first = first or Format.OPEN_END
        if (adaptive) first = first or Format.ADAPTIVE
        val sides = varint(width) + varint(height)
        val scale = if (downscale == 1) ByteArray(0) else byteArrayOf(downscale.toByte())
        return MAGIC + first.toByte() + modelId.toBytes() + sides + scale
    }

    companion object {
        private val MAGIC = Format.MAGIC.toByteArray(Charsets.US_ASCII)

        /**
         * Reads the header of a stream, whole or cut.
         *
         * @throws StreamException of one of these kinds: [ForeignStreamException] if this is no
         *   tfrnnc stream; [UnsupportedVersionException] if it is of an unknown version or
         *   downscale; [TruncatedStreamException] if it ends within the header;
         *   [CorruptStreamException] if the header is damaged.
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
            val version = first and Format.VERSION_BITS
            requireVersion(version)
            val modelId = ModelId(reader.take(ModelId.BYTES))
            val width = reader.varint()
            val height = reader.varint()
            val downscale = if (version == Format.DOWNSCALE_VERSION) reader.byte() else 1
            val iterations = reader.byte()
            val checksum = reader.byte()
            if (crc32(data, reader.offset - 1).toInt() and 0xFF != checksum) {
                throw CorruptStreamException("the stream is damaged: its header is wrong")
            }
            requireDownscale(version, downscale)
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
                    downscale,
                )
            return header to reader.offset
        }

        private fun requireVersion(version: Int) {
            if (version != Format.VERSION && version != Format.DOWNSCALE_VERSION) {
                throw UnsupportedVersionException(
                    "format version $version is not known to this release, which reads versions " +
                        "${Format.VERSION} and ${Format.DOWNSCALE_VERSION}; a newer release may " +
                        "read it"
                )
            }
        }

        private fun requireDownscale(version: Int, downscale: Int) {
            if (version == Format.DOWNSCALE_VERSION && downscale != Format.DOWNSCALE) {
                throw UnsupportedVersionException(
                    "a downscale of $downscale is not known to this release, which reads only that " +
                        "of ${Format.DOWNSCALE}; a newer release may read it"
                )
            }
        }
    }
}

/** The crc32 of the first bytes of an array. */
internal fun crc32(data: ByteArray, length: Int = data.size): Long =
    CRC32().apply { update(data, 0, length) }.value
