package tfrnnc.demo

import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.ModelId
import tfrnnc.bitstream.PlaneShape
import tfrnnc.codec.FeatureMap
import tfrnnc.codec.Pixels
import tfrnnc.codec.Runtime

/** Iterations without a network: each bit halves what is not known of a block's corner. */
class BlockRuntime(id: Byte = 1) : Runtime {
    override val modelId = ModelId(byteArrayOf(id, 0, 0, 0))
    override val stride = 8
    override val bits = 3
    override val iterations = 4

    /** How many iterations of the decoder were computed. */
    var decoded = 0

    override fun encodeIteration(
        residual: FeatureMap,
        states: List<FeatureMap>?,
        iteration: Int,
    ): Runtime.Encoded {
        val shape = PlaneShape(residual.height / stride, residual.width / stride, bits)
        val plane = BitPlane(shape)
        forEachBit(shape) { bit, row, column, channel ->
            val corner = (row * stride * residual.width + column * stride) * bits + channel
            plane.values[bit] = if (residual.values[corner] >= 0) 1 else -1
        }
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
        before?.reconstruction?.values?.copyInto(map.values)
        forEachBit(shape) { bit, row, column, channel ->
            for (y in row * stride until (row + 1) * stride) {
                for (x in column * stride until (column + 1) * stride) {
                    map.values[(y * map.width + x) * bits + channel] +=
                        0.9f / (2 shl iteration) * plane.values[bit]
                }
            }
        }
        return Runtime.Decoded(map, emptyList())
    }

    /** Whether they were closed. */
    var closed = false

    override fun close() {
        closed = true
    }

    private fun forEachBit(shape: PlaneShape, action: (Int, Int, Int, Int) -> Unit) {
        for (bit in 0 until shape.size) {
            val location = bit / bits
            action(bit, location / shape.width, location % shape.width, bit % bits)
        }
    }
}

/** An image whose colours change from place to place. */
fun gradient(width: Int, height: Int): Pixels {
    val rgb = ByteArray(3 * width * height) { ((it / 3 % width) * 3 + it / 3 / width * 2).toByte() }
    return Pixels(width, height, rgb)
}
