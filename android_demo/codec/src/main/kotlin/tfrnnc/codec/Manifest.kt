package tfrnnc.codec

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import tfrnnc.ModelException
import tfrnnc.bitstream.ModelId

/**
 * What `manifest.json` says of exported files; docs/DEPLOYMENT.md describes it.
 *
 * @property modelId identity of the model, in hexadecimal.
 * @property reconstruction "additive" if the picture is the sum of the predictions, "one_shot" if
 *   it is the last one.
 * @property stride image pixels between two locations of the latent bits.
 * @property bits bits at each location, for each iteration.
 * @property iterations most iterations that the model can encode.
 * @property size height and width in pixels that the files are made for; null if they take any
 *   multiple of the stride.
 * @property encoders the files; iteration t, counted from zero, uses the one with that index, or
 *   the last.
 * @property decoders the same.
 */
@Serializable
data class Manifest(
    @SerialName("model_id") val modelId: String,
    val reconstruction: String,
    val stride: Int,
    val bits: Int,
    val iterations: Int,
    val size: List<Int>?,
    val encoders: List<IterationFile>,
    val decoders: List<IterationFile>,
) {
    /** The identity as streams carry it. */
    internal fun id(): ModelId =
        ModelId.parse(modelId) ?: throw notAManifest("'$modelId' is no identity")

    private fun validate() {
        id()
        if (reconstruction !in setOf(ADDITIVE, ONE_SHOT)) {
            throw notAManifest("the reconstruction '$reconstruction' is not known")
        }
        val counts = listOf(stride, bits, iterations)
        if (counts.any { it !in 1..MAX_COUNT } || encoders.isEmpty() || decoders.isEmpty()) {
            throw notAManifest("a value is out of range")
        }
        if (
            size != null &&
                (size.size != 2 || size.any { it !in 1..MAX_LENGTH || it % stride != 0 })
        ) {
            throw notAManifest("the size $size is not one of two multiples of $stride")
        }
        for (file in encoders + decoders) {
            val tensors = file.inputs + file.outputs
            val misfit = tensors.any { it.channels !in 1..MAX_LENGTH || !fits(it) }
            val counts = setOf(file.inputs.size, file.outputs.size)
            if (misfit || counts.size > 1 || 0 in counts || file.margin !in 0..MAX_LENGTH) {
                throw notAManifest("the tensors of ${file.name} do not fit together")
            }
        }
    }

    private fun fits(tensor: Tensor) = tensor.stride >= 1 && stride % tensor.stride == 0

    companion object {
        const val FILE_NAME = "manifest.json"

        /** The values of [reconstruction]. */
        const val ADDITIVE = "additive"
        const val ONE_SHOT = "one_shot"
        /** Streams and their entropy models have a byte for each of the counts. */
        private const val MAX_COUNT = 255

        /** Far more than sides, margins and channels are. */
        private const val MAX_LENGTH = 1 shl 16
        private val json = Json { ignoreUnknownKeys = true }

        /**
         * Reads the content of `manifest.json`.
         *
         * @throws ModelException if it is not that.
         */
        fun parse(text: String): Manifest =
            try {
                json.decodeFromString<Manifest>(text).also { it.validate() }
            } catch (error: SerializationException) {
                throw notAManifest(error.message?.lineSequence()?.first() ?: "not JSON", error)
            }

        private fun notAManifest(reason: String, cause: Throwable? = null) =
            ModelException("$FILE_NAME: not a manifest ($reason)", cause)
    }
}

/**
 * A TFLite file that runs one iteration of an encoder or a decoder.
 *
 * @property name of the file, beside the manifest.
 * @property sha256 of its content, in hexadecimal.
 * @property margin how far, in image pixels, its outputs change beside a cut through its inputs.
 * @property inputs `residual` or `bits` first, then `state_0`, `state_1`, ...
 * @property outputs `logits` or `prediction` first, then `new_state_0`, `new_state_1`, ...
 */
@Serializable
data class IterationFile(
    val name: String,
    val sha256: String,
    val margin: Int,
    val inputs: List<Tensor>,
    val outputs: List<Tensor>,
)

/**
 * An input or output of an exported iteration.
 *
 * @property name its name in the signature.
 * @property channels its last dimension.
 * @property stride image pixels between two of its locations: for an image of (H, W) it has the
 *   shape (1, H / stride, W / stride, channels).
 */
@Serializable
data class Tensor(val name: String, val channels: Int, val stride: Int) {
    /** A map of zeros for an image of this size. */
    fun zeros(height: Int, width: Int) = FeatureMap(height / stride, width / stride, channels)
}
