package tfrnnc.bitstream

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonPrimitive
import tfrnnc.Repository

/** Every constant and table of this client against the file that all clients share. */
class FormatTest {
    /** What no client needs: it is of training, measures, and where the table comes from. */
    private val others =
        setOf("entropy_model.weight_max", "entropy_model.logits_per_unit", "pixels.block_size")

    private val constants =
        mapOf(
            "stream.magic" to Format.MAGIC,
            "stream.version" to Format.VERSION,
            "stream.downscale_version" to Format.DOWNSCALE_VERSION,
            "stream.downscale" to Format.DOWNSCALE,
            "stream.version_bits" to Format.VERSION_BITS,
            "stream.flags.entropy_coded" to Format.ENTROPY_CODED,
            "stream.flags.checked" to Format.CHECKED,
            "stream.flags.open_end" to Format.OPEN_END,
            "stream.flags.adaptive" to Format.ADAPTIVE,
            "stream.model_id_bytes" to Format.MODEL_ID_BYTES,
            "stream.max_side" to Format.MAX_SIDE,
            "stream.max_iterations" to Format.MAX_ITERATIONS,
            "stream.partial_share" to Format.PARTIAL_SHARE,
            "limits.max_pixels" to Format.MAX_PIXELS,
            "limits.max_work" to Format.MAX_WORK,
            "enlargement.taps" to Format.ENLARGEMENT_TAPS.joinToString(","),
            "enlargement.shift" to Format.ENLARGEMENT_SHIFT,
            "downscale_choice.max_bpp" to Format.DOWNSCALE_MAX_BPP,
            "downscale_choice.least_side" to Format.DOWNSCALE_LEAST_SIDE,
            "checksum.small_plane_bits" to Format.SMALL_PLANE,
            "checksum.small_bytes" to Format.SMALL_CHECKSUM_BYTES,
            "checksum.large_bytes" to Format.LARGE_CHECKSUM_BYTES,
            "range_coder.probability_bits" to Format.PROBABILITY_BITS,
            "range_coder.even" to Format.EVEN,
            "range_coder.range_bytes" to Format.RANGE_BYTES,
            "range_coder.range_min" to Format.RANGE_MIN,
            "range_coder.initial_range" to Format.INITIAL_RANGE,
            "mask.shift" to Format.MASK_SHIFT,
            "mask.contexts" to Format.MASK_CONTEXTS,
            "stored_probability" to Format.STORED_PROBABILITY,
            "entropy_model.magic" to Format.ENTROPY_MODEL_MAGIC,
            "entropy_model.version" to Format.ENTROPY_MODEL_VERSION,
            "entropy_model.activation_scale" to Format.ACTIVATION_SCALE,
            "entropy_model.activation_max" to Format.ACTIVATION_MAX,
            "entropy_model.weight_scale" to Format.WEIGHT_SCALE,
            "entropy_model.exact" to Format.EXACT,
            "entropy_model.logit_min" to Format.LOGIT_MIN,
            "entropy_model.logit_max" to Format.LOGIT_MAX,
            "entropy_model.probabilities" to Format.UPPER_PROBABILITIES.joinToString(","),
            "pixels.scale" to Format.PIXEL_SCALE,
        )

    private fun flat(element: JsonElement, path: String = ""): Map<String, String> =
        when (element) {
            is JsonObject ->
                element.entries
                    .flatMap { (name, value) ->
                        flat(value, if (path.isEmpty()) name else "$path.$name").entries
                    }
                    .associate { it.key to it.value }
            is JsonArray -> mapOf(path to element.joinToString(",") { it.jsonPrimitive.content })
            else -> mapOf(path to element.jsonPrimitive.content)
        }

    @Test
    fun `the constants are those of all clients`() {
        val shared = flat(Repository.json("spec/format.json"))
        assertEquals(shared - others, constants.mapValues { "${it.value}" })
    }

    @Test
    fun `the table covers all logits, and falls with them`() {
        for (logit in Format.LOGIT_MIN..Format.LOGIT_MAX) {
            val opposite = Probabilities.forLogit(-1 - logit)
            assertEquals(CERTAIN, Probabilities.forLogit(logit) + opposite)
        }
        assertEquals(Probabilities.forLogit(127), Probabilities.forLogit(1000))
        assertEquals(Probabilities.forLogit(-128), Probabilities.forLogit(-1000))
    }
}
