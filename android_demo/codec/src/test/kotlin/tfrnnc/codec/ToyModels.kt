package tfrnnc.codec

import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.GoldenContainer
import tfrnnc.bitstream.ModelId
import tfrnnc.bitstream.PlaneShape

/**
 * Step models without a network: each bit halves what is known of a block's colour.
 *
 * @param brighter added in each step, even where there are no bits.
 */
class ToyModels(override val steps: Int = 2, private val brighter: Float = 0f) : StepModels {
    override val modelId: ModelId = GoldenContainer.entropyModel.codecId
    override val stride = GoldenContainer.stride
    override val bits = 3
    override val independent = brighter > 0

    /** How many steps of the decoder were computed. */
    var decoded = 0

    override fun encode(
        residual: FeatureMap,
        states: List<FeatureMap>?,
        step: Int,
    ): StepModels.Encoded {
        val shape = PlaneShape(residual.height / stride, residual.width / stride, bits)
        val sums = FloatArray(shape.size)
        for (row in 0 until residual.height) for (column in 0 until residual.width) {
            for (channel in 0 until bits) {
                sums[(row / stride * shape.width + column / stride) * bits + channel] +=
                    residual.values[(row * residual.width + column) * bits + channel]
            }
        }
        val plane = BitPlane(shape, ByteArray(shape.size) { if (sums[it] >= 0) 1 else -1 })
        return StepModels.Encoded(plane, emptyList())
    }

    override fun decode(
        plane: BitPlane,
        before: StepModels.Decoded?,
        step: Int,
    ): StepModels.Decoded {
        decoded++
        val shape = plane.shape
        val map = FeatureMap(shape.height * stride, shape.width * stride, bits)
        val amplitude = 0.9f / (2 shl step)
        for (row in 0 until map.height) for (column in 0 until map.width) {
            for (channel in 0 until bits) {
                val place = (row * map.width + column) * bits + channel
                val bit = (row / stride * shape.width + column / stride) * bits + channel
                val known = before?.reconstruction?.values?.get(place) ?: 0f
                map.values[place] = known + amplitude * plane.values[bit] + brighter
            }
        }
        return StepModels.Decoded(map, emptyList())
    }

    override fun close() = Unit
}

/** An image of colours that change from place to place. */
fun blobs(width: Int, height: Int, seed: Int = 0): Pixels {
    val random = kotlin.random.Random(seed)
    val waves = List(9) { random.nextDouble(0.02, 0.3) }
    val rgb =
        ByteArray(3 * width * height) { i ->
            val (x, y) = i / 3 % width to i / 3 / width
            val wave = Math.sin(waves[i % 3] * x) + Math.cos(waves[3 + i % 3] * y)
            (128 + 60 * wave).toInt().coerceIn(0, 255).toByte()
        }
    return Pixels(width, height, rgb)
}
