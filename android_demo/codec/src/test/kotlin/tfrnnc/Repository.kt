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
    /** The default preset, whose files are in export/. */
    private const val DEFAULT_PRESET = "conv_lstm_medium"

    /**
     * A preset whose files compute in float32 and take any size: windows then give the bits of the
     * whole image.
     */
    const val FLOAT_PRESET = "conv_lstm_thumbnails"

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

    /** The default preset's files for images of one side, with weights of 8 bits. */
    fun small(side: Int): File = File(root, "export/$DEFAULT_PRESET/small_${side}x$side")

    /** The files of [FLOAT_PRESET]. */
    val floatPreset: File = File(root, "presets/tfrnnc_presets/$FLOAT_PRESET")

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
