package tfrnnc.codec

import kotlin.math.PI
import kotlin.math.sin

/**
 * The image at half its width and height, by Lanczos' filter of Pillow, to the byte: columns first,
 * then rows, with levels between them. An odd last column or row counts twice.
 */
internal fun Pixels.reduced(): Pixels {
    val halfWidth = (width - 1) / 2 + 1
    val halfHeight = (height - 1) / 2 + 1
    val narrowed = ByteArray(3 * halfWidth * height)
    val columns = lanczosTaps(halfWidth)
    for (row in 0 until height) for ((column, taps) in columns.withIndex()) {
        for (channel in 0 until 3) {
            val level = taps.sum { rgb[3 * (width * row + minOf(it, width - 1)) + channel] }
            narrowed[3 * (halfWidth * row + column) + channel] = level
        }
    }
    val reduced = ByteArray(3 * halfWidth * halfHeight)
    for ((row, taps) in lanczosTaps(halfHeight).withIndex()) for (i in 0 until 3 * halfWidth) {
        val level = taps.sum { narrowed[3 * halfWidth * minOf(it, height - 1) + i] }
        reduced[3 * halfWidth * row + i] = level
    }
    return Pixels(halfWidth, halfHeight, reduced)
}

/** Lobes of Lanczos' filter on each side. */
private const val LOBES = 3

/** Weights are whole numbers of 2^-22. */
private const val WEIGHT_BITS = 22

/** What a pixel of the result takes of the levels from [first] on. */
private class Taps(val first: Int, val weights: IntArray) {
    /** The weighted sum of levels, as a level. */
    inline fun sum(level: (Int) -> Byte): Byte {
        var sum = 1 shl WEIGHT_BITS - 1
        for (i in weights.indices) sum += weights[i] * (level(first + i).toInt() and 0xFF)
        return minOf(maxOf(sum shr WEIGHT_BITS, 0), 255).toByte()
    }
}

/** The taps of all pixels of an axis, which has this many after it is halved. */
private fun lanczosTaps(count: Int): List<Taps> =
    List(count) { place ->
        val centre = 2 * place + 1
        val first = maxOf(centre - 2 * LOBES, 0)
        val last = minOf(centre + 2 * LOBES, 2 * count)
        val weights = DoubleArray(last - first) { lanczos((first + it - centre + 0.5) / 2) }
        val scale = (1 shl WEIGHT_BITS) / weights.sum()
        Taps(first, IntArray(weights.size) { Math.round(weights[it] * scale).toInt() })
    }

private fun lanczos(x: Double): Double = sinc(x) * sinc(x / LOBES)

private fun sinc(x: Double): Double = if (x == 0.0) 1.0 else sin(PI * x) / (PI * x)
