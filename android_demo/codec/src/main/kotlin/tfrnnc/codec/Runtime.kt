package tfrnnc.codec

import tfrnnc.ConfigException
import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.Header
import tfrnnc.bitstream.ModelId

/**
 * The iterations of a trained model, encoder and decoder; all that the residual loop needs of a
 * network. Several threads may call it at a time.
 */
interface Runtime : AutoCloseable {
    /** Identity of the model, as streams carry it. */
    val modelId: ModelId

    /** Pixels between two locations of the latent bits. */
    val stride: Int

    /** Bits at each location, for each iteration. */
    val bits: Int

    /** Most iterations that it can encode. */
    val iterations: Int

    /**
     * Whether what a location of the latent bits shows depends on its own bits alone. In adaptive
     * streams a location that stopped then stays as it was.
     */
    val independent: Boolean
        get() = false

    /**
     * An iteration of the encoder.
     *
     * @param residual of three channels; height and width are multiples of the stride.
     * @param states null at first, then what the iteration before returned.
     * @param iteration counted from zero.
     * @throws ConfigException if the model does not take images of this size.
     */
    fun encodeIteration(residual: FeatureMap, states: List<FeatureMap>?, iteration: Int): Encoded

    /**
     * An iteration of the decoder.
     *
     * @param plane -1 and +1, and 0 for bits that are not known.
     * @param before null at first, then what the iteration before returned.
     * @param iteration counted from zero.
     * @throws ConfigException if the model does not take images of this size.
     */
    fun decodeIteration(plane: BitPlane, before: Decoded?, iteration: Int): Decoded

    /** What an iteration of the encoder gives: the bits, and the states for the next one. */
    class Encoded(val plane: BitPlane, val states: List<FeatureMap>)

    /** What an iteration of the decoder gives: the picture, and the states for the next one. */
    class Decoded(val reconstruction: FeatureMap, val states: List<FeatureMap>)
}

/**
 * An iteration of the decoder for a stream: if it is adaptive and the model's locations are
 * independent, one without bits in the plane stays as it was; see [Runtime.decodeIteration].
 */
internal fun Runtime.decodeIteration(
    header: Header,
    plane: BitPlane,
    before: Runtime.Decoded?,
    iteration: Int,
): Runtime.Decoded {
    val decoded = decodeIteration(plane, before, iteration)
    if (!header.adaptive || !independent || before == null) return decoded
    val width = plane.shape.width
    for ((location, goesOn) in plane.codedLocations().withIndex()) {
        if (goesOn) continue
        val row = location / width * stride
        val column = location % width * stride
        before.reconstruction.copyInto(
            decoded.reconstruction,
            row until row + stride,
            column until column + stride,
            row,
            column,
        )
    }
    return decoded
}
