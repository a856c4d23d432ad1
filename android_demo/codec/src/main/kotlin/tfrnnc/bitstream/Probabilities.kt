package tfrnnc.bitstream

import kotlin.math.ln

/** The probabilities of bits, by their logits. */
internal object Probabilities {
    private val byLogit =
        IntArray(Format.LOGIT_MAX - Format.LOGIT_MIN + 1) {
            val logit = it + Format.LOGIT_MIN
            val upper = Format.UPPER_PROBABILITIES
            if (logit < 0) CERTAIN - upper[-1 - logit] else upper[logit]
        }

    /** The probability of a 1, for a logit that is clipped to those of the table. */
    fun forLogit(logit: Int): Int =
        byLogit[logit.coerceIn(Format.LOGIT_MIN, Format.LOGIT_MAX) - Format.LOGIT_MIN]

    /**
     * Bits that it takes to say something of this probability, from 1 to 65535; an estimate, on
     * which nothing rests but the encoder's choices.
     */
    fun cost(probability: Int): Double = -ln(probability / CERTAIN.toDouble()) / ln(2.0)

    /** Bits that a bit takes at least. */
    val minCost = cost(Format.UPPER_PROBABILITIES.last())
}
