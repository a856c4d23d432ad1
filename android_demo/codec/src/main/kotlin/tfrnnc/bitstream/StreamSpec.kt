package tfrnnc.bitstream

import tfrnnc.TooLargeException

/**
 * What a stream needs of the model that makes or reads it.
 *
 * @property stride image pixels between two locations of the latent bits.
 * @property bits at each location, for each iteration.
 * @property entropyModel gives the probabilities of the bits; null for streams that are not
 *   entropy-coded.
 */
class StreamSpec(val stride: Int, val bits: Int, val entropyModel: EntropyModel? = null) {
    /**
     * The grid of one iteration's plane.
     *
     * @throws TooLargeException if a plane of it does not fit in an array.
     */
    fun planeShape(header: Header): PlaneShape {
        val height = (header.codedHeight - 1) / stride + 1
        val width = (header.codedWidth - 1) / stride + 1
        if (height.toLong() * width > MAX_ARRAY / bits) {
            throw TooLargeException(
                "the image has ${header.width}x${header.height} pixels, more than this decoder " +
                    "can hold; decode it with Python"
            )
        }
        return PlaneShape(height, width, bits)
    }

    private companion object {
        /** The most values that JVMs and Android put into an array. */
        const val MAX_ARRAY = Int.MAX_VALUE - 64
    }
}
