package tfrnnc.codec

import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.GoldenContainer
import tfrnnc.bitstream.ModelId
import tfrnnc.bitstream.PlaneShape

/**
 * Iterations without a network: each bit halves what is known of a block's colour.
 *
 * @param brighter added in each iteration, even where there are no bits.
 */
class ToyRuntime(override val iterations: Int = 2, private val brighter: Float = 0f) : Runtime {
    override val modelId: ModelId = GoldenContainer.entropyModel.modelId
    override val stride = GoldenContainer.stride
    override val bits = 3
    override val independent = brighter > 0

    /** How many iterations of the decoder were computed. */
    @Volatile var decoded = 0

    override fun encodeIteration(
        residual: FeatureMap,
        states: List<FeatureMap>?,
        iteration: Int,
    ): Runtime.Encoded {
        val shape = PlaneShape(residual.height / stride, residual.width / stride, bits)
        val sums = FloatArray(shape.size)
        for (row in 0 until residual.height) for (column in 0 until residual.width) {
            for (channel in 0 until bits) {
                sums[(row / stride * shape.width + column / stride) * bits + channel] +=
                    residual.values[(row * residual.width + column) * bits + channel]
            }
        }
        val plane = BitPlane(shape, ByteArray(shape.size) { if (sums[it] >= 0) 1 else -1 })
        return Runtime.Encoded(plane, emptyList())
    }

    override fun decodeIteration(
        plane: BitPlane,
        before: Runtime.Decoded?,
        iteration: Int,
    ): Runtime.Decoded {
        decoded++
        val shape = plane.shape
        val map = FeatureMap(shape.height * stride, shape.width * stride, bits)
        val amplitude = 0.9f / (2 shl iteration)
        for (row in 0 until map.height) for (column in 0 until map.width) {
            for (channel in 0 until bits) {
                val place = (row * map.width + column) * bits + channel
                val bit = (row / stride * shape.width + column / stride) * bits + channel
                val known = before?.reconstruction?.values?.get(place) ?: 0f
                map.values[place] = known + amplitude * plane.values[bit] + brighter
            }
        }
        return Runtime.Decoded(map, emptyList())
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
