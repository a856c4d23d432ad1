package tfrnnc.bitstream

import tfrnnc.ConfigException

/**
 * Makes streams, plane by plane.
 *
 * @param header of the streams; its number of iterations and open end are set as they turn out.
 * @param spec of the model, with an entropy model if the header says that there is one.
 */
class StreamWriter(private val header: Header, spec: StreamSpec) {
    private val shape = spec.planeShape(header)
    private val endChecksumBytes = if (header.checked) checksumBytes(shape.size) else 0
    private val encoder: PlaneEncoder

    init {
        if (header.entropyCoded && spec.entropyModel == null) {
            throw ConfigException("the header says that there is an entropy model; give it")
        }
        val model = spec.entropyModel.takeIf { header.entropyCoded }
        encoder = PlaneEncoder(shape, model, seed(header), header.adaptive)
    }

    /** How many planes there are so far. */
    val iterations: Int
        get() = encoder.planes.size

    /**
     * Appends an iteration's plane of -1 and +1; in adaptive streams 0 for all bits of the
     * locations that stopped. A plane of zeros ends the payload, and is no iteration.
     */
    fun add(plane: BitPlane) = encoder.add(plane)

    /** The payload of all planes so far. */
    fun payload(): ByteArray = encoder.finish()

    /**
     * How many bytes of a payload it takes to have some iterations whole: known from when they were
     * written, without reading it.
     *
     * @param iterations that end there.
     * @param payload of these or more.
     */
    fun end(iterations: Int, payload: ByteArray): Int = encoder.end(iterations, payload)

    /** The stream of all planes so far. */
    fun whole(): ByteArray =
        header.copy(iterations = iterations, openEnd = false).toBytes() + payload()

    /** The stream of this size with an open end; null if it is too small for any payload. */
    fun cut(size: Int): ByteArray? {
        val start = header.copy(iterations = iterations, openEnd = true).toBytes()
        val payload = payload()
        val room = minOf(size - start.size - endChecksumBytes, payload.size)
        if (room <= 0) return null
        val stream = start + payload.copyOf(room)
        return stream + endChecksum(stream, stream.size, endChecksumBytes)
    }
}
