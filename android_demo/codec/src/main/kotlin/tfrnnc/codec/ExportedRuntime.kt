package tfrnnc.codec

import java.security.MessageDigest
import tfrnnc.ConfigException
import tfrnnc.ModelException
import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.ModelId
import tfrnnc.bitstream.PlaneShape

/**
 * The iterations of exported files, for images of any size.
 *
 * Files of one size run in windows that overlap: each window of an iteration, then the next
 * iteration. The result is that of the whole image at once, for images that are larger and for
 * smaller ones ([isExact] tells the exception). Files that take any size run at once up to
 * [windowSide].
 *
 * Several threads may use it at a time; each file is run by one after the other.
 *
 * @property manifest what is known of the files.
 * @param files where they are.
 * @param factory what runs them.
 * @property windowSide longest side that files of any size are run with.
 * @throws ModelException if a file is missing or not the one that the manifest describes.
 */
class ExportedRuntime(
    val manifest: Manifest,
    files: ModelFiles,
    factory: IterationRunner.Factory,
    val windowSide: Int = 256,
) : Runtime {
    override val modelId: ModelId = manifest.id()
    override val stride = manifest.stride
    override val bits = manifest.bits
    override val iterations = manifest.iterations
    override val independent = manifest.decoders.all { it.margin == 0 }
    private val encoders = manifest.encoders.map { Iteration(it, files, factory) }
    private val decoders = manifest.decoders.map { Iteration(it, files, factory) }

    override fun encodeIteration(
        residual: FeatureMap,
        states: List<FeatureMap>?,
        iteration: Int,
    ): Runtime.Encoded {
        val encoder = encoders[minOf(iteration, encoders.lastIndex)]
        val outputs = encoder.run(residual, states, residual.height, residual.width)
        val logits = outputs.first()
        val shape = PlaneShape(logits.height, logits.width, logits.channels)
        // A logit that is not a number is below nothing, and no bit either.
        val plane = BitPlane(shape, ByteArray(shape.size) { if (logits.values[it] >= 0) 1 else -1 })
        return Runtime.Encoded(plane, outputs.drop(1))
    }

    override fun decodeIteration(
        plane: BitPlane,
        before: Runtime.Decoded?,
        iteration: Int,
    ): Runtime.Decoded {
        val decoder = decoders[minOf(iteration, decoders.lastIndex)]
        val shape = plane.shape
        val values = FloatArray(plane.values.size) { plane.values[it].toFloat() }
        val input = FeatureMap(shape.height, shape.width, shape.bits, values)
        val outputs =
            decoder.run(input, before?.states, shape.height * stride, shape.width * stride)
        val prediction = outputs.first()
        if (manifest.reconstruction == Manifest.ADDITIVE && before != null) {
            val sum = before.reconstruction.values
            for (i in sum.indices) prediction.values[i] += sum[i]
        }
        return Runtime.Decoded(prediction, outputs.drop(1))
    }

    /**
     * Whether images of this size give the bits and pictures of other clients. It is not so for
     * those with a side, rounded up to the stride, that is shorter than the files' size and than
     * twice their margin.
     *
     * @param width of the image in pixels.
     * @param height of the image in pixels.
     */
    fun isExact(width: Int, height: Int): Boolean =
        (encoders + decoders).all { it.isExact(roundUp(height, stride), roundUp(width, stride)) }

    override fun close() = (encoders + decoders).forEach { it.close() }

    /** One file, run on the whole image or on windows of it; by one thread at a time. */
    private inner class Iteration(
        private val file: IterationFile,
        files: ModelFiles,
        private val factory: IterationRunner.Factory,
    ) : AutoCloseable {
        private val content = read(file, files)
        private val margin = roundUp(file.margin, stride)
        private var runner: IterationRunner? = null
        private var size: Pair<Int, Int>? = null
        private var inputs: List<FeatureMap> = emptyList()
        private var outputs: List<FeatureMap> = emptyList()
        private var closed = false

        @Synchronized
        fun run(
            input: FeatureMap,
            states: List<FeatureMap>?,
            height: Int,
            width: Int,
        ): List<FeatureMap> {
            val (rows, columns) = windowSize(height, width)
            val runner = open(rows, columns)
            val values =
                listOf(input) + (states ?: file.inputs.drop(1).map { it.zeros(height, width) })
            val results = file.outputs.map { it.zeros(height, width) }
            if (rows == height && columns == width) {
                runner.run(values, results)
                return results
            }
            for (down in Window.cut(height, rows, margin, stride)) {
                for (right in Window.cut(width, columns, margin, stride)) {
                    runWindow(runner, values, results, down, right)
                }
            }
            return results
        }

        fun isExact(height: Int, width: Int): Boolean {
            val (rows, columns) = windowSize(height, width)
            return Window.isExact(height, rows, margin) && Window.isExact(width, columns, margin)
        }

        private fun windowSize(height: Int, width: Int): Pair<Int, Int> {
            val fixed = manifest.size
            val lengths = listOf(height, width)
            val windows =
                if (fixed != null) fixed
                else lengths.map { minOf(it, maxOf(windowSide, 4 * margin)) }
            for ((length, window) in lengths.zip(windows)) {
                if (length > window && window <= 2 * margin) {
                    throw ConfigException(
                        "${file.name} takes images of at most ${windows[0]}x${windows[1]} " +
                            "pixels, not of ${height}x$width; take files of a larger size"
                    )
                }
            }
            return windows[0] to windows[1]
        }

        private fun runWindow(
            runner: IterationRunner,
            values: List<FeatureMap>,
            results: List<FeatureMap>,
            rows: Window,
            columns: Window,
        ) {
            for ((index, tensor) in file.inputs.withIndex()) {
                val s = tensor.stride
                inputs[index].values.fill(0f)
                values[index].copyInto(
                    inputs[index],
                    rows.start / s until rows.stop / s,
                    columns.start / s until columns.stop / s,
                    0,
                    0,
                )
            }
            runner.run(inputs, outputs)
            for ((index, tensor) in file.outputs.withIndex()) {
                val s = tensor.stride
                outputs[index].copyInto(
                    results[index],
                    (rows.first - rows.start) / s until (rows.last - rows.start) / s,
                    (columns.first - columns.start) / s until (columns.last - columns.start) / s,
                    rows.first / s,
                    columns.first / s,
                )
            }
        }

        private fun open(height: Int, width: Int): IterationRunner {
            if (closed) throw ConfigException("the codec is closed; load it again")
            runner?.let { if (size == height to width) return it }
            closeRunner()
            val opened = factory.open(file, content, height, width)
            runner = opened
            size = height to width
            inputs = file.inputs.map { it.zeros(height, width) }
            outputs = file.outputs.map { it.zeros(height, width) }
            return opened
        }

        @Synchronized
        override fun close() {
            closed = true
            closeRunner()
        }

        private fun closeRunner() {
            runner?.close()
            runner = null
        }
    }

    companion object {
        private fun read(file: IterationFile, files: ModelFiles): ByteArray {
            val content = Codec.read(files, file.name)
            val digest = MessageDigest.getInstance("SHA-256").digest(content)
            if (digest.joinToString("") { "%02x".format(it) } != file.sha256) {
                throw ModelException(
                    "${file.name}: damaged, or not the file that ${Manifest.FILE_NAME} " +
                        "describes; export the model again"
                )
            }
            return content
        }
    }
}
