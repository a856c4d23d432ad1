package tfrnnc.codec

import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.Header

/**
 * Encodes an image iteration by iteration (section 3.1 of the paper).
 *
 * @param runtime of the codec.
 * @param pixels the image.
 * @param header of its stream; says whether the image is reduced before it is encoded.
 * @param keep whether [lastPicture] will be asked for; takes memory.
 */
internal class ResidualLoop(
    private val runtime: Runtime,
    pixels: Pixels,
    private val header: Header,
    private val keep: Boolean,
) {
    private val image =
        (if (header.downscale == 1) pixels else pixels.reduced()).toFeatures(runtime.stride)
    private var residual = image
    private var iterations = 0
    private var encoderStates: List<FeatureMap>? = null
    private var decoded: Runtime.Decoded? = null
    private var before: Runtime.Decoded? = null

    /** Takes an iteration: its plane, and the picture after it. */
    fun iterate(): Pair<BitPlane, Pixels> {
        before = null
        val encoded = runtime.encodeIteration(residual, encoderStates, iterations)
        encoderStates = encoded.states
        val after = runtime.decodeIteration(encoded.plane, decoded, iterations)
        if (keep) before = decoded
        decoded = after
        val picture = after.reconstruction
        val values = FloatArray(image.values.size) { image.values[it] - picture.values[it] }
        residual = FeatureMap(image.height, image.width, image.channels, values)
        iterations++
        return encoded.plane to header.picture(picture)
    }

    /** The picture after the last iteration, had a decoder this plane for it. */
    fun lastPicture(plane: BitPlane): Pixels =
        header.picture(runtime.decodeIteration(plane, before, iterations - 1).reconstruction)
}
