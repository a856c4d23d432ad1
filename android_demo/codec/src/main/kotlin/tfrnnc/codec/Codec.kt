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
import tfrnnc.bitstream.MAX_PIXELS
import tfrnnc.bitstream.Planes
import tfrnnc.bitstream.StreamWriter
import tfrnnc.bitstream.checkBytes
import tfrnnc.bitstream.endCheck
import tfrnnc.bitstream.readPlanes

/**
 * Compresses images to progressive streams and back.
 *
 * Streams are progressive: the first bytes of a stream decode to what they hold, and its first
 * steps to exactly what encoding with as many steps would have given.
 *
 * Not safe for use by several threads at a time.
 *
 * @property models what runs the model's steps; closed with the codec.
 * @property entropyModel gives the probabilities of the model's bits; null for streams that are not
 *   entropy-coded.
 * @throws ModelException if the entropy model is of another model's bits.
 */
class Codec(val models: StepModels, val entropyModel: EntropyModel? = null) : AutoCloseable {
    init {
        if (entropyModel != null) {
            val found = listOf(entropyModel.codecId, entropyModel.bits, entropyModel.steps)
            if (found != listOf(models.modelId, models.bits, models.steps)) {
                throw ModelException(
                    "the entropy model is of model ${found[0]} with ${found[1]} bits and " +
                        "${found[2]} steps, but the model is ${models.modelId} with " +
                        "${models.bits} and ${models.steps}; take the one exported with it"
                )
            }
        }
    }

    /**
     * An encoded image.
     *
     * @property data the stream, or its code without header.
     * @property picture what it decodes to.
     */
    class Encoded(val data: ByteArray, val picture: Pixels)

    /**
     * Compresses an image.
     *
     * The limits can be combined; the tightest counts. Without any, all steps are encoded.
     *
     * @param pixels the image.
     * @param steps encode this many steps.
     * @param bpp at most so many bits per pixel, all bytes counted.
     * @param maxBytes at most so many bytes, all counted. The last step is cut where the bytes end,
     *   if the picture gains from what is there of it.
     * @param header false leaves out the header and the checks, for stores that know the size of
     *   their images and check for themselves; [sharedHeader] makes it a stream again.
     * @param entropyCoding false leaves the entropy model out.
     * @param onStep called after each step with its number, counted from one, and the picture after
     *   it. What it throws ends the encoding.
     * @return the stream, and what it decodes to.
     * @throws ConfigException if a limit is out of range or too few bytes for a picture, or the
     *   model does not take images of this size.
     */
    fun encode(
        pixels: Pixels,
        steps: Int? = null,
        bpp: Double? = null,
        maxBytes: Int? = null,
        header: Boolean = true,
        entropyCoding: Boolean = true,
        onStep: (step: Int, picture: Pixels) -> Unit = { _, _ -> },
    ): Encoded {
        if (steps != null && steps !in 1..models.steps) {
            throw ConfigException(
                "steps must be from 1 to ${models.steps} for this model, not $steps"
            )
        }
        if (bpp != null && !(bpp > 0)) throw ConfigException("bpp must be above 0, not $bpp")
        // A number of bytes that is too large for an Int is no limit to a stream.
        val ofBpp = bpp?.let { (it * pixels.height * pixels.width / 8).toInt() }
        val limit = listOfNotNull(maxBytes, ofBpp).minOrNull()
        val encoding =
            Encoding(
                pixels,
                header(pixels.width, pixels.height, entropyCoding, bare = !header),
                entropyModel.takeIf { entropyCoding },
                bare = !header,
                limit,
            )
        return encoding.run(steps ?: models.steps, onStep)
    }

    /**
     * The header that makes streams of what [encode] gives with `header = false`: in front of the
     * code of any such image.
     *
     * @param width of the images in pixels.
     * @param height of the images in pixels.
     * @param entropyCoding as for [encode].
     */
    fun sharedHeader(width: Int, height: Int, entropyCoding: Boolean = true): ByteArray =
        header(width, height, entropyCoding, bare = true).toBytes()

