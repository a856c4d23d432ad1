package tfrnnc.codec

import tfrnnc.bitstream.BitPlane

/**
 * Encodes an image step by step (section 3.1 of the paper).
 *
 * @param models of the codec.
 * @param pixels the image.
 * @param keep whether [lastPicture] will be asked for; takes memory.
 */
internal class ResidualLoop(
    private val models: StepModels,
    private val pixels: Pixels,
    private val keep: Boolean,
) {
    private val image = pixels.toFeatures(models.stride)
    private var residual = image
    private var steps = 0
    private var encoderStates: List<FeatureMap>? = null
    private var decoded: StepModels.Decoded? = null
    private var before: StepModels.Decoded? = null

    /** Takes a step: its plane, and the picture after it. */
    fun step(): Pair<BitPlane, Pixels> {
        before = null
        val encoded = models.encode(residual, encoderStates, steps)
        encoderStates = encoded.states
        val after = models.decode(encoded.plane, decoded, steps)
        if (keep) before = decoded
        decoded = after
        val picture = after.reconstruction
        val values = FloatArray(image.values.size) { image.values[it] - picture.values[it] }
        residual = FeatureMap(image.height, image.width, image.channels, values)
        steps++
        return encoded.plane to picture.toPixels(pixels.width, pixels.height)
    }

    /** The picture after the last step, had a decoder this plane for it. */
    fun lastPicture(plane: BitPlane): Pixels =
        models.decode(plane, before, steps - 1).reconstruction.toPixels(pixels.width, pixels.height)
}
