package tfrnnc.codec

import java.io.FileNotFoundException
import java.io.IOException
import tfrnnc.ConfigException
import tfrnnc.ModelException
import tfrnnc.StreamException
import tfrnnc.TruncatedStreamException
import tfrnnc.WrongModelException
import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.EntropyModel
import tfrnnc.bitstream.Header
import tfrnnc.bitstream.Planes
import tfrnnc.bitstream.ReadOptions
import tfrnnc.bitstream.StreamSpec
import tfrnnc.bitstream.WorkLimits
import tfrnnc.bitstream.checksumBytes
import tfrnnc.bitstream.endChecksum
import tfrnnc.bitstream.readPlanes
import tfrnnc.bitstream.wantedIterations

/**
 * Compresses images to progressive streams and back.
 *
 * Streams are progressive: the first bytes of a stream decode to what they hold, and its first
 * iterations to exactly what encoding with as many iterations would have given.
 *
 * Several threads may use a codec at a time. They take turns at each file of the model, so that
 * more threads are not faster.
 *
 * @property runtime what runs the model's iterations; closed with the codec.
 * @property entropyModel gives the probabilities of the model's bits; null for streams that are not
 *   entropy-coded.
 * @throws ModelException if the entropy model is of another model's bits.
 */
class Codec(val runtime: Runtime, val entropyModel: EntropyModel? = null) : AutoCloseable {
    init {
        if (entropyModel != null) requireEntropyModelOf(runtime, entropyModel)
    }

    /**
     * An encoded image.
     *
     * @property data the stream, or its payload alone.
     * @property picture what it decodes to.
     */
    class Encoded(val data: ByteArray, val picture: Pixels)

    /**
     * Compresses an image.
     *
     * @param pixels the image.
     * @param options the limits, and the kind of the stream.
     * @param onIteration called after each iteration, if two downscales are tried of the one and
     *   then of the other. What it throws ends the encoding.
     * @return the stream, and what it decodes to.
     * @throws ConfigException if an option is out of range, a limit is too few bytes for a picture,
     *   or the model does not take images of this size.
     * @throws tfrnnc.TooLargeException if the image costs more than the limits on work.
     */
    fun encode(
        pixels: Pixels,
        options: EncodeOptions = EncodeOptions(),
        onIteration: OnIteration = { _, _ -> },
    ): Encoded {
        val iterations = options.wantedIterations(runtime.iterations)
        val byteLimit = options.byteLimit(pixels)
        val candidates =
            encodedAt(downscalesToTry(pixels, options, byteLimit)) { downscale ->
                val header = header(pixels.width, pixels.height, options, downscale)
                options.limits.require(header, runtime.stride, iterations)
                Encoding(this, pixels, header, spec(), options.headerless, byteLimit)
                    .run(iterations, onIteration)
            }
        return bestOf(candidates, pixels)
    }

    /**
     * The header that makes streams of headerless payloads: in front of the payload of any image of
     * this size.
     *
     * @param width of the images in pixels.
     * @param height of the images in pixels.
     * @param entropyCoding as for [encode].
     * @param downscale as for [encode]: 2 for payloads that were encoded so.
     * @throws ConfigException if the downscale is neither 1 nor 2.
     */
    fun sharedHeader(
        width: Int,
        height: Int,
        entropyCoding: Boolean = true,
        downscale: Int = 1,
    ): ByteArray {
        val options = EncodeOptions(headerless = true, entropyCoding = entropyCoding)
        return header(width, height, options, downscale).toBytes()
    }

    /**
     * Decompresses a stream.
     *
     * @param data a stream.
     * @param options how much of it to decode, and what it may cost.
     * @throws StreamException one of its kinds, if the stream cannot be decoded.
     * @throws ConfigException if an option is out of range, or the model does not take images of
     *   this size.
     */
    fun decode(data: ByteArray, options: ReadOptions = ReadOptions()): Pixels {
        val stream = readPlanes(data, options)
        return decode(stream.header, stream.planes)
    }

    /**
     * Decompresses a stream iteration by iteration.
     *
     * @return the picture after each iteration, computed as it is asked for.
     * @throws StreamException one of its kinds, before the first picture; see [decode].
     */
    fun decodeProgressive(data: ByteArray, options: ReadOptions = ReadOptions()): Sequence<Pixels> {
        val stream = readPlanes(data, options)
        val header = stream.header
        return sequence {
            var decoded: Runtime.Decoded? = null
            for ((iteration, plane) in stream.planes.withIndex()) {
                decoded = runtime.decodeIteration(header, plane, decoded, iteration)
                yield(header.picture(decoded.reconstruction))
            }
        }
    }

