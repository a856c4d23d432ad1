package tfrnnc.codec

import tfrnnc.ConfigException
import tfrnnc.bitstream.WorkLimits

/**
 * How an image is encoded. The limits can be combined; the tightest counts. Without any, all
 * iterations are encoded.
 *
 * @property iterations encode at most this many.
 * @property bpp at most this many bits per pixel of the image, all bytes counted.
 * @property maxBytes at most this many bytes, all counted. The last iteration is cut where the
 *   bytes end, if the picture gains from what is there of it.
 * @property headerless leaves out the header and the checksums, for stores that know the size of
 *   their images and check for themselves; [Codec.sharedHeader] makes it a stream again.
 * @property entropyCoding false leaves the entropy model out.
 * @property downscale 2 reduces the image to half its width and height before it is encoded, and
 *   the picture is enlarged after decoding, which is better for photos at few bits per pixel; 1
 *   does not. null, which Python calls "auto", tries both where [bpp] and [maxBytes] leave at most
 *   0.5 bits per pixel, and keeps the stream with the smaller product of squared error and 1 -
 *   SSIM. It does not try 2 with images whose shorter side is below 64 pixels, and [headerless].
 * @property limits what the image may cost, as for decoding.
 */
data class EncodeOptions(
    val iterations: Int? = null,
    val bpp: Double? = null,
    val maxBytes: Int? = null,
    val headerless: Boolean = false,
    val entropyCoding: Boolean = true,
    val downscale: Int? = null,
    val limits: WorkLimits = WorkLimits(),
) {
    /**
     * How many iterations to encode at most.
     *
     * @throws ConfigException if the model has fewer than [iterations].
     */
    internal fun wantedIterations(most: Int): Int {
        if (iterations != null && iterations !in 1..most) {
            throw ConfigException(
                "iterations must be from 1 to $most for this model, not $iterations"
            )
        }
        return iterations ?: most
    }

    /**
     * The tightest limit on bytes; null for none.
     *
     * @throws ConfigException if [bpp] is not above 0.
     */
    internal fun byteLimit(pixels: Pixels): Int? {
        if (bpp != null && !(bpp > 0)) throw ConfigException("bpp must be above 0, not $bpp")
        // A number of bytes that is too large for an Int is no limit to a stream.
        val bytes = bpp?.let { (it * pixels.height * pixels.width / 8).toInt() }
        return listOfNotNull(maxBytes, bytes).minOrNull()
    }
}
