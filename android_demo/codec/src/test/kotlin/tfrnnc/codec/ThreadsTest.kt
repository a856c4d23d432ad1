package tfrnnc.codec

import java.util.concurrent.Callable
import java.util.concurrent.Executors
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import tfrnnc.ConfigException
import tfrnnc.Repository
import tfrnnc.bitstream.GoldenContainer
import tfrnnc.bitstream.ReadOptions
import tfrnnc.filesOf

/** One codec, used by many threads: right results, or a clear error. */
class ThreadsTest {
    private fun <T> inThreads(count: Int, work: (Int) -> T): List<T> {
        val threads = Executors.newFixedThreadPool(count)
        try {
            return threads.invokeAll(List(count) { Callable { work(it) } }).map { it.get() }
        } finally {
            threads.shutdown()
        }
    }

    @Test
    fun `images of several sizes at a time, on the shipped files`() {
        val images = List(4) { blobs(24 + 8 * it, 40 - 8 * it, seed = it) }
        fun streams(codec: Codec, image: Pixels) =
            listOf(codec.encode(image, EncodeOptions(iterations = 3)).data)
                .map { it to codec.decode(it).rgb }
                .single()
        fun codec() = Codec.load(filesOf(Repository.small(256)), ::JvmRunner)
        val expected = images.map { image -> codec().use { streams(it, image) } }
        codec().use { shared ->
            val results = inThreads(images.size) { streams(shared, images[it]) }
            for ((one, other) in expected.zip(results)) {
                assertContentEquals(one.first, other.first)
                assertContentEquals(one.second, other.second)
            }
        }
    }

    @Test
    fun `one slider, moved by many`() {
        val codec = Codec(ToyRuntime(), GoldenContainer.entropyModel)
        val data = codec.encode(blobs(61, 43)).data
        val planes = codec.readPlanes(data, ReadOptions(track = true))
        val progressive = ProgressivePicture(codec.runtime, planes)
        inThreads(8) { thread ->
            for (bytes in planes.minBytes + thread..data.size step 3) {
                val expected = codec.decode(data.copyOf(bytes), ReadOptions(allowTruncated = true))
                assertContentEquals(expected.rgb, checkNotNull(progressive.at(bytes)).rgb)
            }
        }
    }

    @Test
    fun `a runner is run by one thread at a time, and not after its end`() {
        val folder = Repository.small(32)
        var running = 0
        var most = 0
        val factory =
            IterationRunner.Factory { file, content, height, width ->
                val runner = JvmRunner(file, content, height, width)
                object : IterationRunner by runner {
                    override fun run(inputs: List<FeatureMap>, outputs: List<FeatureMap>) {
                        running++
                        most = maxOf(most, running)
                        Thread.sleep(2)
                        runner.run(inputs, outputs)
                        running--
                    }
                }
            }
        val manifest = Manifest.parse(filesOf(folder).read(Manifest.FILE_NAME).decodeToString())
        val oneFile = manifest.copy(decoders = manifest.decoders.take(1))
        val runtime = ExportedRuntime(oneFile, filesOf(folder), factory)
        val golden = folder.resolve("golden").listFiles { file -> file.extension == "rnnc" }
        val plane =
            Codec.load(filesOf(folder), ::JvmRunner).use { codec ->
                codec.readPlanes(checkNotNull(golden).min().readBytes()).planes[0]
            }
        inThreads(4) { runtime.decodeIteration(plane, null, 0) }
        assertEquals(1, most)
        runtime.close()
        val error = assertFailsWith<ConfigException> { runtime.decodeIteration(plane, null, 0) }
        assertTrue("closed" in error.message!!)
    }
}
