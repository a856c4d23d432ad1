package tfrnnc.bitstream

import java.util.zip.CRC32

/** 65536 times the chance that a plane is stored as it is, because the model would make it grow. */
internal const val STORED = 1024

private const val SMALL_PLANE = 2048

/** Bytes of the check that follows a plane of so many bits. */
internal fun checkBytes(planeBits: Int): Int = if (planeBits <= SMALL_PLANE) 1 else 4

/**
 * What encoder and decoder share.
 *
 * @param shape of the planes.
 * @param model of the bits; null takes all for equally probable.
 * @param seed what the checks cover beside the planes; null leaves the checks out.
 */
internal abstract class PlaneCoder(
    protected val shape: PlaneShape,
    protected val model: EntropyModel?,
    seed: ByteArray?,
) {
    private val read = mutableListOf<BitPlane>()
    private val crc = seed?.let { CRC32().apply { update(it) } }

    /** Those coded whole. */
    val planes: List<BitPlane>
        get() = read

    protected fun append(plane: BitPlane) {
        read += plane
    }

    protected fun passes(stored: Boolean, plane: BitPlane, coder: EntropyModel.PassCoder) {
        if (model != null && !stored) {
            model.passes(planes, plane, coder)
        } else {
            val cells = IntArray(shape.locations) { it }
            coder.code(cells, 0 until shape.bits, IntArray(shape.size) { EVEN })
        }
    }

    /** The bits of the check after a plane, which covers all planes up to it. */
    protected fun check(plane: BitPlane): List<Int> {
        if (crc == null) return emptyList()
        crc.update(plane.pack())
        return (8 * checkBytes(shape.size) - 1 downTo 0).map { (crc.value shr it and 1).toInt() }
    }
}

/** Writes planes; see [PlaneCoder] for the parameters. */
internal class PlaneEncoder(shape: PlaneShape, model: EntropyModel?, seed: ByteArray?) :
    PlaneCoder(shape, model, seed) {
    private val coder = RangeEncoder()

    /** Appends a plane of -1 and +1. */
    fun add(plane: BitPlane) {
        require(plane.shape == shape) { "the plane is ${plane.shape}, not $shape" }
        var coded = ordered(plane, stored = model == null)
        if (model != null) {
            val stored = coded.cost() > shape.size
            coder.encode(stored, STORED)
            if (stored) coded = ordered(plane, stored = true)
        }
        coded.forEach { bit, probability -> coder.encode(bit, probability) }
        append(plane)
        for (bit in check(plane)) coder.encode(bit == 1, EVEN)
    }

    /** The fewest bytes that hold all planes so far; more can be added. */
    fun finish(): ByteArray = coder.finish()

    /** Bits in the order of coding, and the probabilities that they are 1. */
    private class Coded(size: Int) {
        private val bits = BooleanArray(size)
        private val probabilities = IntArray(size)
        private var count = 0

        fun add(bit: Boolean, probability: Int) {
            bits[count] = bit
            probabilities[count++] = probability
        }

        inline fun forEach(action: (bit: Boolean, probability: Int) -> Unit) {
            for (i in 0 until count) action(bits[i], probabilities[i])
        }

        /** What they take, in bits. */
        fun cost(): Double {
            var cost = 0.0
            forEach { bit, p -> cost += Probabilities.cost(if (bit) p else 65536 - p) }
            return cost
        }
    }

    private fun ordered(plane: BitPlane, stored: Boolean): Coded {
        val known = BitPlane(shape)
        val coded = Coded(shape.size)
        passes(stored, known) { cells, channels, probabilities ->
            var next = 0
            for (cell in cells) {
                for (channel in channels) {
                    val place = cell * shape.bits + channel
                    known.values[place] = plane.values[place]
                    coded.add(plane.values[place] > 0, probabilities[next++])
                }
            }
            true
        }
        return coded
    }
}

/**
 * Reads planes; see [PlaneCoder] for the other parameters.
 *
 * @param data what [PlaneEncoder.finish] gave, or the first bytes of it, from `start` to `end`.
 * @param track whether to note what each bit needs.
 */
internal class PlaneDecoder(
    data: ByteArray,
    private val start: Int,
    end: Int,
    shape: PlaneShape,
    model: EntropyModel?,
    seed: ByteArray?,
    private val track: Boolean,
) : PlaneCoder(shape, model, seed) {
    private val coder = RangeDecoder(data, start, end)
    private val found = mutableListOf<Int>()

    /** For each plane that is whole, where in the data it ends. */
    val ends: List<Int>
        get() = found

    /**
     * What was read.
     *
     * @property plane 0 where the data ends too early to tell the bit.
     * @property settled how many bits are not.
     * @property needs for each bit, where in the data those bytes end that settle it; null if not
     *   tracked.
     * @property whole whether the check after the plane is there too, and right.
     */
    class Read(val plane: BitPlane, val settled: Int, val needs: IntArray?, val whole: Boolean)

    /** Reads a plane; after one that is not whole, none can be; null if its check is wrong. */
    fun read(): Read? {
        val plane = BitPlane(shape)
        val needs = if (track) IntArray(shape.size) { Int.MAX_VALUE } else null
        var settled = 0
        val stored = if (model == null) 1 else coder.decode(STORED)
        if (stored == RangeDecoder.ENDED) return Read(plane, 0, needs, false)
        passes(stored == 1, plane) { cells, channels, probabilities ->
            var next = 0
            for (cell in cells) {
                for (channel in channels) {
                    val bit = coder.decode(probabilities[next++])
                    if (bit == RangeDecoder.ENDED) return@passes false
                    val place = cell * shape.bits + channel
                    plane.values[place] = if (bit == 1) 1 else -1
                    if (needs != null) needs[place] = start + coder.used()
                    settled++
                }
            }
            true
        }
        if (settled < shape.size) return Read(plane, settled, needs, false)
        for (bit in check(plane)) {
            val readBit = coder.decode(EVEN)
            if (readBit == RangeDecoder.ENDED) return Read(plane, settled, needs, false)
            if (readBit != bit) return null
        }
        append(plane)
        found += start + coder.used()
        return Read(plane, settled, needs, true)
    }
}
