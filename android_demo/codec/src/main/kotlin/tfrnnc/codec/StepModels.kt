package tfrnnc.codec

import tfrnnc.ConfigException
import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.Header
import tfrnnc.bitstream.ModelId

/** The two step models, encoder and decoder; all that the residual loop needs of a network. */
interface StepModels : AutoCloseable {
    /** Identity of the model, as streams carry it. */
    val modelId: ModelId

    /** Pixels between two locations of the code. */
    val stride: Int

    /** Bits at each location, for each step. */
    val bits: Int

    /** Most steps that it can encode. */
    val steps: Int

    /**
     * Whether what a location of the code shows depends on its own bits alone. In dynamic streams a
     * location that stopped then stays as it was.
     */
    val independent: Boolean
        get() = false

    /**
     * A step of the encoder.
     *
     * @param residual of three channels; height and width are multiples of the stride.
     * @param states null at first, then what the step before returned.
     * @param step counted from zero.
     * @throws ConfigException if the model does not take images of this size.
     */
    fun encode(residual: FeatureMap, states: List<FeatureMap>?, step: Int): Encoded

    /**
     * A step of the decoder.
     *
     * @param plane -1 and +1, and 0 for bits that are not known.
     * @param before null at first, then what the step before returned.
     * @param step counted from zero.
     * @throws ConfigException if the model does not take images of this size.
     */
    fun decode(plane: BitPlane, before: Decoded?, step: Int): Decoded

    /**
     * A step of the decoder for a stream: if it is dynamic and the model's locations are
     * independent, one without bits in the plane stays as it was; see [decode].
     */
    fun decode(header: Header, plane: BitPlane, before: Decoded?, step: Int): Decoded {
        val decoded = decode(plane, before, step)
        if (!header.dynamic || !independent || before == null) return decoded
        val width = plane.shape.width
        for ((cell, taken) in plane.taken().withIndex()) {
            if (taken) continue
            val row = cell / width * stride
            val column = cell % width * stride
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

    /** What a step of the encoder gives: the bits, and the states for the next one. */
    class Encoded(val plane: BitPlane, val states: List<FeatureMap>)

    /** What a step of the decoder gives: the picture, and the states for the next one. */
    class Decoded(val reconstruction: FeatureMap, val states: List<FeatureMap>)
}
