package tfrnnc.preview

import java.io.IOException
import java.io.InputStream
import tfrnnc.ModelException
import tfrnnc.StreamException
import tfrnnc.codec.Pixels

/**
 * The picture of a preview.
 *
 * @property pixels 32x32, the whole picture, stretched to a square.
 * @property aspectRatio width by height of the shape to show them in.
 */
class Preview(val pixels: Pixels, val aspectRatio: Float)

/**
 * Decodes previews to the same pixels as Python, in whole numbers; docs/PREVIEW.md describes how.
 *
 * It keeps nothing, and threads may share it.
 */
class PreviewDecoder private constructor(private val weights: PreviewWeights) {
    /**
     * The picture of a preview.
     *
     * @param text from tfrnnc-preview, whole or cut.
     * @throws StreamException if it is no preview.
     */
    fun decode(text: String): Preview {
        val parsed = PreviewText.read(text)
        val rgb = beforeNetwork(parsed)
        if (parsed.payload.isNotEmpty()) restore(rgb, parsed)
        val pixels = Pixels(SIDE, SIDE, ByteArray(rgb.size) { rgb[it].toByte() })
        return Preview(pixels, parsed.width.toFloat() / parsed.height)
    }

    /** Red, green and blue of all pixels as the coefficients alone give them. */
    private fun beforeNetwork(parsed: PreviewText): IntArray {
        val rgb = InverseDct.of(PreviewCoefficients.read(parsed, weights), weights.basis)
        val (luma, blue, red) = parsed.average
        for (i in rgb.indices step 3) {
            toRgb(luma + rgb[i], blue + rgb[i + 1], red + rgb[i + 2]).copyInto(rgb, i)
        }
        return rgb
    }

    /** Adds what the network makes of the picture. */
    private fun restore(rgb: IntArray, parsed: PreviewText) {
        val (first, second, output) = weights.layers
        val x = convolve(convolve(networkInput(rgb, parsed), first, 0), second, 0)
        val changes = convolve(x, output)
        for (i in rgb.indices) {
            rgb[i] = (rgb[i] + changes[indexOf(i, BLOCK_CHANNELS)]).coerceIn(0, 255)
        }
    }

    /** The picture as blocks of pixels, and what the network is told of the preview. */
    private fun networkInput(rgb: IntArray, parsed: PreviewText): IntArray {
        val channels = BLOCK_CHANNELS + 2
        val map = IntArray(PADDED * PADDED * channels)
        for (i in rgb.indices) map[indexOf(i, channels)] = 4 * (rgb[i] - 128)
        for (i in BLOCK_CHANNELS until map.size step channels) {
            map[i] = 64 * parsed.step - 224
            map[i + 1] = 8 * parsed.size - 256
        }
        repeatEdges(map, channels)
        return map
    }

    companion object {
        /** Rows and columns of the picture. */
        const val SIDE = 32

        private const val GRID = 8
        private const val PLACES = GRID * GRID

        /**
         * Rows and columns of a feature map: around the 8x8 of the network there is the nearest
         * edge again, so that no loop asks where it is.
         */
        private const val PADDED = GRID + 2
        private const val BLOCK = SIDE / GRID
        private const val BLOCK_CHANNELS = 3 * BLOCK * BLOCK
        private const val KERNEL = 3 // Rows and columns.
        private const val ACTIVATION_LIMIT = 1023

        /**
         * Reads the weights, `decoder.bin`; the caller closes the stream.
         *
         * @throws ModelException if they cannot be read, are damaged, or of another version.
         */
        fun load(weights: InputStream): PreviewDecoder {
            val content =
                try {
                    weights.readBytes()
                } catch (error: IOException) {
                    throw ModelException(
                        "the preview decoder's weights cannot be read (${error.message}); take the " +
                            "decoder.bin of this release",
                        error,
                    )
                }
            return PreviewDecoder(PreviewWeights.read(content))
        }

        private fun padded(place: Int) = (place / GRID + 1) * PADDED + place % GRID + 1

        /** Where number [i] of (row, column, colour) lies in a map of this many channels. */
        private fun indexOf(i: Int, channels: Int): Int {
            val (pixel, colour) = i / 3 to i % 3
            val (y, x) = pixel / SIDE to pixel % SIDE
            val place = padded(y / BLOCK * GRID + x / BLOCK)
            return place * channels + 3 * (y % BLOCK * BLOCK + x % BLOCK) + colour
        }

        private fun limit(value: Int, least: Int): Int =
            if (value < least) least else if (value > ACTIVATION_LIMIT) ACTIVATION_LIMIT else value

        /** A convolution and the activations behind it, which are [least] at least. */
        private fun convolve(
            input: IntArray,
            layer: PreviewLayer,
            least: Int = -ACTIVATION_LIMIT,
        ): IntArray {
            val inputs = input.size / (PADDED * PADDED)
            val outputs = layer.bias.size
            val map = IntArray(PADDED * PADDED * outputs)
            val sums = IntArray(outputs)
            // The neighbours in a row lie side by side: each row of a kernel is one sum of
            // products.
            val run = KERNEL * inputs
            for (place in 0 until PLACES) {
                val corner = (padded(place) - PADDED - 1) * inputs
                layer.bias.copyInto(sums)
                var weight = 0
                for (row in 0 until KERNEL) {
                    val start = corner + row * PADDED * inputs
                    for (i in start until start + run) {
                        val value = input[i]
                        for (channel in 0 until outputs) {
                            sums[channel] += value * layer.kernel[weight + channel]
                        }
                        weight += outputs
                    }
                }
                val target = padded(place) * outputs
                for (channel in 0 until outputs) {
                    map[target + channel] = limit(sums[channel] shr layer.shift, least)
                }
            }
            repeatEdges(map, outputs)
            return map
        }

        private fun repeatEdges(map: IntArray, channels: Int) {
            val row = PADDED * channels
            for (start in row until map.size - row step row) {
                map.copyInto(map, start, start + channels, start + 2 * channels)
                val end = start + row
                map.copyInto(map, end - channels, end - 2 * channels, end - channels)
            }
            map.copyInto(map, 0, row, 2 * row)
            map.copyInto(map, map.size - row, map.size - 2 * row, map.size - row)
        }
    }
}
