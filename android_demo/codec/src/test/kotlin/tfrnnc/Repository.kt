package tfrnnc

import java.io.File
import java.io.FileNotFoundException
import javax.imageio.ImageIO
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import tfrnnc.codec.ModelFiles
import tfrnnc.codec.Pixels

/** The files that all clients are tested with, where they live: in the repository. */
object Repository {
    val root =
        File(checkNotNull(System.getProperty("tfrnnc.repository")) { "run by Maven or Gradle" })

    /** The folders of exported models that have golden vectors. */
    val exported: List<File> =
        File(root, "export")
            .walk()
            .filter { it.name == "golden.json" }
            .map { it.parentFile.parentFile }
            .sorted()
            .toList()
            .also { check(it.isNotEmpty()) { "there are no golden vectors in export/" } }

    /** An exported model for images of one side, with weights of 8 bits. */
    fun small(side: Int): File = exported.single { it.name == "small_${side}x$side" }

    fun json(path: String): JsonElement = Json.parseToJsonElement(File(root, path).readText())

    fun image(file: File): Pixels {
        val image = ImageIO.read(file)
        val argb = image.getRGB(0, 0, image.width, image.height, null, 0, image.width)
        return Pixels.fromArgb(image.width, image.height, argb)
    }
}

/** The files of a folder. */
fun filesOf(folder: File) = ModelFiles { name ->
    val file = File(folder, name)
    if (!file.exists()) throw FileNotFoundException("$file: no such file")
    file.readBytes()
}

fun hex(text: String): ByteArray =
    ByteArray(text.length / 2) { text.substring(2 * it, 2 * it + 2).toInt(16).toByte() }

fun hex(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(it) }
