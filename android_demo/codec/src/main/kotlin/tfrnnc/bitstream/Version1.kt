package tfrnnc.bitstream

import tfrnnc.CorruptStreamException
import tfrnnc.TruncatedStreamException
import tfrnnc.WrongModelException

/** Streams of version 1, which are still read: planes as they are, eight bits to a byte. */
internal object Version1 {
    private val START = "RNNC".toByteArray(Charsets.US_ASCII) + 1

    /** What a stream says of itself. */
    class OldHeader(val header: Header, val stride: Int, val bits: Int)

    /** Whether a stream, whole or cut, is of version 1. */
    fun recognises(data: ByteArray): Boolean =
        data.size > 2 && START.indices.all { it >= data.size || data[it] == START[it] }

    /** The pair (header, its length in bytes). */
    fun readHeader(data: ByteArray): Pair<OldHeader, Int> {
        val reader = FieldReader(data, 0)
        reader.take(START.size)
        val modelId = ModelId(reader.take(ModelId.BYTES))
        val width = reader.varint()
        val height = reader.varint()
        val (stride, bits, steps) = reader.take(3).map { it.toInt() and 0xFF }
        val sides = width in 1..Int.MAX_VALUE && height in 1..Int.MAX_VALUE
        if (!sides || stride == 0 || bits == 0 || steps == 0) {
            throw CorruptStreamException(
                "the header is damaged: ${width}x$height pixels, $bits bits at stride $stride, " +
                    "$steps steps"
            )
        }
        val header =
            Header(modelId, width.toInt(), height.toInt(), steps, checked = false, version = 1)
        return OldHeader(header, stride, bits) to reader.offset
    }

    /** Reads the planes; see [readPlanes]. */
    fun readPlanes(
        data: ByteArray,
        stride: Int,
        bits: Int,
        wanted: Int,
        allowTruncated: Boolean,
        track: Boolean,
    ): Planes {
        val (old, offset) = readHeader(data)
        val header = old.header
        if (old.stride != stride || old.bits != bits) {
            throw WrongModelException(
                "the stream has ${old.bits} bits at stride ${old.stride}, but the model has " +
                    "$bits at stride $stride"
            )
        }
        val shape = header.planeShape(stride, bits)
        val size = (shape.size - 1) / 8 + 1
        val whole = offset + header.steps.toLong() * size
        val available = (data.size - offset) / size
        if (data.size > whole) {
            throw CorruptStreamException(
                "the stream has ${data.size} bytes, but its header says $whole"
            )
        }
        if (available < wanted && !(allowTruncated && available > 0)) {
            throw TruncatedStreamException(
                "the stream is cut: ${data.size} of $whole bytes, $available of ${header.steps} " +
                    "steps whole; ${remedy(available > 0)}",
                available,
            )
        }
        val ends = List(minOf(wanted, available)) { offset + size * (it + 1) }
        val planes = ends.map { BitPlane.unpack(data.copyOfRange(it - size, it), shape) }
        // A plane of this version counts when all of its bytes are there.
        val needs = if (track) ends.map { end -> IntArray(shape.size) { end } } else emptyList()
        return Planes(header, planes, planes.size, ends, needs, planes.map { shape.size })
    }
}

/** What to do about a stream that is cut. */
internal fun remedy(decodable: Boolean): String =
    if (decodable) "decode what is there with allowTruncated = true" else "get more of it"
