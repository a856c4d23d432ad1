package tfrnnc.demo

import kotlin.coroutines.EmptyCoroutineContext
import kotlin.coroutines.cancellation.CancellationException
import kotlin.time.TimeSource
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import tfrnnc.CorruptStreamException
import tfrnnc.TfrnncException
import tfrnnc.TruncatedStreamException
import tfrnnc.bitstream.Header
import tfrnnc.bitstream.ReadOptions
import tfrnnc.bitstream.WorkLimits
import tfrnnc.codec.Codec
import tfrnnc.codec.EncodeOptions
import tfrnnc.codec.ExportedRuntime
import tfrnnc.codec.ProgressivePicture

/**
 * What the app does, apart from Android: compresses, opens, moves the slider, and says what went
 * wrong.
 *
 * Its functions are called on one thread, the screen's. A call ends what the one before still does.
 *
 * @param scope in which it works.
 * @param worker where the codec runs; one thread at a time.
 * @param loadCodec called once, on the worker.
 * @param keep called on the worker with each stream that is shown, to have it after the app was
 *   ended.
 * @param time to measure by.
 */
class DemoPresenter(
    private val scope: CoroutineScope,
    private val worker: CoroutineDispatcher,
    loadCodec: () -> Codec,
    private val keep: (ByteArray) -> Unit = {},
    private val time: TimeSource = TimeSource.Monotonic,
) {
    private val mutableState = MutableStateFlow(DemoState())
    private val lazyCodec = lazy(loadCodec)
    private val codec by lazyCodec
    private var loading: Job? = null
    private var showing: Job? = null

    @Volatile private var shown: Shown? = null

    /** A stream on the screen. */
    private class Shown(val stream: ByteArray, val pictures: ProgressivePicture)

    /** What the screen shows. */
    val state: StateFlow<DemoState> = mutableState.asStateFlow()

    /** Compresses a picture. */
    fun compress(source: PictureSource) =
        load(DemoState.Busy(compressing = true)) { ensureActive -> compress(source, ensureActive) }

    /**
     * Opens a stream. What is there of one that is cut or damaged is shown, and the problem said.
     */
    fun open(source: PictureSource) =
        load(DemoState.Busy(compressing = false)) { ensureActive ->
            open(source.name(), Int.MAX_VALUE, source.stream(), ensureActive)
        }

    /** Compresses a picture, or opens a stream. */
    fun receive(source: PictureSource) =
        load(DemoState.Busy(compressing = false)) { ensureActive ->
            if (source.isPicture()) compress(source, ensureActive)
            else open(source.name(), Int.MAX_VALUE, source.stream(), ensureActive)
        }

    /**
     * Shows again what was kept when the app was ended.
     *
     * @param name to show.
     * @param bytes of the stream to show.
     * @param stream reads it, on the worker; null if nothing was kept.
     */
    fun restore(name: String, bytes: Int, stream: () -> ByteArray?) =
        load(DemoState.Busy(compressing = false)) { ensureActive ->
            stream()?.let { open(name, bytes, it, ensureActive) }
        }

    private fun compress(source: PictureSource, ensureActive: () -> Unit) {
        val name = source.name()
        val pixels = source.pixels()
        val start = time.markNow()
        val encoded =
            codec.encode(pixels, EncodeOptions(limits = LIMITS)) { iteration, _ ->
                ensureActive()
                val busy = DemoState.Busy(true, iteration, codec.runtime.iterations)
                // After cancelling, nothing is busy and nothing shall be.
                mutableState.update { if (it.busy == null) it else it.copy(busy = busy) }
            }
        val milliseconds = start.elapsedNow().inWholeMilliseconds
        show(Opened(name, encoded.data, Int.MAX_VALUE, milliseconds), null, ensureActive)
    }

    private fun open(name: String, bytes: Int, data: ByteArray, ensureActive: () -> Unit) {
        val problem =
            try {
                codec.readPlanes(data, ReadOptions(limits = LIMITS))
                null
            } catch (error: TruncatedStreamException) {
                error
            } catch (error: CorruptStreamException) {
                error
            }
        try {
            show(Opened(name, data, bytes, null), problem?.let(Problem::of), ensureActive)
        } catch (error: TfrnncException) {
            throw problem ?: error
        }
    }

    /** Shows the first bytes of the stream, the slider's new place. */
    fun show(bytes: Int) {
        val shown = shown ?: return
        val place = bytes.coerceIn(shown.pictures.planes.minBytes, shown.stream.size)
        mutableState.update { it.copy(bytes = place) }
        showing?.cancel()
        showing =
            scope.launch(worker) {
                guarded {
                    val start = time.markNow()
                    val picture = shown.pictures.at(place) { ensureActive() }
                    val milliseconds = start.elapsedNow().inWholeMilliseconds
                    ensureActive()
                    mutableState.update {
                        it.copy(
                            picture = picture,
                            wholeIterations = shown.wholeIterations(place),
                            decodeMilliseconds = milliseconds,
                        )
                    }
                }
            }
    }

    /** Ends what is going on; what was shown stays. */
    fun cancel() {
        loading?.cancel()
        mutableState.update { it.copy(busy = null) }
    }

    /** Takes the problem off the screen. */
    fun dismissProblem() = mutableState.update { it.copy(problem = null) }

    /** Puts a problem on the screen. */
    fun report(problem: Problem) = mutableState.update { it.copy(problem = problem) }

    /**
     * A file to share: the stream, cut where the slider is.
     *
     * @param ready called on the worker with the file's content.
     */
    fun share(ready: (ByteArray) -> Unit) {
        val stream = shown?.stream ?: return
        val bytes = state.value.bytes
        scope.launch(worker) { guarded { ready(codec.shorten(stream, bytes)) } }
    }

    /** Gives the codec back when the worker is done; after it, the presenter is of no use. */
    fun close() {
        loading?.cancel()
        showing?.cancel()
        // On the worker, so that no iteration is at work when its interpreter is closed.
        worker.dispatch(EmptyCoroutineContext) { if (lazyCodec.isInitialized()) codec.close() }
    }

    private fun load(busy: DemoState.Busy, action: (ensureActive: () -> Unit) -> Unit) {
        loading?.cancel()
        showing?.cancel()
        mutableState.update { it.copy(busy = busy, problem = null) }
        loading =
            scope.launch(worker) {
                guarded { action { ensureActive() } }
                ensureActive()
                mutableState.update { it.copy(busy = null) }
            }
    }

    /** A stream that is about to be shown, from its first [bytes]. */
    private class Opened(
        val name: String,
        val stream: ByteArray,
        val bytes: Int,
        val encodeMilliseconds: Long?,
    )

    private fun show(opened: Opened, problem: Problem?, ensureActive: () -> Unit) {
        val stream = opened.stream
        val start = time.markNow()
        val options = ReadOptions(allowTruncated = true, limits = LIMITS, track = true)
        val planes = codec.readPlanes(stream, options)
        val new = Shown(stream, ProgressivePicture(codec.runtime, planes))
        val place = opened.bytes.coerceIn(planes.minBytes, stream.size)
        val picture = new.pictures.at(place, ensureActive)
        val milliseconds = start.elapsedNow().inWholeMilliseconds
        keep(stream)
        ensureActive()
        shown = new
        mutableState.update {
            DemoState(
                name = opened.name,
                picture = picture,
                bytes = place,
                totalBytes = stream.size,
                minBytes = planes.minBytes,
                wholeIterations = new.wholeIterations(place),
                iterations = planes.header.iterations,
                downscale = planes.header.downscale,
                encodeMilliseconds = opened.encodeMilliseconds,
                decodeMilliseconds = milliseconds,
                exact = isExact(planes.header),
                busy = it.busy,
                problem = problem,
            )
        }
    }

    private fun isExact(header: Header): Boolean {
        val runtime = codec.runtime
        return runtime !is ExportedRuntime || runtime.isExact(header.codedWidth, header.codedHeight)
    }

    private fun Shown.wholeIterations(bytes: Int) = pictures.planes.ends.count { it <= bytes }

    private fun guarded(action: () -> Unit) {
        try {
            action()
        } catch (error: CancellationException) {
            throw error
        } catch (error: TfrnncException) {
            report(Problem.of(error))
        } catch (error: PictureException) {
            report(Problem(error.kind))
        } catch (_: OutOfMemoryError) {
            shown = null
            mutableState.update {
                DemoState(busy = it.busy, problem = Problem(Problem.Kind.MEMORY))
            }
        }
    }

    companion object {
        /**
         * Most pixels, padded, that are compressed or shown: the states of the networks take about
         * 200 bytes for each, and an app has but a few hundred megabytes. Of a stream coded at half
         * the resolution too, those of the picture that is shown count.
         */
        const val MAX_PIXELS = 1L shl 20

        /** What sides are padded to; at least the stride of the app's model. */
        private const val PADDING = 8
        private val LIMITS = WorkLimits(maxPixels = MAX_PIXELS)

        /**
         * The size to which a picture is reduced.
         *
         * @return width and height, in proportion, of at most [MAX_PIXELS] pixels when padded.
         */
        fun reduced(width: Int, height: Int): Pair<Int, Int> {
            var scale = 1.0
            fun side(length: Int) = (length * scale).toInt().coerceAtLeast(1)
            while (WorkLimits.paddedPixels(side(width), side(height), PADDING) > MAX_PIXELS) {
                scale *= 0.995
            }
            return side(width) to side(height)
        }
    }
}
