package tfrnnc.bitstream

import tfrnnc.ConfigException
import tfrnnc.CorruptStreamException
import tfrnnc.StreamException
import tfrnnc.TooLargeException
import tfrnnc.TruncatedStreamException
import tfrnnc.WrongModelException

/** Most pixels that are decoded unless the caller says otherwise. */
const val MAX_PIXELS = 89_478_485L

/** A last step that is not whole counts from one in so many of its bits. */
private const val PARTIAL_SHARE = 8

/**
 * The bit planes of a stream.
 *
 * @property header of the stream.
 * @property planes one for each step; the last one has zeros for bits that the stream ends before,
 *   and in dynamic streams all have for locations that stopped.
 * @property wholeSteps how many of the planes are whole.
 * @property ends for each whole step, how many bytes of the stream it takes to have it.
 */
class Planes
internal constructor(
    val header: Header,
    val planes: List<BitPlane>,
    val wholeSteps: Int,
    val ends: List<Int>,
    private val needs: List<IntArray>,
    private val sizes: List<Int>,
) {
    /** The fewest bytes of the stream from which [cut] gives a plane. */
    val leastBytes: Int by lazy {
        needs.firstOrNull()?.let { it.sortedArray()[(it.size - 1) / PARTIAL_SHARE] } ?: ends.first()
    }

    /**
     * What of the planes the first bytes of the stream settle: the same as reading these bytes
     * alone, truncation allowed, without decoding again.
     *
     * @param bytes how many.
     * @return the planes, the last one maybe with zeros; none if not an eighth of the first step is
     *   there. Only whole planes where the stream was read without `track`.
     */
    fun cut(bytes: Int): List<BitPlane> {
        val whole = ends.count { it <= bytes }
        val cut = planes.take(whole)
        if (whole == planes.size || whole >= needs.size) return cut
        val values = planes[whole].values.copyOf()
        var settled = 0
        for (i in values.indices) {
            if (needs[whole][i] <= bytes && values[i] != 0.toByte()) settled++ else values[i] = 0
        }
        if (!counts(settled, sizes[whole])) return cut
        return cut + BitPlane(planes[whole].shape, values)
    }
}

/**
 * Reads a stream's bit planes.
 *
 * @param data a stream.
 * @param stride of the model that made it.
 * @param bits of that model, at each location.
 * @param entropyModel the one that it was coded with; not used if it was coded without.
 * @param steps take these many only; null takes all.
 * @param allowTruncated take what is there of a stream that was cut, or is damaged from some place
 *   on.
 * @param maxPixels refuse images of more pixels.
 * @param track prepare for [Planes.cut], which takes four bytes for each bit.
 * @return the planes, at least one.
 * @throws StreamException of one of these kinds: [TruncatedStreamException] if the stream ends
 *   before the steps asked for, and `allowTruncated` is not set or not even an eighth of the first
 *   step is there; [CorruptStreamException] if it is damaged, and `allowTruncated` is not set or
 *   the first step is; [TooLargeException] if the image has more than `maxPixels`;
 *   [WrongModelException] if a stream of version 1 is of another stride or number of bits, or the
 *   entropy model is missing; and as for [Header.read].
 * @throws ConfigException if the stream never had as many steps as asked for.
 */
