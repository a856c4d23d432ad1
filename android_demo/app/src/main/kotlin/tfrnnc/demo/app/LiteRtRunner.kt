package tfrnnc.demo.app

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import org.tensorflow.lite.Interpreter
import tfrnnc.ModelException
import tfrnnc.codec.FeatureMap
import tfrnnc.codec.IterationFile
import tfrnnc.codec.IterationRunner

/** Runs a TFLite file by LiteRT. */
class LiteRtRunner(private val file: IterationFile, content: ByteArray, height: Int, width: Int) :
    IterationRunner {
    private val model = direct(content.size).put(content)
    private val interpreter: Interpreter
    private val inputs = file.inputs.map { floats(it.zeros(height, width)) }
    private val outputs = file.outputs.map { floats(it.zeros(height, width)) }

    init {
        val threads = Runtime.getRuntime().availableProcessors().coerceIn(1, MAX_THREADS)
        try {
            interpreter = Interpreter(model, Interpreter.Options().setNumThreads(threads))
            resize(height, width)
        } catch (error: IllegalArgumentException) {
            throw ModelException("${file.name}: cannot be run (${error.message})", error)
        }
    }

    override fun run(inputs: List<FeatureMap>, outputs: List<FeatureMap>) {
        for ((buffer, map) in this.inputs.zip(inputs)) {
            rewound(buffer).put(map.values)
            rewound(buffer)
        }
        val named = file.inputs.map { it.name }.zip(this.inputs).toMap<String, Any>()
        val results = file.outputs.map { it.name }.zip(this.outputs).toMap<String, Any>()
        this.outputs.forEach { rewound(it) }
        try {
            interpreter.runSignature(named, results, SIGNATURE)
        } catch (error: IllegalArgumentException) {
            throw ModelException("${file.name}: cannot be run (${error.message})", error)
        }
        for ((buffer, map) in this.outputs.zip(outputs)) rewound(buffer).get(map.values)
    }

    /** Files of one size have it; the others take that of the first call. */
    private fun resize(height: Int, width: Int) {
        for (tensor in file.inputs) {
            val found = interpreter.getInputTensorFromSignature(tensor.name, SIGNATURE)
            val wanted =
                intArrayOf(1, height / tensor.stride, width / tensor.stride, tensor.channels)
            if (!found.shape().contentEquals(wanted)) {
                val number =
                    (0 until interpreter.inputTensorCount).first {
                        interpreter.getInputTensor(it).index() == found.index()
                    }
                interpreter.resizeInput(number, wanted)
            }
        }
        interpreter.allocateTensors()
    }

    override fun close() = interpreter.close()

    private companion object {
        const val SIGNATURE = "serving_default"
        const val MAX_THREADS = 4

        fun direct(bytes: Int): ByteBuffer =
            ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

        fun floats(map: FeatureMap): FloatBuffer = direct(4 * map.values.size).asFloatBuffer()

        /** By the method of the oldest Android, which newer ones override with another type. */
        fun rewound(buffer: FloatBuffer): FloatBuffer {
            val plain: Buffer = buffer
            plain.rewind()
            return buffer
        }
    }
}
