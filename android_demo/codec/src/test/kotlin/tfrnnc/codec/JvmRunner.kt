package tfrnnc.codec

import org.bytedeco.javacpp.BytePointer
import org.bytedeco.javacpp.FloatPointer
import org.bytedeco.javacpp.Pointer
import org.bytedeco.tensorflowlite.BuiltinOpResolver
import org.bytedeco.tensorflowlite.FlatBufferModel
import org.bytedeco.tensorflowlite.Interpreter
import org.bytedeco.tensorflowlite.InterpreterBuilder
import org.bytedeco.tensorflowlite.TfLiteTensor
import org.bytedeco.tensorflowlite.global.tensorflowlite.kTfLiteOk
import tfrnnc.ModelException

/** Runs TFLite files on the JVM, by TensorFlow Lite's own library. */
class JvmRunner(file: IterationFile, content: ByteArray, height: Int, width: Int) :
    IterationRunner {
    private val bytes = BytePointer(*content)
    private val model =
        FlatBufferModel.BuildFromBuffer(bytes, content.size.toLong())
            ?: throw ModelException("${file.name}: not a TFLite file")
    private val resolver = BuiltinOpResolver()
    private val builder = InterpreterBuilder(model, resolver)
    private val interpreter = Interpreter(null as Pointer?)
    private val inputs: List<TfLiteTensor>
    private val outputs: List<TfLiteTensor>

    init {
        require(file, builder.apply(interpreter), "be opened")
        interpreter.SetNumThreads(1)
        val indices = interpreter.signature_inputs(SIGNATURE)
        for (tensor in file.inputs) {
            val index = indices.get(tensor.name)
            val shape =
                intArrayOf(1, height / tensor.stride, width / tensor.stride, tensor.channels)
            require(file, interpreter.ResizeInputTensorStrict(index, shape), "be resized")
        }
        require(file, interpreter.AllocateTensors(), "be allocated")
        inputs = file.inputs.map { interpreter.input_tensor_by_signature(it.name, SIGNATURE) }
        outputs = file.outputs.map { interpreter.output_tensor_by_signature(it.name, SIGNATURE) }
    }

    override fun run(inputs: List<FeatureMap>, outputs: List<FeatureMap>) {
        for ((tensor, map) in this.inputs.zip(inputs)) {
            floats(tensor, map).put(map.values, 0, map.values.size)
        }
        check(interpreter.Invoke() == kTfLiteOk) { "the interpreter failed" }
        for ((tensor, map) in this.outputs.zip(outputs)) {
            floats(tensor, map).get(map.values, 0, map.values.size)
        }
    }

    private fun floats(tensor: TfLiteTensor, map: FeatureMap): FloatPointer {
        check(tensor.bytes() == 4L * map.values.size) { "a tensor is of another size" }
        return FloatPointer(tensor.data().data())
    }

    private fun require(file: IterationFile, status: Int, what: String) {
        if (status != kTfLiteOk) throw ModelException("${file.name}: cannot $what")
    }

    override fun close() {
        for (pointer in listOf(interpreter, builder, resolver, model, bytes)) pointer.deallocate()
    }

    private companion object {
        const val SIGNATURE = "serving_default"
    }
}