fun readPlanes(
    data: ByteArray,
    stride: Int,
    bits: Int,
    entropyModel: EntropyModel? = null,
    steps: Int? = null,
    allowTruncated: Boolean = false,
    maxPixels: Long = MAX_PIXELS,
    track: Boolean = false,
): Planes {
    val (header, offset) = Header.readWithLength(data)
    if (header.width.toLong() * header.height > maxPixels) {
        throw TooLargeException(
            "the image has ${header.width}x${header.height} pixels, more than the limit of " +
                "$maxPixels; raise the limit (maxPixels) if you trust it"
        )
    }
    val wanted = steps ?: header.steps
    if (wanted !in 1..header.steps) {
        throw ConfigException(
            "steps must be from 1 to ${header.steps} for this stream, not $wanted"
        )
    }
    if (header.version == 1) {
        return Version1.readPlanes(data, stride, bits, wanted, allowTruncated, track)
    }
    if (header.entropyCoded && entropyModel == null) {
        throw WrongModelException("the stream is entropy-coded, but there is no entropy model")
    }
    if (header.entropyCoded && entropyModel != null && wanted > entropyModel.steps) {
        throw WrongModelException(
            "the stream has ${header.steps} steps, but the entropy model ${entropyModel.steps}"
        )
    }
    val shape = header.planeShape(stride, bits)
    val end = if (header.openEnd && header.checked) checkedEnd(data, offset, shape) else data.size
    val endIsWrong = end == null
    val codeEnd = end ?: data.size

    val decoder =
        PlaneDecoder(
            data,
            offset,
            codeEnd,
            shape,
            entropyModel.takeIf { header.entropyCoded },
            seed(header),
            track,
            header.dynamic,
        )
    var partial: PlaneDecoder.Read? = null
    var damage: String? = null
    var ended = false
    val needs = mutableListOf<IntArray>()
    val sizes = mutableListOf<Int>()
    // Before memory is taken for planes, they are held against the bytes that there are.
    val most = (8.0 * (codeEnd - offset) + 32) / Probabilities.leastCost
    if (most >= shape.size / PARTIAL_SHARE.toDouble()) {
        while (decoder.planes.size < wanted && partial == null && damage == null && !ended) {
            val read = decoder.read()
            val step = decoder.planes.size + 1
            if (read.wrong) {
                damage = "step $step is wrong"
            } else if (read.ended) {
                if (header.openEnd) ended = true else damage = "no location takes step $step"
            } else {
                read.needs?.let { needs += it }
                sizes += read.size
                if (!read.whole) partial = read
            }
        }
    }
    val whole = decoder.planes.size
    val planes = decoder.planes.toMutableList()
    if (partial != null && counts(partial.settled, partial.size)) planes += partial.plane
    val mayEnd = header.openEnd && steps == null && !endIsWrong
    val complete = whole >= wanted || (mayEnd && damage == null)
    if (planes.isEmpty() || !(complete || allowTruncated)) {
        val found = "$whole of ${header.steps} steps are whole"
        if (damage != null) {
            throw CorruptStreamException(
                "the stream is damaged: $damage; $found; " +
                    if (planes.isEmpty()) "get another" else remedy(true)
            )
        }
        val what = if (endIsWrong) "cut or damaged" else "cut"
        throw TruncatedStreamException(
            "the stream is $what after ${data.size} bytes, $found; ${remedy(planes.isNotEmpty())}",
            whole,
        )
    }
    val mayGoOn = header.openEnd || allowTruncated || whole < header.steps
    if (!mayGoOn && decoder.ends.last() != codeEnd) {
        throw CorruptStreamException(
            "the stream has ${codeEnd - decoder.ends.last()} bytes after its end"
        )
    }
    return Planes(header, planes, whole, decoder.ends, needs, sizes)
}

/** Whether a plane counts as a step of which so many bits are settled. */
internal fun counts(settled: Int, size: Int): Boolean = settled.toLong() * PARTIAL_SHARE >= size

/** What the checks cover beside the planes; null if there are none. */
internal fun seed(header: Header): ByteArray? =
    if (header.checked) header.copy(openEnd = false).identity() else null

/** The check at an open end. */
internal fun endCheck(data: ByteArray, length: Int, count: Int): ByteArray {
    val crc = crc32(data, length)
    return ByteArray(count) { (crc shr 8 * (count - 1 - it)).toByte() }
}

/** Where the code ends before the check at an open end; null if that is wrong. */
private fun checkedEnd(data: ByteArray, offset: Int, shape: PlaneShape): Int? {
    val count = checkBytes(shape.size)
    val end = data.size - count
    if (end <= offset) return null
    val found = data.copyOfRange(end, data.size)
    return end.takeIf { endCheck(data, end, count).contentEquals(found) }
}
