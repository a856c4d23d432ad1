package tfrnnc.bitstream

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import tfrnnc.Repository
import tfrnnc.hex

/** The streams of every kind that pin the format, and what a decoder must find in them. */
object GoldenContainer {
    private val json = Repository.json("tests/golden/v2_container.json").jsonObject

    val stride = json.getValue("stride").jsonPrimitive.int
    val bits = json.getValue("bits").jsonPrimitive.int
    val entropyModelFile = hex(json.getValue("entropy_model").jsonPrimitive.content)
    val entropyModel = EntropyModel.fromBytes(entropyModelFile)
    val spec = StreamSpec(stride, bits, entropyModel)
    val streams = json.getValue("streams").jsonArray.map { Golden(it.jsonObject) }

    /** Streams that must be refused, by name, each with the name of Python's error. */
    val refused =
        json
            .getValue("refused")
            .jsonArray
            .map { it.jsonObject }
            .associate {
                fun text(name: String) = it.getValue(name).jsonPrimitive.content
                text("name") to (hex(text("stream")) to text("error"))
            }

    class Golden(private val json: JsonObject) {
        val name = text("name")
        val stream = hex(text("stream"))
        val header =
            Header(
                checkNotNull(ModelId.parse(text("model_id"))),
                int("width"),
                int("height"),
                int("iterations"),
                boolean("entropy_coded"),
                boolean("checked"),
                boolean("open_end"),
                boolean("adaptive"),
                int("downscale"),
            )
        val wholeIterations = int("whole_iterations")
        val ends = json.getValue("ends").jsonArray.map { it.jsonPrimitive.int }
        val positive = texts("positive")
        val known = texts("known")

        fun read(
            data: ByteArray = stream,
            allowTruncated: Boolean = false,
            track: Boolean = false,
            iterations: Int? = null,
        ): Planes = readPlanes(data, spec, ReadOptions(iterations, allowTruncated, track = track))

        private fun text(name: String) = json.getValue(name).jsonPrimitive.content

        private fun int(name: String) = json.getValue(name).jsonPrimitive.int

        private fun boolean(name: String) = json.getValue(name).jsonPrimitive.boolean

        private fun texts(name: String) =
            json.getValue(name).jsonArray.map { it.jsonPrimitive.content }
    }
}

/** A plane of +1 where another has bits that are known. */
fun known(plane: BitPlane) =
    BitPlane(
        plane.shape,
        ByteArray(plane.values.size) { if (plane.values[it] != 0.toByte()) 1 else -1 },
    )
