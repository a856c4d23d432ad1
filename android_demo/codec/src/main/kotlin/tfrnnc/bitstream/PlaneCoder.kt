package tfrnnc.bitstream

import java.util.zip.CRC32

/**
 * What encoder and decoder share.
 *
 * @param shape of the planes.
 * @param model of the bits; null takes all for equally probable.
 * @param seed what the checksums cover beside the planes; null leaves the checksums out.
 * @param adaptive whether locations may stop before the others; a mask before each plane but the
 *   first then tells which go on.
 */
internal abstract class PlaneCoder(
    protected val shape: PlaneShape,
    protected val model: EntropyModel?,
    seed: ByteArray?,
    adaptive: Boolean,
) {
    private val masks = if (adaptive) MaskCoder() else null
    private val whole = mutableListOf<BitPlane>()
    private val crc = seed?.let { CRC32().apply { update(it) } }

    /** Those coded whole. */
    val planes: List<BitPlane>
        get() = whole

    protected fun append(plane: BitPlane) {
        whole += plane
    }

    /** Whether a mask comes before the next plane. */
    protected val hasMask: Boolean
        get() = masks != null && whole.isNotEmpty()

    /** Codes the next mask; null if the coder ended. */
    protected fun mask(coder: MaskCoder.BitCoder): BooleanArray? =
        checkNotNull(masks).code(whole.last().codedLocations(), shape.width, coder)

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
            val locations = if (mask == null) all else all.filter { mask[it] }.toIntArray()
            val probabilities = IntArray(locations.size * shape.bits) { Format.EVEN }
            coder.code(locations, 0 until shape.bits, probabilities)
        }
    }

    /** The bits of the checksum after a plane, which covers all planes and masks up to it. */
    protected fun checksum(plane: BitPlane, mask: BooleanArray?): List<Int> {
        if (crc == null) return emptyList()
        if (mask != null) {
            val values = ByteArray(mask.size) { if (mask[it]) 1 else 0 }
            crc.update(BitPlane(PlaneShape(shape.height, shape.width, 1), values).pack())
        }
        crc.update(plane.pack())
        return (8 * checksumBytes(shape.size) - 1 downTo 0).map { (crc.value shr it and 1).toInt() }
    }
}

/** Writes planes; see [PlaneCoder] for the parameters. */
internal class PlaneEncoder(
    shape: PlaneShape,
    model: EntropyModel?,
    seed: ByteArray?,
    adaptive: Boolean = false,
) : PlaneCoder(shape, model, seed, adaptive) {
    private val coder = RangeEncoder()
    private val states = mutableListOf<CoderState>()

    /**
     * Appends a plane of -1 and +1, and, if adaptive, 0 for all bits of the locations that stopped.
     * A plane of zeros ends the payload, and does not count.
     */
    fun add(plane: BitPlane) {
        require(plane.shape == shape) { "the plane is ${plane.shape}, not $shape" }
        val mask = if (hasMask) addMask(plane.codedLocations()) else null
        if (mask != null && mask.none { it }) return
        var coded = ordered(plane, mask, stored = model == null)
        if (model != null) {
            val stored = coded.cost() > coded.count
            coder.encode(stored, Format.STORED_PROBABILITY)
            if (stored) coded = ordered(plane, mask, stored = true)
        }
        coded.forEach { bit, probability -> coder.encode(bit, probability) }
        append(plane)
        for (bit in checksum(plane, mask)) coder.encode(bit == 1, Format.EVEN)
        states += coder.state
    }

    /** After some planes, how many bytes of a payload of no fewer it takes to have them. */
    fun end(iterations: Int, payload: ByteArray): Int = states[iterations - 1].endIn(payload)

    private fun addMask(goesOn: BooleanArray): BooleanArray? = mask { location, probability ->
        coder.encode(goesOn[location], probability)
        if (goesOn[location]) 1 else 0
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
            forEach { bit, p -> cost += Probabilities.cost(if (bit) p else CERTAIN - p) }
            return cost
        }
    }

    private fun ordered(plane: BitPlane, mask: BooleanArray?, stored: Boolean): Coded {
        val known = BitPlane(shape)
        val coded = Coded(shape.size)
        passes(stored, known, mask) { locations, channels, probabilities ->
            var next = 0
            for (location in locations) {
                for (channel in channels) {
                    val place = location * shape.bits + channel
                    known.values[place] = plane.values[place]
                    coded.add(plane.values[place] > 0, probabilities[next++])
                }
            }
            true
        }
        return coded
    }
}
