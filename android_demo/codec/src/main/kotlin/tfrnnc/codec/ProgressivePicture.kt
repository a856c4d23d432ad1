package tfrnnc.codec

import tfrnnc.bitstream.Planes

/**
 * The pictures that the first bytes of a stream give, for any number of bytes: what a slider over
 * bytes, or a download, shows. The bits are decoded once; pictures after whole iterations are kept.
 * Several threads may use it at a time; they take turns.
 *
 * @param runtime of the codec that read the planes.
 * @property planes read with `track`.
 */
class ProgressivePicture(private val runtime: Runtime, val planes: Planes) {
    private val pictures = arrayOfNulls<Pixels>(planes.planes.size)
    private var decoded: Runtime.Decoded? = null
    private var iterations = 0

    /**
     * The picture of the first bytes.
     *
     * @param bytes how many.
     * @param onIteration called before each iteration that is computed. What it throws ends the
     *   computation.
     * @return null if they are too few for any picture.
     */
    @Synchronized
    fun at(bytes: Int, onIteration: () -> Unit = {}): Pixels? {
        val cut = planes.cut(bytes)
        if (cut.isEmpty()) return null
        val last = cut.lastIndex
        val isWhole = cut[last] === planes.planes[last]
        if (isWhole)
            pictures[last]?.let {
                return it
            }
        advance(if (isWhole) cut.size else last, onIteration)
        if (isWhole) return pictures[last]
        onIteration()
        return pixels(runtime.decodeIteration(planes.header, cut[last], decoded, last))
    }

    /** Brings the states to those after this many iterations. */
    private fun advance(wanted: Int, onIteration: () -> Unit) {
        if (wanted < iterations) {
            decoded = null
            iterations = 0
        }
        while (iterations < wanted) {
            onIteration()
            val plane = planes.planes[iterations]
            val after = runtime.decodeIteration(planes.header, plane, decoded, iterations)
            decoded = after
            if (pictures[iterations] == null) pictures[iterations] = pixels(after)
            iterations++
        }
    }

    private fun pixels(decoded: Runtime.Decoded) = planes.header.picture(decoded.reconstruction)
}
