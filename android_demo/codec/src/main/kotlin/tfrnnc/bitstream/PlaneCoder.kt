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
 * @param dynamic whether locations may stop before the others; a mask before each plane but the
 *   first then tells which go on.
 */
internal abstract class PlaneCoder(
    protected val shape: PlaneShape,
    protected val model: EntropyModel?,
    seed: ByteArray?,
    dynamic: Boolean,
) {
    private val masks = if (dynamic) MaskCoder() else null
    private val read = mutableListOf<BitPlane>()
    private val crc = seed?.let { CRC32().apply { update(it) } }

    /** Those coded whole. */
    val planes: List<BitPlane>
        get() = read

    protected fun append(plane: BitPlane) {
        read += plane
    }

    /** Whether a mask comes before the next plane. */
    protected val hasMask: Boolean
        get() = masks != null && read.isNotEmpty()

    /** Codes the next mask; null if the coder ended. */
    protected fun mask(coder: MaskCoder.BitCoder): BooleanArray? =
        checkNotNull(masks).code(read.last().taken(), shape.width, coder)

    protected fun passes(
        stored: Boolean,
        plane: BitPlane,
        mask: BooleanArray?,
        coder: EntropyModel.PassCoder,
    ) {
        if (model != null && !stored) {
            model.passes(planes, plane, mask, coder)
        } else {
            val all = IntArray(shape.locations) { it }
            val cells = if (mask == null) all else all.filter { mask[it] }.toIntArray()
            coder.code(cells, 0 until shape.bits, IntArray(cells.size * shape.bits) { EVEN })
        }
    }

    /** The bits of the check after a plane, which covers all planes and masks up to it. */
    protected fun check(plane: BitPlane, mask: BooleanArray?): List<Int> {
        if (crc == null) return emptyList()
        if (mask != null) {
            val values = ByteArray(mask.size) { if (mask[it]) 1 else 0 }
            crc.update(BitPlane(PlaneShape(shape.height, shape.width, 1), values).pack())
        }
        crc.update(plane.pack())
        return (8 * checkBytes(shape.size) - 1 downTo 0).map { (crc.value shr it and 1).toInt() }
    }
}

/** Writes planes; see [PlaneCoder] for the parameters. */
internal class PlaneEncoder(
    shape: PlaneShape,
    model: EntropyModel?,
    seed: ByteArray?,
    dynamic: Boolean = false,
) : PlaneCoder(shape, model, seed, dynamic) {
    private val coder = RangeEncoder()

    /**
     * Appends a plane of -1 and +1, and, if dynamic, 0 for all bits of the locations that stopped. A
     * plane of zeros ends the code, and does not count.
     */
    fun add(plane: BitPlane) {
        require(plane.shape == shape) { "the plane is ${plane.shape}, not $shape" }
        val mask = if (hasMask) addMask(plane.taken()) else null
        if (mask != null && mask.none { it }) return
        var coded = ordered(plane, mask, stored = model == null)
        if (model != null) {
            val stored = coded.cost() > coded.count
            coder.encode(stored, STORED)
            if (stored) coded = ordered(plane, mask, stored = true)
        }
        coded.forEach { bit, probability -> coder.encode(bit, probability) }
        append(plane)
        for (bit in check(plane, mask)) coder.encode(bit == 1, EVEN)
    }

    private fun addMask(goesOn: BooleanArray): BooleanArray? = mask { cell, probability ->
        coder.encode(goesOn[cell], probability)
        if (goesOn[cell]) 1 else 0
    }

    /** The fewest bytes that hold all planes so far; more can be added. */
    fun finish(): ByteArray = coder.finish()

    /** Bits in the order of coding, and the probabilities that they are 1. */
    private class Coded(size: Int) {
        private val bits = BooleanArray(size)
        private val probabilities = IntArray(size)
        var count = 0
            private set

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

    private fun ordered(plane: BitPlane, mask: BooleanArray?, stored: Boolean): Coded {
        val known = BitPlane(shape)
        val coded = Coded(shape.size)
        passes(stored, known, mask) { cells, channels, probabilities ->
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
    dynamic: Boolean,
) : PlaneCoder(shape, model, seed, dynamic) {
    private val coder = RangeDecoder(data, start, end)
    private val found = mutableListOf<Int>()

    /** For each plane that is whole, where in the data it ends. */
    val ends: List<Int>
        get() = found

    /**
     * What was read.
     *
     * @property plane 0 where the data ends too early to tell the bit, and at locations that stopped.
     * @property settled how many of its bits the data tells.
     * @property size how many there are.
     * @property needs for each bit, where in the data those bytes end that settle it; null if not
     *   tracked.
     * @property whole whether the check after the plane is there too, and right.
     * @property wrong whether that check is wrong.
     * @property ended whether a mask ends the code here; there is no plane then.
     */
    class Read(
        val plane: BitPlane,
        val settled: Int,
        val size: Int,
        val needs: IntArray?,
        val whole: Boolean = false,
        val wrong: Boolean = false,
        val ended: Boolean = false,
    )

    /** Reads a plane; after one that is not whole, none can be. */
    fun read(): Read {
        val plane = BitPlane(shape)
        val needs = if (track) IntArray(shape.size) { Int.MAX_VALUE } else null
        var settled = 0
        var size = shape.size
        var mask: BooleanArray? = null
        if (hasMask) {
            mask = mask { _, probability -> coder.decode(probability) }
            if (mask == null) return Read(plane, 0, size, needs)
            size = mask.count { it } * shape.bits
            if (size == 0) return Read(plane, 0, 0, needs, ended = true)
        }
        val stored = if (model == null) 1 else coder.decode(STORED)
        if (stored == RangeDecoder.ENDED) return Read(plane, 0, size, needs)
        passes(stored == 1, plane, mask) { cells, channels, probabilities ->
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
        if (settled < size) return Read(plane, settled, size, needs)
        for (bit in check(plane, mask)) {
            val readBit = coder.decode(EVEN)
            if (readBit == RangeDecoder.ENDED) return Read(plane, settled, size, needs)
            if (readBit != bit) return Read(plane, settled, size, needs, wrong = true)
        }
        append(plane)
        found += start + coder.used()
        return Read(plane, settled, size, needs, whole = true)
    }
}