    /**
     * Decompresses a stream.
     *
     * @param data a stream.
     * @param steps decode this many steps only; null decodes all.
     * @param allowTruncated decode what is there of a stream that was cut, or is damaged from some
     *   place on.
     * @param maxPixels refuse images of more pixels; on a phone, of more than its memory holds.
     * @throws StreamException one of its kinds, if the stream cannot be decoded.
     * @throws ConfigException if the stream never had as many steps, or the model does not take
     *   images of its size.
     */
    fun decode(
        data: ByteArray,
        steps: Int? = null,
        allowTruncated: Boolean = false,
        maxPixels: Long = MAX_PIXELS,
    ): Pixels {
        val found = readPlanes(data, steps, allowTruncated, maxPixels)
        return decode(found.header, found.planes)
    }

    /**
     * Decompresses a stream step by step.
     *
     * @return the picture after each step, computed as it is asked for.
     * @throws StreamException one of its kinds, before the first picture; see [decode], for the
     *   parameters too.
     */
    fun decodeProgressively(
        data: ByteArray,
        allowTruncated: Boolean = false,
        maxPixels: Long = MAX_PIXELS,
    ): Sequence<Pixels> {
        val found = readPlanes(data, null, allowTruncated, maxPixels)
        return sequence {
            var decoded: StepModels.Decoded? = null
            for ((step, plane) in found.planes.withIndex()) {
                decoded = models.decode(found.header, plane, decoded, step)
                yield(decoded.reconstruction.toPixels(found.header.width, found.header.height))
            }
        }
    }

    /**
     * The bits of a stream, which [decode] makes a picture of.
     *
     * @param track prepare for [Planes.cut], which takes four bytes for each bit.
     * @throws StreamException one of its kinds; see [decode], for the other parameters too.
     */
    fun readPlanes(
        data: ByteArray,
        steps: Int? = null,
        allowTruncated: Boolean = false,
        maxPixels: Long = MAX_PIXELS,
        track: Boolean = false,
    ): Planes {
        val header = Header.read(data)
        val model = entropyModel.takeIf { header.entropyCoded }
        val known = model?.streamId ?: models.modelId
        if (header.modelId != known) {
            throw WrongModelException(
                "the stream was made by model ${header.modelId}, but this is $known; take the " +
                    "model that made it"
            )
        }
        if (minOf(steps ?: header.steps, header.steps) > models.steps) {
            throw WrongModelException(
                "the stream has ${header.steps} steps, but the model only ${models.steps}"
            )
        }
        return readPlanes(
            data,
            models.stride,
            models.bits,
            model,
            steps,
            allowTruncated,
            maxPixels,
            track,
        )
    }

    /**
     * Cuts a stream of version 2, without decoding it.
     *
     * @param data a stream.
     * @param maxBytes at most so many bytes, all counted.
     * @return a stream with an open end, which any decoder takes for what it is; the stream itself
     *   if it is short enough.
     * @throws ConfigException if nothing that can be decoded is left, or the stream is of version
     *   1, whose end cannot be open.
     * @throws StreamException one of its kinds, if the stream cannot be decoded.
     */
    fun shorten(data: ByteArray, maxBytes: Int): ByteArray {
        val (header, offset) = Header.readWithLength(data)
        if (data.size <= maxBytes) return data
        if (header.version == 1) {
            throw ConfigException("a stream of version 1 has no open end; encode the image again")
        }
        val shape = header.planeShape(models.stride, models.bits)
        val check = if (header.checked) checkBytes(shape.size) else 0
        val codeEnd = data.size - if (header.openEnd) check else 0
        val end = minOf(maxBytes - check, codeEnd)
        val start = header.copy(openEnd = true).toBytes()
        if (end > offset) {
            val stream = start + data.copyOfRange(offset, end)
            val cut = stream + endCheck(stream, stream.size, check)
            try {
                readPlanes(cut, maxPixels = Long.MAX_VALUE)
                return cut
            } catch (_: TruncatedStreamException) {
                // Said below.
            }
        }
        throw ConfigException(
            "$maxBytes bytes are too few for ${header.width}x${header.height} pixels"
        )
    }

    override fun close() = models.close()

    internal fun decode(header: Header, planes: List<BitPlane>): Pixels {
        var decoded: StepModels.Decoded? = null
        for ((step, plane) in planes.withIndex()) {
            decoded = models.decode(header, plane, decoded, step)
        }
        return checkNotNull(decoded).reconstruction.toPixels(header.width, header.height)
    }

    private fun header(width: Int, height: Int, entropyCoding: Boolean, bare: Boolean): Header {
        val model = entropyModel.takeIf { entropyCoding }
        return Header(
            model?.streamId ?: models.modelId,
            width,
            height,
            models.steps,
            entropyCoded = model != null,
            checked = !bare,
            openEnd = bare,
        )
    }

