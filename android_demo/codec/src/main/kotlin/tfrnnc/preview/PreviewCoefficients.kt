package tfrnnc.preview

import kotlin.math.abs
import kotlin.math.sign
import tfrnnc.CorruptStreamException
import tfrnnc.bitstream.RangeDecoder

/** The coefficients of a preview's payload; docs/PREVIEW.md describes them. */
internal class PreviewCoefficients private constructor(payload: ByteArray) {
    private val decoder = RangeDecoder(payload)
    private val contexts = Contexts()

    private fun read(step: Int, weights: PreviewWeights): IntArray {
        val values = IntArray(3 * LOW * LOW)
        for ((k, place) in weights.place.withIndex()) {
            val channel = place % 3
            val base = (weights.scale[k] - step).coerceIn(0, PreviewWeights.LAST_BASE)
            val kind = 2 * base + minOf(channel, 1)
            val context = PreviewWeights.CONTEXTS * kind + contexts.at(place)
            val level = readLevel(weights.probability, 3 * context) ?: break
            val magnitude = abs(level)
            contexts.add(place, magnitude, weights.expected[base])
            if (magnitude == 0) continue
            val above = if (magnitude > 1) 1 else 0
            val parts = 128 * (magnitude - 1) + weights.reconstruction[2 * kind + above]
            val value = weights.stepSize[3 * step + channel] * parts + 64 shr 7
            values[place] = level.sign * minOf(value, VALUE_LIMIT)
        }
        return values
    }

    /** A quantised coefficient, or null if the bytes do not settle it. */
    private fun readLevel(probability: IntArray, start: Int): Int? {
        val isZero = decide(probability[start]) ?: return null
        if (isZero) return 0
        val isNegative = decide(EVEN) ?: return null
        var isLast = decide(probability[start + 1]) ?: return null
        var magnitude = 1
        while (!isLast) {
            magnitude++
            isLast = magnitude == LEVEL_LIMIT || decide(probability[start + 2]) ?: return null
        }
        return if (isNegative) -magnitude else magnitude
    }

    private fun decide(probability: Int): Boolean? {
        val bit = decoder.decode(probability)
        return if (bit == RangeDecoder.ENDED) null else bit == 1
    }

    /** Sums of magnitudes and of what was expected: near a coefficient, and of all before it. */
    private class Contexts {
        private val magnitudes = IntArray(ROW * (LOW + 4))
        private val expected = IntArray(ROW * (LOW + 4))
        private var sum = 128
        private var expectedSum = 128

        /** The context of the coefficient at a place, from 0 to 14. */
        fun at(place: Int): Int {
            val padded = padded(place)
            var near = 10
            var due = 10
            for ((offset, weight) in NEIGHBOURS) {
                near += weight * magnitudes[padded + offset]
                due += weight * expected[padded + offset]
            }
            for (channel in 1..place % 3) {
                near += 2 * magnitudes[padded - channel]
                due += 2 * expected[padded - channel]
            }
            val local = LOCAL_RATIOS.count { (above, below) -> above * near >= below * due }
            val global = GLOBAL_RATIOS.count { (above, below) -> above * sum >= below * expectedSum }
            return 3 * local + global
        }

        /** Says what the coefficient at a place is. */
        fun add(place: Int, magnitude: Int, expectedMagnitude: Int) {
            val limited = 64 * minOf(magnitude, 4)
            magnitudes[padded(place)] = limited
            expected[padded(place)] = expectedMagnitude
            sum += limited
            expectedSum += expectedMagnitude
        }

        private fun padded(place: Int) =
            place + 2 * ROW + 2 * COLUMN + 2 * COLUMN * (place / (COLUMN * LOW))
    }

    companion object {
        /** Rows and columns of frequencies. */
        const val LOW = 16

        private const val LEVEL_LIMIT = 40
        private const val VALUE_LIMIT = 4095
        private const val EVEN = 32768 // The probability of a sign.

        /**
         * Frequencies lie in a map with two rows and columns around them that are 0, as those are
         * that have not been read: the columns to the right are those to the left of the row below.
         */
        private const val COLUMN = 3
        private const val ROW = COLUMN * (LOW + 2)

        /** Where the neighbours are in such a map, and their weights. */
        private val NEIGHBOURS =
            listOf(
                -ROW to 2,
                -COLUMN to 2,
                -ROW - COLUMN to 1,
                -2 * ROW to 1,
                -2 * COLUMN to 1,
                ROW - COLUMN to 1,
                COLUMN - ROW to 1,
            )

        /** Factors of what is and of what was expected; each one that holds is a context further. */
        private val LOCAL_RATIOS = listOf(4 to 1, 10 to 7, 5 to 7, 2 to 5)
        private val GLOBAL_RATIOS = listOf(4 to 3, 4 to 5)

        /**
         * The dequantised coefficients that the bytes settle, the others 0: (row, column, channel).
         *
         * @throws CorruptStreamException if no encoder writes such a payload.
         */
        fun read(text: PreviewText, weights: PreviewWeights): IntArray =
            PreviewCoefficients(text.payload).read(text.step, weights)
    }
}
