package tfrnnc.codec

import tfrnnc.bitstream.Format
import tfrnnc.bitstream.Header

/**
 * The picture that a stream shows: the nearest levels of a reconstruction, enlarged if the image
 * was reduced before it was encoded.
 *
 * @param reconstruction of the image that was encoded, with its padding.
 */
internal fun Header.picture(reconstruction: FeatureMap): Pixels {
    val coded = reconstruction.toPixels(codedWidth, codedHeight)
    return if (downscale == 1) coded else coded.enlarged(width, height)
}

/**
 * The picture at twice its width and height, by Catmull-Rom's cubic in whole numbers, which are
 * rounded once: all clients show the same. Its edges are repeated.
 *
 * @param width of the result in pixels: twice this one's, or one less, without the last column.
 * @param height of the result in pixels: twice this one's, or one less, without the last row.
 */
internal fun Pixels.enlarged(width: Int, height: Int): Pixels {
    require((width + 1) / 2 == this.width && (height + 1) / 2 == this.height) {
        "${this.width}x${this.height} pixels cannot be enlarged to ${width}x$height"
    }
    val rgb = ByteArray(3 * width * height)
    val rows = WidenedRows(this)
    for (row in 0 until height) {
        val step = if (row % 2 == 0) 1 else -1 // An odd row is the mirror image of an even one.
        val around = Array(Format.ENLARGEMENT_TAPS.size) { rows[row / 2 + (it - 2) * step] }
        blend(around, rgb, 3 * width * row, 3 * width)
    }
    return Pixels(width, height, rgb)
}

/** Writes a row of the result, as levels from 0 to 255. */
private fun blend(rows: Array<IntArray>, target: ByteArray, start: Int, count: Int) {
    val (outer, near, centre, far) = Format.ENLARGEMENT_TAPS
    val (outerRow, nearRow, centreRow, farRow) = rows
    for (i in 0 until count) {
        val sum = outer * outerRow[i] + near * nearRow[i] + centre * centreRow[i] + far * farRow[i]
        val level = sum + ROUNDING shr Format.ENLARGEMENT_SHIFT
        target[start + i] = minOf(maxOf(level, 0), 255).toByte()
    }
}

private const val ROUNDING = 1 shl Format.ENLARGEMENT_SHIFT - 1

/**
 * The rows of a picture at twice its width, not rounded; above the first and below the last are
 * more of the same. They are computed as they are asked for, and the last four are kept.
 */
private class WidenedRows(private val pixels: Pixels) {
    private val kept = Array(KEPT) { IntArray(6 * pixels.width) }
    private val keptRows = IntArray(KEPT) { -1 }
    private val padded = IntArray(3 * (pixels.width + 4))

    operator fun get(row: Int): IntArray {
        val source = row.coerceIn(0, pixels.height - 1)
        val place = source % KEPT
        if (keptRows[place] != source) {
            pad(source)
            widen(kept[place])
            keptRows[place] = source
        }
        return kept[place]
    }

    /** Takes a row, and two more pixels at each of its ends. */
    private fun pad(row: Int) {
        for (column in -2 until pixels.width + 2) {
            val from = 3 * (pixels.width * row + column.coerceIn(0, pixels.width - 1))
            val to = 3 * (column + 2)
            for (i in 0 until 3) padded[to + i] = pixels.rgb[from + i].toInt() and 0xFF
        }
    }

    private fun widen(target: IntArray) {
        val (outer, near, centre, far) = Format.ENLARGEMENT_TAPS
        for (column in 0 until pixels.width) {
            val from = 3 * (column + 2)
            val to = 6 * column
            for (i in from until from + 3) {
                val middle = centre * padded[i]
                val even = outer * padded[i - 6] + near * padded[i - 3] + far * padded[i + 3]
                val odd = far * padded[i - 3] + near * padded[i + 3] + outer * padded[i + 6]
                target[to + i - from] = middle + even
                target[to + i - from + 3] = middle + odd
            }
        }
    }

    private companion object {
        /** As many as a row of the result takes: they follow each other, so none is lost early. */
        const val KEPT = 4
    }
}
