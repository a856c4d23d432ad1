package tfrnnc.codec

import tfrnnc.ConfigException
import tfrnnc.TruncatedStreamException
import tfrnnc.bitstream.Header
import tfrnnc.bitstream.Planes
import tfrnnc.bitstream.ReadOptions
import tfrnnc.bitstream.StreamSpec
import tfrnnc.bitstream.StreamWriter
import tfrnnc.bitstream.WorkLimits
import tfrnnc.bitstream.readPlanes

/** Called after each iteration with its number, counted from one, and the picture after it. */
typealias OnIteration = (iteration: Int, picture: Pixels) -> Unit

/**
 * The encoding of one image within limits.
 *
 * @param codec that encodes.
 * @param pixels the image.
 * @param header of the streams.
 * @param spec of the model.
 * @param headerless whether to leave out the header.
 * @param maxBytes null for no limit.
 */
internal class Encoding(
    private val codec: Codec,
    private val pixels: Pixels,
    private val header: Header,
    private val spec: StreamSpec,
    private val headerless: Boolean,
    private val maxBytes: Int?,
) {
    private val writer = StreamWriter(header, spec)
    private val loop = ResidualLoop(codec.runtime, pixels, header, keep = maxBytes != null)
    private val prefix = if (headerless) header.toBytes() else ByteArray(0)
    private var data = ByteArray(0)
    private var picture: Pixels? = null
    private var whole = 0
    private var over = false

    fun run(iterations: Int, onIteration: OnIteration): Codec.Encoded {
        while (whole < iterations && !over) {
            val (plane, after) = loop.iterate()
            writer.add(plane)
            val grown = if (headerless) writer.payload() else writer.whole()
            over = maxBytes != null && grown.size > maxBytes
            if (!over) {
                data = grown
                picture = after
                whole++
                onIteration(whole, after)
            }
        }
        if (headerless && picture != null) endWithinNextIteration()
        if (maxBytes != null && (over || data.size > maxBytes)) cutLastIteration(maxBytes)
        return Codec.Encoded(data, checkNotNull(picture))
    }

    /**
     * Cuts the payload out of that of a further iteration, whose bits the last byte's spare ones
     * are.
     */
    private fun endWithinNextIteration() {
        if (!over && whole < codec.runtime.iterations) writer.add(loop.iterate().first)
        val payload = writer.payload()
        data = payload.copyOf(writer.end(whole, payload))
    }

    /** Takes what fits of the last iteration, if the picture gains from it. */
    private fun cutLastIteration(maxBytes: Int) {
        val cut =
            if (headerless) writer.payload().let { it.copyOf(maxBytes.coerceIn(0, it.size)) }
            else writer.cut(maxBytes) ?: ByteArray(0)
        val planes = if (cut.isEmpty()) emptyList() else read(cut)?.planes.orEmpty()
        val needed = data.size > maxBytes
        if (planes.isNotEmpty() && (planes.size > whole || needed)) {
            val cutPicture =
                if (planes.size == writer.iterations) loop.lastPicture(planes.last())
                else codec.decode(header, planes)
            val before = picture
            if (before == null || needed || gains(before, cutPicture)) {
                data = cut
                picture = cutPicture
            }
        }
        if (picture == null || data.size > maxBytes) {
            throw ConfigException(
                "$maxBytes bytes are too few for ${pixels.width}x${pixels.height} pixels: " +
                    "the first iteration takes ${writer.whole().size}, of which a picture needs " +
                    "about an eighth and the header"
            )
        }
    }

    /** Whether the second picture is nearer to the image than the first. */
    private fun gains(before: Pixels, after: Pixels): Boolean =
        squaredError(pixels, after) < squaredError(pixels, before)

    /** The planes of a stream or payload; null if it is too short for any. */
    private fun read(bytes: ByteArray): Planes? =
        try {
            val options = ReadOptions(allowTruncated = true, limits = WorkLimits.NONE)
            readPlanes(prefix + bytes, spec, options)
        } catch (_: TruncatedStreamException) {
            null
        }
}
