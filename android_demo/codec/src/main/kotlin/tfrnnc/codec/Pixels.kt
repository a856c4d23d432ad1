package tfrnnc.codec

import tfrnnc.bitstream.Format

/**
 * An image in RGB, 8 bits a channel.
 *
 * @property width in pixels, at least 1.
 * @property height in pixels, at least 1.
 * @property rgb three bytes a pixel, row by row.
 */
class Pixels(val width: Int, val height: Int, val rgb: ByteArray) {
    init {
        require(width > 0 && height > 0) { "an image has pixels, not ${width}x$height" }
        require(rgb.size == Math.multiplyExact(3, Math.multiplyExact(width, height))) {
            "an image of ${width}x$height pixels has not ${rgb.size} bytes"
        }
    }

    /** As 32-bit numbers, opaque alpha highest, then red, green, blue: Android's own order. */
    fun toArgb(): IntArray =
        IntArray(width * height) {
            fun channel(i: Int) = rgb[3 * it + i].toInt() and 0xFF
            0xFF shl 24 or (channel(0) shl 16) or (channel(1) shl 8) or channel(2)
        }

    companion object {
        /** Undoes [toArgb]; alpha is not looked at. */
        fun fromArgb(width: Int, height: Int, argb: IntArray): Pixels {
            val rgb = ByteArray(3 * argb.size)
            for ((i, colour) in argb.withIndex()) {
                rgb[3 * i] = (colour shr 16).toByte()
                rgb[3 * i + 1] = (colour shr 8).toByte()
                rgb[3 * i + 2] = colour.toByte()
            }
            return Pixels(width, height, rgb)
        }
    }
}

private val toFloat = (2 * Format.PIXEL_SCALE / 255).toFloat()
private val toLevel = (255 / (2 * Format.PIXEL_SCALE)).toFloat()

/** The image as a map of values in [-0.9, 0.9], its last row and column repeated to a multiple. */
internal fun Pixels.toFeatures(multiple: Int): FeatureMap {
    val map = FeatureMap(roundUp(height, multiple), roundUp(width, multiple), 3)
    var next = 0
    for (row in 0 until map.height) {
        for (column in 0 until map.width) {
            val pixel = 3 * (minOf(row, height - 1) * width + minOf(column, width - 1))
            for (channel in 0 until 3) {
                val level = rgb[pixel + channel].toInt() and 0xFF
                map.values[next++] = level * toFloat - Format.PIXEL_SCALE.toFloat()
            }
        }
    }
    return map
}

/** The upper left corner of a map as an image: the nearest levels, clipped to 0-255. */
internal fun FeatureMap.toPixels(width: Int, height: Int): Pixels {
    val rgb = ByteArray(3 * width * height)
    var next = 0
    for (row in 0 until height) {
        val start = 3 * row * this.width
        for (i in start until start + 3 * width) {
            val level = Math.rint(((values[i] + Format.PIXEL_SCALE.toFloat()) * toLevel).toDouble())
            rgb[next++] = level.coerceIn(0.0, 255.0).toInt().toByte()
        }
    }
    return Pixels(width, height, rgb)
}

internal fun roundUp(length: Int, multiple: Int): Int =
    ((length.toLong() + multiple - 1) / multiple * multiple).let(Math::toIntExact)
