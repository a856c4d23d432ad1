package tfrnnc

import java.io.File
import java.nio.file.Path
import javax.imageio.ImageIO
import kotlin.random.Random
import kotlin.test.assertEquals
import kotlin.test.assertTrue
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.condition.EnabledIfSystemProperty
import org.junit.jupiter.api.io.TempDir
import tfrnnc.bitstream.GoldenContainer
import tfrnnc.bitstream.Header
import tfrnnc.bitstream.ReadOptions
import tfrnnc.bitstream.known
import tfrnnc.bitstream.mutate
import tfrnnc.bitstream.readPlanes
import tfrnnc.codec.Codec
import tfrnnc.codec.EncodeOptions
import tfrnnc.codec.JvmRunner
import tfrnnc.codec.Pixels
import tfrnnc.codec.crop

/** The same questions to Kotlin and to Python; needs `-Dtfrnnc.python=PATH`. */
@EnabledIfSystemProperty(named = "tfrnnc.python", matches = ".+")
class PythonTest {
    companion object {
        private lateinit var python: Process

        @BeforeAll
        @JvmStatic
        fun start() {
            val script = File(Repository.root, "android_demo/codec/src/test/python/outcomes.py")
            python =
                ProcessBuilder(System.getProperty("tfrnnc.python"), script.path)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start()
        }

        @AfterAll
        @JvmStatic
        fun stop() {
            python.outputStream.close()
            python.waitFor()
        }
    }

    private fun answers(questions: List<String>): List<String> {
        val writer = python.outputStream.bufferedWriter()
        // In parts that the pipes hold, so that neither side waits for the other.
        return questions.chunked(8).flatMap { part ->
            for (question in part) writer.write(question + "\n")
            writer.flush()
            part.map { checkNotNull(python.inputStream.readLine()) { "Python has ended" } }
        }
    }

    private fun java.io.InputStream.readLine(): String? {
        val line = java.io.ByteArrayOutputStream()
        while (true) {
            val byte = read()
            if (byte < 0) return null
            if (byte == '\n'.code) return line.toString()
            line.write(byte)
        }
    }

    private fun outcome(action: () -> String): String =
        try {
            action()
        } catch (error: TfrnncException) {
            error.javaClass.simpleName.replace("Exception", "Error")
        }

    @Test
    fun `hostile streams end as in Python`() {
        val random = Random(7)
        val model = hex(GoldenContainer.entropyModelFile)
        val streams = GoldenContainer.streams.filter { it.name != "large" }.map { it.stream }
        val cases =
            List(Integer.getInteger("tfrnnc.mutations", 4000)) {
                var data = mutate(streams.random(random), random)
                if (it % 20 == 0) data = data.copyOf(minOf(11, data.size)) + ByteArray(6) { -1 }
                Triple(data, random.nextInt(3), random.nextBoolean())
            }
        val expected =
            answers(
                cases.map { (data, iterations, allow) ->
                    "read\t$model\tx${hex(data)}\t$iterations\t$allow"
                }
            )
        for ((case, python) in cases.zip(expected)) {
            val (data, iterations, allow) = case
            val found = outcome {
                val found =
                    readPlanes(
                        data,
                        GoldenContainer.spec,
                        ReadOptions(iterations.takeIf { it > 0 }, allow),
                    )
                val planes = found.planes.map { "${hex(it.pack())}/${hex(known(it).pack())}" }
                "${found.wholeIterations} ${found.ends} ${planes.joinToString(" ")}"
            }
            assertEquals(python, found, "${hex(data)}, $iterations iterations, truncated: $allow")
        }
        assertTrue(expected.toSet().size > 50)
    }

    @Test
    fun `bytes are spent as Python does`() {
        val folder = Repository.small(32)
        val golden = File(folder, "golden")
        val images = golden.listFiles { file -> file.extension == "rnnc" }.orEmpty().sorted()
        val random = Random(8)
        val cases =
            List(60) {
                val stream = images.random(random)
                val image = File(golden, "${stream.nameWithoutExtension}.png")
                val options =
                    EncodeOptions(
                        maxBytes = random.nextInt(1, stream.length().toInt() + 4),
                        headerless = it % 3 == 0,
                    )
                image to options
            }
        val expected =
            answers(cases.map { (image, options) -> encodeQuestion(folder, image, options) })
        Codec.load(filesOf(folder), ::JvmRunner).use { codec ->
            for ((case, python) in cases.zip(expected)) {
                val (image, options) = case
                val found = outcome { hex(codec.encode(Repository.image(image), options).data) }
                assertEquals(python, found, "$image, $options")
            }
        }
    }

    /** A part of a photo, in a file too. */
    private fun cropIn(folder: Path): Pair<Pixels, File> {
        val photo = Repository.image(File(Repository.root, "examples/photos/coffee.png"))
        val image = crop(photo, 70, 50, 293, 262)
        val file = File(folder.toFile(), "crop.png")
        val buffered = java.awt.image.BufferedImage(image.width, image.height, 1)
        buffered.setRGB(0, 0, image.width, image.height, image.toArgb(), 0, image.width)
        ImageIO.write(buffered, "png", file)
        return image to file
    }

    @Test
    fun `large images on the shipped files`(@TempDir folder: Path) {
        val (image, file) = cropIn(folder)
        val model = Repository.small(256)
        val options = EncodeOptions(maxBytes = 2000, downscale = 1)
        val (python) = answers(listOf(encodeQuestion(model, file, options)))
        Codec.load(filesOf(model), ::JvmRunner).use { codec ->
            assertEquals(python, hex(codec.encode(image, options).data))
        }
    }

    @Test
    fun `half the resolution is taken where Python takes it`(@TempDir folder: Path) {
        val (image, file) = cropIn(folder)
        val model = Repository.floatPreset
        val cases =
            listOf(
                EncodeOptions(maxBytes = 960) to 2, // 0.1 bits per pixel
                EncodeOptions(maxBytes = 4790) to 1, // 0.5
                EncodeOptions(maxBytes = 3000, downscale = 2) to 2,
                EncodeOptions(maxBytes = 1000, downscale = 1) to 1,
            )
        val expected = answers(cases.map { (options, _) -> encodeQuestion(model, file, options) })
        Codec.load(filesOf(model), ::JvmRunner).use { codec ->
            for ((case, python) in cases.zip(expected)) {
                val (options, downscale) = case
                val found = codec.encode(image, options).data
                assertEquals(python, hex(found), "$options")
                assertEquals(downscale, Header.read(found).downscale, "$options")
            }
        }
    }

    private fun encodeQuestion(folder: File, image: File, options: EncodeOptions): String {
        val downscale = options.downscale ?: "auto"
        return "encode\t$folder\t$image\t${options.maxBytes}\t${options.headerless}\t$downscale"
    }
}
