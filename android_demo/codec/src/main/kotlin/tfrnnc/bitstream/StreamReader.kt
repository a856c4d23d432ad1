package tfrnnc.bitstream

import tfrnnc.CorruptStreamException
import tfrnnc.TruncatedStreamException

/** Reads the planes of one stream, whose header and limits were checked. */
internal class StreamReader(
    private val data: ByteArray,
    offset: Int,
    private val header: Header,
    private val spec: StreamSpec,
    private val options: ReadOptions,
) {
    private val shape = spec.planeShape(header)
    private val checkedEnd = if (header.openEnd && header.checked) checkedEnd(offset) else data.size
    private val payload = Payload(data, offset, checkedEnd ?: data.size)
    private val endIsWrong = checkedEnd == null
    private val decoder =
        PlaneDecoder(
            payload,
            shape,
            spec.entropyModel.takeIf { header.entropyCoded },
            seed(header),
            header.adaptive,
            options.track,
        )
    private val tracked = mutableListOf<SettledPlane>()
    private var partial: SettledPlane? = null
    private var damage: String? = null

    /** Reads at most this many planes; see [readPlanes]. */
    fun read(wanted: Int): Planes {
        if (isWorthReading()) readUntilEnd(wanted)
        val whole = decoder.planes.size
        val planes = decoder.planes.toMutableList()
        partial?.let { if (isEnough(it.settled, it.size)) planes += it.plane }
        val mayEnd = header.openEnd && !endIsWrong && damage == null
        if (planes.isEmpty() || !(whole >= wanted || mayEnd || options.allowTruncated)) {
            throw incomplete(whole, isDecodable = planes.isNotEmpty())
        }
        requireEnd(whole)
        return Planes(header, planes, whole, decoder.ends, tracked)
    }

    /** Whether there are bytes enough for a plane, before memory is taken for one. */
    private fun isWorthReading(): Boolean {
        val mostBits = (8.0 * payload.size + 8 * Format.RANGE_BYTES) / Probabilities.minCost
        return mostBits >= shape.size / Format.PARTIAL_SHARE.toDouble()
    }

    private fun readUntilEnd(wanted: Int) {
        while (decoder.planes.size < wanted) {
            val iteration = decoder.planes.size + 1
            options.limits.require(header, spec.stride, iteration)
            when (val outcome = decoder.read()) {
                is PlaneOutcome.Whole -> tracked += outcome.read
                is PlaneOutcome.Partial -> {
                    tracked += outcome.read
                    partial = outcome.read
                    return
                }
                PlaneOutcome.Wrong -> {
                    damage = "iteration $iteration is wrong"
                    return
                }
                PlaneOutcome.End -> {
                    if (!header.openEnd) damage = "no location takes iteration $iteration"
                    return
                }
            }
        }
    }

    private fun incomplete(whole: Int, isDecodable: Boolean): Exception {
        val count = "$whole of ${header.iterations} iterations are whole"
        val partial = "decode what is there with allowTruncated = true"
        damage?.let {
            val remedy = if (isDecodable) partial else "get another"
            return CorruptStreamException("the stream is damaged: $it; $count; $remedy")
        }
        val what = if (endIsWrong) "cut or damaged" else "cut"
        val remedy = if (isDecodable) partial else "get more of it"
        return TruncatedStreamException(
            "the stream is $what after ${data.size} bytes, $count; $remedy",
            whole,
        )
    }

    /** Refuses bytes after the last plane of a stream that was read to its end. */
    private fun requireEnd(whole: Int) {
        val mayGoOn = header.openEnd || options.allowTruncated || whole < header.iterations
        if (!mayGoOn && decoder.ends.last() != payload.end) {
            throw CorruptStreamException(
                "the stream has ${payload.end - decoder.ends.last()} bytes after its end"
            )
        }
    }

    /** Where the payload ends before the checksum at an open end; null if that is wrong. */
    private fun checkedEnd(offset: Int): Int? {
        val count = checksumBytes(shape.size)
        val end = data.size - count
        if (end <= offset) return null
        val written = data.copyOfRange(end, data.size)
        return end.takeIf { endChecksum(data, end, count).contentEquals(written) }
    }
}
