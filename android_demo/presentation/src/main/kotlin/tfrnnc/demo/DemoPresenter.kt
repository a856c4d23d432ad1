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
import tfrnnc.codec.Codec
import tfrnnc.codec.ExportedRuntime
import tfrnnc.codec.Pixels
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

    /**
     * Compresses a picture.
     *
     * @param name to show.
     * @param picture reads it; on the worker. It may throw a [PictureException].
     */
    fun compress(name: String, picture: () -> Pixels) =
        load(DemoState.Busy(compressing = true)) { ensureActive ->
            val pixels = picture()
            val start = time.markNow()
            val encoded =
                codec.encode(pixels) { iteration, _ ->
                    ensureActive()
                    val busy =
                        DemoState.Busy(compressing = true, iteration, codec.runtime.iterations)
                    // After cancelling, nothing is busy and nothing shall be.
                    mutableState.update { if (it.busy == null) it else it.copy(busy = busy) }
                }
            val milliseconds = start.elapsedNow().inWholeMilliseconds
            shown(name, encoded.data, Int.MAX_VALUE, milliseconds, null, ensureActive)
        }

    /**
     * Opens a stream. What is there of one that is cut or damaged is shown, and the problem said.
     *
     * @param name to show.
     * @param bytes of it to show.
     * @param stream reads it; on the worker. It may throw a [PictureException].
     */
    fun open(name: String, bytes: Int = Int.MAX_VALUE, stream: () -> ByteArray) =
        load(DemoState.Busy(compressing = false)) { ensureActive ->
            val data = stream()
            val problem =
                try {
                    codec.readPlanes(data, maxPixels = MAX_PIXELS)
                    null
                } catch (error: TruncatedStreamException) {
                    error
                } catch (error: CorruptStreamException) {
                    error
                }
            try {
                shown(name, data, bytes, null, problem?.let(Texts::problem), ensureActive)
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
    fun report(problem: String) = mutableState.update { it.copy(problem = problem) }

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

    private fun shown(
        name: String,
        stream: ByteArray,
        bytes: Int,
        encodeMilliseconds: Long?,
        problem: String?,
        ensureActive: () -> Unit,
    ) {
        val start = time.markNow()
        val planes =
            codec.readPlanes(stream, allowTruncated = true, maxPixels = MAX_PIXELS, track = true)
        val new = Shown(stream, ProgressivePicture(codec.runtime, planes))
        val place = bytes.coerceIn(planes.minBytes, stream.size)
        val picture = new.pictures.at(place, ensureActive)
        val milliseconds = start.elapsedNow().inWholeMilliseconds
        val header = planes.header
        val runtime = codec.runtime
        keep(stream)
        ensureActive()
        shown = new
        mutableState.update {
            DemoState(
                name = name,
                picture = picture,
                bytes = place,
                totalBytes = stream.size,
                minBytes = planes.minBytes,
                wholeIterations = new.wholeIterations(place),
                iterations = header.iterations,
                encodeMilliseconds = encodeMilliseconds,
                decodeMilliseconds = milliseconds,
                exact = runtime !is ExportedRuntime || runtime.isExact(header.width, header.height),
                busy = it.busy,
                problem = problem,
            )
        }
    }

    private fun Shown.wholeIterations(bytes: Int) = pictures.planes.ends.count { it <= bytes }

    private fun guarded(action: () -> Unit) {
        try {
            action()
        } catch (error: CancellationException) {
            throw error
        } catch (error: TfrnncException) {
            report(Texts.problem(error))
        } catch (error: PictureException) {
            report(error.message ?: Texts.UNREADABLE)
        } catch (_: OutOfMemoryError) {
            shown = null
            mutableState.update { DemoState(busy = it.busy, problem = Texts.MEMORY) }
        }
    }

    companion object {
        /**
         * Most pixels that are compressed or shown: the states of the networks take about 200 bytes
         * for each, and an app has but a few hundred megabytes.
         */
        const val MAX_PIXELS = 1L shl 20

        /**
         * The size to which a picture is reduced.
         *
         * @return width and height, in proportion, of at most [MAX_PIXELS] pixels.
         */
        fun reduced(width: Int, height: Int): Pair<Int, Int> {
            val scale = Math.sqrt(MAX_PIXELS / (width.toDouble() * height)).coerceAtMost(1.0)
            fun side(length: Int) = (length * scale).toInt().coerceIn(1, MAX_PIXELS.toInt())
            val (newWidth, newHeight) = side(width) to side(height)
            // A side of one pixel can be no shorter, so the other one has to be.
            val most = (MAX_PIXELS / minOf(newWidth, newHeight)).toInt()
            return minOf(newWidth, most) to minOf(newHeight, most)
        }
    }
}
