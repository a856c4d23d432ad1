package tfrnnc.codec

import tfrnnc.ModelException

/** Runs one exported file on tensors of one size; what an app brings with its interpreter. */
interface IterationRunner : AutoCloseable {
    /**
     * Runs the iteration.
     *
     * @param inputs in the order of [IterationFile.inputs].
     * @param outputs in the order of [IterationFile.outputs]; filled in.
     */
    fun run(inputs: List<FeatureMap>, outputs: List<FeatureMap>)

    /** Opens files. */
    fun interface Factory {
        /**
         * Opens a file.
         *
         * @param file what the manifest says of it. Tensors go by the names given there, in the
         *   signature `serving_default`.
         * @param content of the TFLite file.
         * @param height of the images in pixels; files of any size are to be resized to it.
         * @param width of the images in pixels.
         * @throws ModelException if it cannot be run.
         */
        fun open(file: IterationFile, content: ByteArray, height: Int, width: Int): IterationRunner
    }
}
