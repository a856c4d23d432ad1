package tfrnnc.codec

/** Side in pixels of the blocks of [blockSsim]. */
private const val BLOCK = 8

/**
 * What keeps SSIM's terms, of luminance and of contrast and structure, from dividing by nothing.
 */
private const val C1 = (0.01 * 255) * (0.01 * 255)
private const val C2 = (0.03 * 255) * (0.03 * 255)

/** The sum of the squared differences of two pictures of one size, in grey levels. */
internal fun squaredError(reference: Pixels, picture: Pixels): Long {
    var sum = 0L
    for (i in reference.rgb.indices) {
        val difference = (picture.rgb[i].toInt() and 0xFF) - (reference.rgb[i].toInt() and 0xFF)
        sum += difference * difference
    }
    return sum
}

/**
 * SSIM as the paper measures it (section 4.2): the mean over blocks of 8x8 pixels that do not
 * overlap, and over channels. Blocks at the right and lower edge are measured as far as they go.
 *
 * @return at most 1.
 */
internal fun blockSsim(reference: Pixels, picture: Pixels): Double {
    var sum = 0.0
    var blocks = 0
    for (top in 0 until reference.height step BLOCK) {
        for (left in 0 until reference.width step BLOCK) {
            for (channel in 0 until 3) sum += ssim(reference, picture, top, left, channel)
            blocks += 3
        }
    }
    return sum / blocks
}

/** SSIM of a channel of one block. */
private fun ssim(reference: Pixels, picture: Pixels, top: Int, left: Int, channel: Int): Double {
    val bottom = minOf(top + BLOCK, reference.height)
    val right = minOf(left + BLOCK, reference.width)
    var sumX = 0
    var sumY = 0
    var squaresX = 0
    var squaresY = 0
    var products = 0
    for (row in top until bottom) for (column in left until right) {
        val i = 3 * (reference.width * row + column) + channel
        val x = reference.rgb[i].toInt() and 0xFF
        val y = picture.rgb[i].toInt() and 0xFF
        sumX += x
        sumY += y
        squaresX += x * x
        squaresY += y * y
        products += x * y
    }
    val count = (bottom - top) * (right - left).toDouble()
    val meanX = sumX / count
    val meanY = sumY / count
    val variances = squaresX / count - meanX * meanX + squaresY / count - meanY * meanY
    val covariance = products / count - meanX * meanY
    val luminance = (2 * meanX * meanY + C1) / (meanX * meanX + meanY * meanY + C1)
    return luminance * (2 * covariance + C2) / (variances + C2)
}