    /**
     * The bits of a stream, which [decode] makes a picture of.
     *
     * @throws StreamException one of its kinds; see [decode].
     */
    fun readPlanes(data: ByteArray, options: ReadOptions = ReadOptions()): Planes {
        val header = Header.read(data)
        requireModelOf(header, options)
        return readPlanes(data, spec(), options)
    }

    /**
     * Cuts a stream, without decoding it.
     *
     * @param data a stream.
     * @param maxBytes at most this many bytes, all counted.
     * @return a stream with an open end, which any decoder takes for what it is; the stream itself
     *   if it is short enough.
     * @throws ConfigException if nothing that can be decoded is left.
     * @throws StreamException one of its kinds, if the stream cannot be decoded.
     */
    fun shorten(data: ByteArray, maxBytes: Int): ByteArray {
        val (header, offset) = Header.readWithLength(data)
        if (data.size <= maxBytes) return data
        val shape = spec().planeShape(header)
        val checksum = if (header.checked) checksumBytes(shape.size) else 0
        val payloadEnd = data.size - if (header.openEnd) checksum else 0
        val end = minOf(maxBytes - checksum, payloadEnd)
        val start = header.copy(openEnd = true).toBytes()
        if (end > offset) {
            val stream = start + data.copyOfRange(offset, end)
            val cut = stream + endChecksum(stream, stream.size, checksum)
            try {
                readPlanes(cut, ReadOptions(limits = WorkLimits.NONE))
                return cut
            } catch (_: TruncatedStreamException) {
                // Said below.
            }
        }
        throw ConfigException(
            "$maxBytes bytes are too few for ${header.width}x${header.height} pixels"
        )
    }

    override fun close() = runtime.close()

    internal fun decode(header: Header, planes: List<BitPlane>): Pixels {
        var decoded: Runtime.Decoded? = null
        for ((iteration, plane) in planes.withIndex()) {
            decoded = runtime.decodeIteration(header, plane, decoded, iteration)
        }
        return header.picture(checkNotNull(decoded).reconstruction)
    }

    private fun spec() = StreamSpec(runtime.stride, runtime.bits, entropyModel)

    private fun requireModelOf(header: Header, options: ReadOptions) {
        val known = entropyModel.takeIf { header.entropyCoded }?.entropyCodedId ?: runtime.modelId
        if (header.modelId != known) {
            throw WrongModelException(
                "the stream was made by model ${header.modelId}, but this is $known; take the " +
                    "model that made it"
            )
        }
        if (wantedIterations(header, options) > runtime.iterations) {
            throw WrongModelException(
                "the stream has ${header.iterations} iterations, but the model only " +
                    "${runtime.iterations}; take the model that made it"
            )
        }
    }

    private fun header(width: Int, height: Int, options: EncodeOptions, downscale: Int): Header {
        val model = entropyModel.takeIf { options.entropyCoding }
        return Header(
            model?.entropyCodedId ?: runtime.modelId,
            width,
            height,
            runtime.iterations,
            entropyCoded = model != null,
            checked = !options.headerless,
            openEnd = options.headerless,
            downscale = downscale,
        )
    }

    companion object {
        /**
         * Loads an exported model, with its entropy model if it has one.
         *
         * @param files of the model: `manifest.json`, the TFLite files that it lists, and maybe
         *   `entropy_model.bin`.
         * @param factory what runs the TFLite files.
         * @throws ModelException if a file is missing, damaged, or does not fit the others.
         */
        fun load(files: ModelFiles, factory: IterationRunner.Factory): Codec {
            val manifest = Manifest.parse(read(files, Manifest.FILE_NAME).toString(Charsets.UTF_8))
            val entropyModel =
                try {
                    EntropyModel.fromBytes(files.read(EntropyModel.FILE_NAME))
                } catch (_: FileNotFoundException) {
                    null
                } catch (error: IOException) {
                    throw unreadable(EntropyModel.FILE_NAME, error)
                }
            return Codec(ExportedRuntime(manifest, files, factory), entropyModel)
        }

        /** The content of a file; throws a [ModelException] that names it. */
        internal fun read(files: ModelFiles, name: String): ByteArray =
            try {
                files.read(name)
            } catch (error: IOException) {
                throw unreadable(name, error)
            }

        private fun unreadable(name: String, error: IOException) =
            ModelException("$name: cannot be read (${error.message}); export the model", error)

        private fun requireEntropyModelOf(runtime: Runtime, model: EntropyModel) {
            val identity = listOf(model.modelId, model.bits, model.iterations)
            if (identity != listOf(runtime.modelId, runtime.bits, runtime.iterations)) {
                throw ModelException(
                    "the entropy model is of model ${model.modelId} with ${model.bits} bits and " +
                        "${model.iterations} iterations, but the model is ${runtime.modelId} " +
                        "with ${runtime.bits} and ${runtime.iterations}; take the one exported " +
                        "with it"
                )
            }
        }
    }
}