    /** The encoding of one image within limits. */
    private inner class Encoding(
        private val pixels: Pixels,
        private val header: Header,
        private val entropyModel: EntropyModel?,
        private val bare: Boolean,
        private val maxBytes: Int?,
    ) {
        private val writer = StreamWriter(header, models.stride, models.bits, entropyModel)
        private val loop = ResidualLoop(models, pixels, keep = maxBytes != null)
        private val prefix = if (bare) header.toBytes() else ByteArray(0)
        private var data = ByteArray(0)
        private var picture: Pixels? = null
        private var whole = 0
        private var over = false

        fun run(steps: Int, onStep: (Int, Pixels) -> Unit): Encoded {
            while (whole < steps && !over) {
                val (plane, after) = loop.step()
                writer.add(plane)
                val grown = if (bare) writer.code() else writer.whole()
                over = maxBytes != null && grown.size > maxBytes
                if (!over) {
                    data = grown
                    picture = after
                    whole++
                    onStep(whole, after)
                }
            }
            if (bare && picture != null) endWithinNextStep()
            if (maxBytes != null && (over || data.size > maxBytes)) cutLastStep(maxBytes)
            return Encoded(data, checkNotNull(picture))
        }

        /**
         * Cuts the code out of that of a further step, whose bits the last byte's spare ones are.
         */
        private fun endWithinNextStep() {
            if (!over && whole < models.steps) writer.add(loop.step().first)
            val code = writer.code()
            val found = read(code) ?: error("the code of whole steps can be read")
            data = code.copyOf(found.ends[whole - 1] - prefix.size)
        }

        /** Takes what fits of the last step, if the picture gains from it. */
        private fun cutLastStep(maxBytes: Int) {
            val cut =
                if (bare) writer.code().let { it.copyOf(maxBytes.coerceIn(0, it.size)) }
                else writer.cut(maxBytes) ?: ByteArray(0)
            val planes = if (cut.isEmpty()) emptyList() else read(cut)?.planes.orEmpty()
            val needed = data.size > maxBytes
            if (planes.isNotEmpty() && (planes.size > whole || needed)) {
                val ofCut =
                    if (planes.size == writer.steps) loop.lastPicture(planes.last())
                    else decode(header, planes)
                val before = picture
                if (before == null || needed || error(ofCut) < error(before)) {
                    data = cut
                    picture = ofCut
                }
            }
            if (picture == null || data.size > maxBytes) {
                throw ConfigException(
                    "$maxBytes bytes are too few for ${pixels.width}x${pixels.height} pixels: " +
                        "the first step takes ${writer.whole().size}, of which a picture needs " +
                        "about an eighth and the header"
                )
            }
        }

        /** The planes of a stream or code; null if it is too short for any. */
        private fun read(code: ByteArray): Planes? =
            try {
                readPlanes(
                    prefix + code,
                    models.stride,
                    models.bits,
                    entropyModel,
                    allowTruncated = true,
                    maxPixels = Long.MAX_VALUE,
                )
            } catch (_: TruncatedStreamException) {
                null
            }

        private fun error(picture: Pixels): Long {
            var sum = 0L
            for (i in picture.rgb.indices) {
                val difference =
                    (picture.rgb[i].toInt() and 0xFF) - (pixels.rgb[i].toInt() and 0xFF)
                sum += difference * difference
            }
            return sum
        }
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
        fun load(files: ModelFiles, factory: StepRunner.Factory): Codec {
            val manifest =
                try {
                    Manifest.parse(files.read(Manifest.FILE_NAME).toString(Charsets.UTF_8))
                } catch (error: IOException) {
                    throw ModelException(
                        "${Manifest.FILE_NAME}: cannot be read (${error.message}); export the " +
                            "model first",
                        error,
                    )
                }
            val entropyModel =
                try {
                    EntropyModel.fromBytes(files.read(EntropyModel.FILE_NAME))
                } catch (_: FileNotFoundException) {
                    null
                } catch (error: IOException) {
                    throw ModelException(
                        "${EntropyModel.FILE_NAME}: cannot be read (${error.message})",
                        error,
                    )
                }
            return Codec(ExportedModels(manifest, files, factory), entropyModel)
        }
    }
}
