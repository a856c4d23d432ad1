package tfrnnc.bitstream

/**
 * What was read of a plane.
 *
 * @property plane 0 where the data ends too early to tell the bit, and at locations that stopped.
 * @property settled how many of its bits the data tells.
 * @property size how many there are.
 * @property needs for each bit, where in the data those bytes end that settle it; null if not
 *   tracked.
 */
internal class SettledPlane(
    val plane: BitPlane,
    val settled: Int,
    val size: Int,
    val needs: IntArray?,
)

/** How the reading of a plane ended. */
internal sealed interface PlaneOutcome {
    /** The plane and the checksum after it are there and right; the next one can be read. */
    class Whole(val read: SettledPlane) : PlaneOutcome

    /** The data ends within the plane, the mask before it or the checksum after it. */
    class Partial(val read: SettledPlane) : PlaneOutcome

    /** The checksum after the plane is wrong. */
    object Wrong : PlaneOutcome

    /** A mask says that no location goes on: there is no further plane. */
    object End : PlaneOutcome
}

/**
 * The bytes of a payload in an array.
 *
 * @property data what [PlaneEncoder.finish] gave, or the first bytes of it, from `start` to `end`.
 */
internal class Payload(val data: ByteArray, val start: Int, val end: Int) {
    val size: Int
        get() = end - start
}

/**
 * Reads planes; see [PlaneCoder] for the other parameters.
 *
 * @param payload of the stream.
 * @param track whether to note what each bit needs.
 */
internal class PlaneDecoder(
    private val payload: Payload,
    shape: PlaneShape,
    model: EntropyModel?,
    seed: ByteArray?,
    adaptive: Boolean,
    private val track: Boolean,
) : PlaneCoder(shape, model, seed, adaptive) {
    private val coder = RangeDecoder(payload.data, payload.start, payload.end)
    private val wholeEnds = mutableListOf<Int>()

    /** For each plane that is whole, where in the data it ends. */
    val ends: List<Int>
        get() = wholeEnds

    private val position: Int
        get() = payload.start + coder.used()

    /** Reads a plane. Only after [PlaneOutcome.Whole] there is a next one. */
    fun read(): PlaneOutcome {
        if (!hasMask) return readBits(null)
        val mask = mask { _, probability -> coder.decode(probability) }
        if (mask == null) return PlaneOutcome.Partial(unsettled(shape.size))
        return if (mask.none { it }) PlaneOutcome.End else readBits(mask)
    }

    private fun readBits(mask: BooleanArray?): PlaneOutcome {
        val size = if (mask == null) shape.size else mask.count { it } * shape.bits
        val stored = if (model == null) 1 else coder.decode(Format.STORED_PROBABILITY)
        if (stored == RangeDecoder.ENDED) return PlaneOutcome.Partial(unsettled(size))
        val read = readPasses(stored == 1, mask, size)
        if (read.settled < size) return PlaneOutcome.Partial(read)
        for (bit in checksum(read.plane, mask)) {
            val readBit = coder.decode(Format.EVEN)
            if (readBit == RangeDecoder.ENDED) return PlaneOutcome.Partial(read)
            if (readBit != bit) return PlaneOutcome.Wrong
        }
        append(read.plane)
        wholeEnds += position
        return PlaneOutcome.Whole(read)
    }

    private fun readPasses(stored: Boolean, mask: BooleanArray?, size: Int): SettledPlane {
        val plane = BitPlane(shape)
        val needs = noNeeds()
        var settled = 0
        passes(stored, plane, mask) { locations, channels, probabilities ->
            var next = 0
            for (location in locations) {
                for (channel in channels) {
                    val bit = coder.decode(probabilities[next++])
                    if (bit == RangeDecoder.ENDED) return@passes false
                    val place = location * shape.bits + channel
                    plane.values[place] = if (bit == 1) 1 else -1
                    if (needs != null) needs[place] = position
                    settled++
                }
            }
            true
        }
        return SettledPlane(plane, settled, size, needs)
    }

    private fun unsettled(size: Int) = SettledPlane(BitPlane(shape), 0, size, noNeeds())

    private fun noNeeds() = if (track) IntArray(shape.size) { Int.MAX_VALUE } else null
}
