package tfrnnc.bitstream

import tfrnnc.ConfigException

/**
 * Makes streams, plane by plane.
 *
 * @param header of the streams; its number of steps and open end are set as they turn out.
 * @param stride of the model.
 * @param bits of the model, at each location.
 * @param entropyModel if the header says that there is one.
 */
class StreamWriter(
    private val header: Header,
    stride: Int,
    bits: Int,
    entropyModel: EntropyModel? = null,
) {
    private val shape = header.planeShape(stride, bits)
    private val endCheckBytes = if (header.checked) checkBytes(shape.size) else 0
    private val encoder: PlaneEncoder

    init {
        if (header.entropyCoded != (entropyModel != null)) {
            throw ConfigException("the header and the entropy model do not fit together")
        }
        encoder = PlaneEncoder(shape, entropyModel, seed(header), header.dynamic)
    }

    /** How many planes there are so far. */
    val steps: Int
        get() = encoder.planes.size

    /**
     * Appends a step's plane of -1 and +1; in dynamic streams 0 for all bits of the locations that
     * stopped. A plane of zeros ends the code, and is no step.
     */
    fun add(plane: BitPlane) = encoder.add(plane)

    /** The code of all planes so far. */
    fun code(): ByteArray = encoder.finish()

    /** The stream of all planes so far. */
    fun whole(): ByteArray = header.copy(steps = steps, openEnd = false).toBytes() + code()

    /** The stream of so many bytes with an open end; null if they are too few for any code. */
    fun cut(size: Int): ByteArray? {
        val start = header.copy(steps = steps, openEnd = true).toBytes()
        val code = code()
        val room = minOf(size - start.size - endCheckBytes, code.size)
        if (room <= 0) return null
        val stream = start + code.copyOf(room)
        return stream + endCheck(stream, stream.size, endCheckBytes)
    }
}
