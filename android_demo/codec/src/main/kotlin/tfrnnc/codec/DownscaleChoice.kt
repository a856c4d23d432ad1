package tfrnnc.codec

import tfrnnc.ConfigException
import tfrnnc.bitstream.Format

/**
 * The downscales with which an image is to be encoded; see [EncodeOptions.downscale].
 *
 * @param maxBytes to which the options limit the stream; null for any.
 */
internal fun downscalesToTry(pixels: Pixels, options: EncodeOptions, maxBytes: Int?): List<Int> {
    if (options.downscale != null) return listOf(options.downscale)
    if (options.headerless || maxBytes == null) return listOf(1)
    val most = Format.DOWNSCALE_MAX_BPP * pixels.width * pixels.height
    val isSmall = minOf(pixels.width, pixels.height) < Format.DOWNSCALE_LEAST_SIDE
    return if (8.0 * maxBytes > most || isSmall) listOf(1) else listOf(1, Format.DOWNSCALE)
}

/**
 * The image encoded with each downscale that allows it.
 *
 * @throws ConfigException if none does: that of the first one.
 */
internal fun encodedAt(
    downscales: List<Int>,
    encode: (downscale: Int) -> Codec.Encoded,
): List<Codec.Encoded> {
    var failure: ConfigException? = null
    val candidates = mutableListOf<Codec.Encoded>()
    for (downscale in downscales) {
        try {
            candidates += encode(downscale)
        } catch (error: ConfigException) { // Too few bytes, which may be enough for the other.
            failure = failure ?: error
        }
    }
    if (candidates.isEmpty()) throw checkNotNull(failure)
    return candidates
}

/** The candidate with the best picture of the image; the first one of equals. */
internal fun bestOf(candidates: List<Codec.Encoded>, image: Pixels): Codec.Encoded =
    candidates.singleOrNull() ?: candidates.minBy { badness(image, it.picture) }

/** What is wrong with a picture in both measures: each alone would spoil the other. */
private fun badness(image: Pixels, picture: Pixels): Double =
    squaredError(image, picture) * (1 - blockSsim(image, picture))
