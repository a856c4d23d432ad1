package tfrnnc.codec

import tfrnnc.bitstream.Planes

/**
 * The pictures that the first bytes of a stream give, for any number of bytes: what a slider over
 * bytes, or a download, shows. The bits are decoded once; pictures after whole steps are kept.
 *
 * Not safe for use by several threads at a time.
 *
 * @param models of the codec that read the planes.
 * @property planes read with `track`.
 */
class ProgressivePicture(private val models: StepModels, val planes: Planes) {
    private val pictures = arrayOfNulls<Pixels>(planes.planes.size)
    private var decoded: StepModels.Decoded? = null
    private var steps = 0

    /**
     * The picture of the first bytes.
     *
     * @param bytes how many.
     * @param onStep called before each step that is computed. What it throws ends the computation.
     * @return null if they are too few for any picture.
     */
    fun at(bytes: Int, onStep: () -> Unit = {}): Pixels? {
        val cut = planes.cut(bytes)
        if (cut.isEmpty()) return null
        val last = cut.lastIndex
        val same = cut[last] === planes.planes[last]
        if (same)
            pictures[last]?.let {
                return it
            }
        advance(if (same) cut.size else last, onStep)
        if (same) return pictures[last]
        onStep()
        return pixels(models.decode(planes.header, cut[last], decoded, last))
    }

    /** Brings the states to those after so many steps. */
    private fun advance(wanted: Int, onStep: () -> Unit) {
        if (wanted < steps) {
            decoded = null
            steps = 0
        }
        while (steps < wanted) {
            onStep()
            val after = models.decode(planes.header, planes.planes[steps], decoded, steps)
            decoded = after
            if (pictures[steps] == null) pictures[steps] = pixels(after)
            steps++
        }
    }

    private fun pixels(decoded: StepModels.Decoded) =
        decoded.reconstruction.toPixels(planes.header.width, planes.header.height)
}
