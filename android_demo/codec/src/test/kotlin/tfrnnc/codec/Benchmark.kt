package tfrnnc.codec

import java.io.File
import kotlin.system.measureNanoTime
import tfrnnc.Repository
import tfrnnc.bitstream.ReadOptions
import tfrnnc.filesOf

/** Prints what the README of the demo says of the time; `android_demo/maven bench`. */
fun main() {
    val folder = Repository.small(256)
    val golden = File(folder, "golden")
    val file = golden.listFiles { each -> each.extension == "rnnc" }.orEmpty().min()
    val stream = file.readBytes()
    val image = Repository.image(File(golden, "${file.nameWithoutExtension}.png"))
    Codec.load(filesOf(folder), ::JvmRunner).use { codec ->
        println("${file.name}: ${image.width}x${image.height}, ${stream.size} bytes")
        println("entropy decoding: ${milliseconds(20) { codec.readPlanes(stream) }}")
        println(
            "and for a slider: ${milliseconds(20) { codec.readPlanes(stream, ReadOptions(track = true)) }}"
        )
        println("decoding: ${milliseconds(5) { codec.decode(stream) }}")
        println("encoding: ${milliseconds(5) { codec.encode(image) }}")
    }
    val large = blobs(6000, 4000)
    val half = large.reduced()
    println("reducing 24 megapixels: ${milliseconds(5) { large.reduced() }}")
    println("enlarging to 24 megapixels: ${milliseconds(5) { half.enlarged(6000, 4000) }}")

    // Sides that are too short for the margins: how far this is from the image at once.
    val preset = filesOf(Repository.floatPreset)
    val manifest = Manifest.parse(preset.read(Manifest.FILE_NAME).toString(Charsets.UTF_8))
    val atOnce = Codec(ExportedRuntime(manifest, preset, ::JvmRunner))
    val fixed = manifest.copy(size = listOf(64, 64))
    val windows = Codec(ExportedRuntime(fixed, preset, ::JvmRunner))
    val photo = Repository.image(File(Repository.root, "examples/photos/chelsea.png"))
    for ((width, height) in listOf(8 to 8, 16 to 16, 24 to 24, 31 to 17)) {
        val tiny = crop(photo, 100, 100, width, height)
        val data = atOnce.encode(tiny).data
        val expected = atOnce.decode(data)
        val found = windows.decode(data)
        println(
            "${width}x$height: ${mostLevels(expected, found)} grey levels at most, " +
                "%.2f on average".format(meanLevels(expected, found))
        )
    }
}

/** The least and the median of some runs, after as many that are not counted. */
private fun milliseconds(runs: Int, action: () -> Unit): String {
    repeat(runs) { action() }
    val times = List(runs) { measureNanoTime(action) / 1e6 }.sorted()
    return "%.1f ms, at best %.1f ms".format(times[runs / 2], times[0])
}
