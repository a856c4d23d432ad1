package tfrnnc.bitstream

import tfrnnc.ConfigException
import tfrnnc.CorruptStreamException
import tfrnnc.StreamException
import tfrnnc.TooLargeException
import tfrnnc.TruncatedStreamException
import tfrnnc.WrongModelException

/**
 * The bit planes of a stream.
 *
 * @property header of the stream.
 * @property planes one for each iteration; the last one has zeros for bits that the stream ends
 *   before, and in adaptive streams all have for locations that stopped.
 * @property wholeIterations how many of the planes are whole.
 * @property ends for each whole iteration, how many bytes of the stream it takes to have it.
 */
class Planes
internal constructor(
    val header: Header,
    val planes: List<BitPlane>,
    val wholeIterations: Int,
    val ends: List<Int>,
    private val tracked: List<SettledPlane>,
) {
    /** The fewest bytes of the stream from which [cut] gives a plane. */
    val minBytes: Int by lazy {
        val needs = tracked.firstOrNull()?.needs
        needs?.let { it.sortedArray()[(it.size - 1) / Format.PARTIAL_SHARE] } ?: ends.first()
    }

    /**
     * What of the planes the first bytes of the stream settle: the same as reading these bytes
     * alone, truncation allowed, without decoding again.
     *
     * @param bytes how many.
     * @return the planes, the last one maybe with zeros; none if not an eighth of the first
     *   iteration is there. Only whole planes where the stream was read without `track`.
     */
    fun cut(bytes: Int): List<BitPlane> {
        val whole = ends.count { it <= bytes }
        val prefix = planes.take(whole)
        val next = tracked.getOrNull(whole)
        if (whole == planes.size || next?.needs == null) return prefix
        val values = planes[whole].values.copyOf()
        var settled = 0
        for (i in values.indices) {
            if (next.needs[i] <= bytes && values[i] != 0.toByte()) settled++ else values[i] = 0
        }
        if (!isEnough(settled, next.size)) return prefix
        return prefix + BitPlane(planes[whole].shape, values)
    }
}

/**
 * How a stream is read.
 *
 * @property iterations take at most this many; null takes all.
 * @property allowTruncated take what is there of a stream that was cut, or is damaged from some
 *   place on.
 * @property limits what the image may cost.
 * @property track prepare for [Planes.cut], which takes four bytes for each bit.
 */
data class ReadOptions(
    val iterations: Int? = null,
    val allowTruncated: Boolean = false,
    val limits: WorkLimits = WorkLimits(),
    val track: Boolean = false,
)

/**
 * Reads a stream's bit planes.
 *
 * @param data a stream.
 * @param spec of the model that made it; its entropy model is not used if the stream is coded
 *   without.
 * @return the planes, at least one.
 * @throws StreamException of one of these kinds: [TruncatedStreamException] if the stream ends
 *   before the iterations that its header promises or that were asked for, and `allowTruncated` is
 *   not set or not even an eighth of the first iteration is there; [CorruptStreamException] if it
 *   is damaged, and `allowTruncated` is not set or the first iteration is; [TooLargeException] if
 *   the image costs more than the limits; [WrongModelException] if the entropy model is missing or
 *   has fewer iterations; and as for [Header.read].
 * @throws ConfigException if fewer than one iteration is asked for.
 */
fun readPlanes(data: ByteArray, spec: StreamSpec, options: ReadOptions = ReadOptions()): Planes {
    val (header, offset) = Header.readWithLength(data)
    val wanted = wantedIterations(header, options)
    // An open end may come before the iterations of the header: those that are read are counted.
    val promised = if (header.openEnd) 1 else wanted
    options.limits.require(header, spec.stride, promised)
    requireEntropyModel(header, spec, wanted)
    return StreamReader(data, offset, header, spec, options).read(wanted)
}

/** How many iterations of a stream are to be read. */
internal fun wantedIterations(header: Header, options: ReadOptions): Int {
    val asked = options.iterations ?: header.iterations
    if (asked < 1) throw ConfigException("iterations must be 1 or more, not $asked")
    return minOf(asked, header.iterations)
}

private fun requireEntropyModel(header: Header, spec: StreamSpec, wanted: Int) {
    if (!header.entropyCoded) return
    val model =
        spec.entropyModel
            ?: throw WrongModelException(
                "the stream is entropy-coded, but there is no entropy model; take the one " +
                    "exported with the model"
            )
    if (wanted > model.iterations) {
        throw WrongModelException(
            "the stream has ${header.iterations} iterations, but the entropy model " +
                "${model.iterations}; take the model that made the stream"
        )
    }
}

/** Whether a plane counts as an iteration of which this many bits are settled. */
internal fun isEnough(settled: Int, size: Int): Boolean =
    settled.toLong() * Format.PARTIAL_SHARE >= size

/** What the checksums cover beside the planes; null if there are none. */
internal fun seed(header: Header): ByteArray? =
    if (header.checked) header.copy(openEnd = false).identity() else null

/** The checksum at an open end. */
internal fun endChecksum(data: ByteArray, length: Int, count: Int): ByteArray {
    val crc = crc32(data, length)
    return ByteArray(count) { (crc shr 8 * (count - 1 - it)).toByte() }
}
