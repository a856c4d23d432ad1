package tfrnnc.bitstream

import tfrnnc.TooLargeException

/**
 * What an image may cost. Time and memory grow with its pixels after padding to the model's stride,
 * and time with the iterations, whether they take bytes or not.
 *
 * @property maxPixels most pixels of the picture that is shown, padded; on a phone, as many as its
 *   memory holds.
 * @property maxWork most pixels that are coded, padded, times iterations.
 */
data class WorkLimits(
    val maxPixels: Long = Format.MAX_PIXELS,
    val maxWork: Long = Format.MAX_WORK,
) {
    /**
     * Refuses an image that is too large.
     *
     * @param header of its stream.
     * @param stride to whose multiples the sides are padded.
     * @param iterations that are to be computed.
     * @throws TooLargeException if the image costs more than the limits.
     */
    fun require(header: Header, stride: Int, iterations: Int) {
        val size = "the image has ${header.width}x${header.height} pixels"
        val pixels = paddedPixels(header.width, header.height, stride)
        if (pixels > maxPixels) {
            throw TooLargeException(
                "$size, with padding $pixels, more than the limit of $maxPixels; raise maxPixels " +
                    "if you trust it"
            )
        }
        val coded = paddedPixels(header.codedWidth, header.codedHeight, stride)
        // Divided, as the product may not fit in a Long.
        if (coded > maxWork / iterations) {
            throw TooLargeException(
                "$size; $iterations iterations of $coded, with padding, are more work than the " +
                    "limit of $maxWork; take fewer iterations, or raise maxWork if you trust it"
            )
        }
    }

    companion object {
        /** For what is known to be no more than was decoded or encoded already. */
        val NONE = WorkLimits(Long.MAX_VALUE, Long.MAX_VALUE)

        /** The pixels of an image whose sides are padded to multiples of a stride. */
        fun paddedPixels(width: Int, height: Int, stride: Int): Long =
            paddedSide(width, stride) * paddedSide(height, stride)

        private fun paddedSide(length: Int, stride: Int): Long =
            (length.toLong() + stride - 1) / stride * stride
    }
}
