package tfrnnc.codec

import java.io.IOException
import java.security.MessageDigest
import tfrnnc.ConfigException
import tfrnnc.ModelException
import tfrnnc.bitstream.BitPlane
import tfrnnc.bitstream.ModelId
import tfrnnc.bitstream.PlaneShape

/**
 * The step models of exported files, for images of any size.
 *
 * Files of one size run in windows that overlap: each window of a step, then the next step. The
 * result is that of the whole image at once, for images that are larger and for smaller ones
 * ([isExact] tells the exception). Files that take any size run at once up to [windowSide].
 *
 * Not safe for use by several threads at a time.
 *
 * @property manifest what is known of the files.
 * @param files where they are.
 * @param factory what runs them.
 * @property windowSide longest side that files of any size are run with.
 * @throws ModelException if a file is missing or not the one that the manifest describes.
 */
class ExportedModels(
    val manifest: Manifest,
    files: ModelFiles,
    factory: StepRunner.Factory,
    val windowSide: Int = 256,
) : StepModels {
    override val modelId: ModelId = manifest.id()
    override val stride = manifest.stride
    override val bits = manifest.bits
    override val steps = manifest.steps
    override val independent = manifest.decoders.all { it.reach == 0 }
    private val encoders = manifest.encoders.map { Step(it, files, factory) }
    private val decoders = manifest.decoders.map { Step(it, files, factory) }

    override fun encode(
        residual: FeatureMap,
        states: List<FeatureMap>?,
        step: Int,
    ): StepModels.Encoded {
        val encoder = encoders[minOf(step, encoders.lastIndex)]
        val outputs = encoder.run(residual, states, residual.height, residual.width)
        val logits = outputs.first()
        val shape = PlaneShape(logits.height, logits.width, logits.channels)
        // A logit that is not a number is below nothing, and no bit either.
        val plane = BitPlane(shape, ByteArray(shape.size) { if (logits.values[it] >= 0) 1 else -1 })
        return StepModels.Encoded(plane, outputs.drop(1))
    }

    override fun decode(
        plane: BitPlane,
        before: StepModels.Decoded?,
        step: Int,
    ): StepModels.Decoded {
        val decoder = decoders[minOf(step, decoders.lastIndex)]
        val shape = plane.shape
        val values = FloatArray(plane.values.size) { plane.values[it].toFloat() }
        val input = FeatureMap(shape.height, shape.width, shape.bits, values)
        val outputs =
            decoder.run(input, before?.states, shape.height * stride, shape.width * stride)
        val prediction = outputs.first()
        if (manifest.reconstruction == "additive" && before != null) {
            val sum = before.reconstruction.values
            for (i in sum.indices) prediction.values[i] += sum[i]
        }
        return StepModels.Decoded(prediction, outputs.drop(1))
    }

    /**
     * Whether images of this size give the bits and pictures of other clients. It is not so for
     * those with a side, rounded up to the stride, that is shorter than the files' size and than
     * twice their reach.
     *
     * @param width of the image in pixels.
     * @param height of the image in pixels.
     */
    fun isExact(width: Int, height: Int): Boolean =
        (encoders + decoders).all { it.isExact(roundUp(height, stride), roundUp(width, stride)) }

    override fun close() = (encoders + decoders).forEach { it.close() }

    /** One file, run on the whole image or on windows of it. */
    private inner class Step(
        private val file: StepFile,
        files: ModelFiles,
        private val factory: StepRunner.Factory,
    ) : AutoCloseable {
        private val content = read(file, files)
        private val margin = roundUp(file.reach, stride)
        private var runner: StepRunner? = null
        private var size: Pair<Int, Int>? = null
        private var inputs: List<FeatureMap> = emptyList()
        private var outputs: List<FeatureMap> = emptyList()

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
            runner: StepRunner,
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

        private fun open(height: Int, width: Int): StepRunner {
            runner?.let { if (size == height to width) return it }
            close()
            val opened = factory.open(file, content, height, width)
            runner = opened
            size = height to width
            inputs = file.inputs.map { it.zeros(height, width) }
            outputs = file.outputs.map { it.zeros(height, width) }
            return opened
        }

        override fun close() {
            runner?.close()
            runner = null
        }
    }

    companion object {
        private fun read(file: StepFile, files: ModelFiles): ByteArray {
            val content =
                try {
                    files.read(file.name)
                } catch (error: IOException) {
                    throw ModelException(
                        "${file.name}: cannot be read (${error.message}); export the model again",
                        error,
                    )
                }
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
