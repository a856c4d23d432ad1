package tfrnnc.codec

import java.io.FileNotFoundException
import java.io.IOException

/** The files of an exported model, by name: a folder's, or an app's assets. */
fun interface ModelFiles {
    /**
     * The content of a file.
     *
     * @throws FileNotFoundException if there is none of this name.
     * @throws IOException if it cannot be read.
     */
    fun read(name: String): ByteArray
}
