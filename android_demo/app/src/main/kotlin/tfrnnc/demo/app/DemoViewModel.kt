package tfrnnc.demo.app

import android.app.Application
import android.net.Uri
import androidx.core.content.FileProvider
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.SavedStateHandle
import androidx.lifecycle.viewModelScope
import java.io.File
import java.io.IOException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import tfrnnc.codec.Codec
import tfrnnc.demo.DemoPresenter
import tfrnnc.demo.DemoState
import tfrnnc.demo.PictureException
import tfrnnc.demo.Problem
import tfrnnc.demo.readProvided

/** Keeps the presenter over turns of the screen, and what it shows over the app's end. */
@OptIn(ExperimentalCoroutinesApi::class)
class DemoViewModel(application: Application, private val saved: SavedStateHandle) :
    AndroidViewModel(application) {
    private val kept = File(application.filesDir, "last.rnnc")
    private val shared = File(application.cacheDir, "shared")
    private val presenter =
        DemoPresenter(
            viewModelScope,
            Dispatchers.Default.limitedParallelism(1),
            { Codec.load(AssetFiles(application.assets), ::LiteRtRunner) },
            { stream -> write(kept, stream) },
        )

    val state: StateFlow<DemoState> = presenter.state

    init {
        val name = saved.get<String>(NAME)
        if (name != null) {
            presenter.restore(name, saved[BYTES] ?: Int.MAX_VALUE) {
                readProvided { if (kept.exists()) kept.readBytes() else null }
            }
        }
        viewModelScope.launch {
            state.collect {
                if (it.name != null) {
                    saved[NAME] = it.name
                    saved[BYTES] = it.bytes
                }
            }
        }
    }

    /** Opens a file that another app gives, a photo or a stream. */
    fun receive(uri: Uri) = presenter.receive(source(uri))

    fun compress(uri: Uri) = presenter.compress(source(uri))

    fun open(uri: Uri) = presenter.open(source(uri))

    fun show(bytes: Int) = presenter.show(bytes)

    fun cancel() = presenter.cancel()

    fun dismissProblem() = presenter.dismissProblem()

    fun report(kind: Problem.Kind) = presenter.report(Problem(kind))

    /**
     * Makes a place for the camera to put a photo.
     *
     * @param ready called on the main thread with its address.
     */
    fun takePhoto(ready: (Uri) -> Unit) = withCameraFile(ready)

    /** Compresses the photo that the camera took. */
    fun compressTaken() = withCameraFile(::compress)

    /**
     * Makes a file of the bytes that are shown.
     *
     * @param ready called on the main thread with its address.
     */
    fun share(ready: (Uri) -> Unit) =
        presenter.share { stream ->
            val file = File(shared, "${fileName(state.value.name)}.rnnc")
            write(file, stream)
            val uri = uri(file)
            viewModelScope.launch { ready(uri) }
        }

    override fun onCleared() = presenter.close()

    private fun source(uri: Uri) =
        ProvidedPicture(getApplication<Application>().contentResolver, uri)

    /** Hands over the address of the camera's photo, on the main thread, or says why not. */
    private fun withCameraFile(use: (Uri) -> Unit) {
        viewModelScope.launch {
            try {
                use(withContext(Dispatchers.IO) { cameraFile() })
            } catch (error: PictureException) {
                report(error.kind)
            }
        }
    }

    private fun cameraFile(): Uri {
        if (!shared.isDirectory && !shared.mkdirs()) throw PictureException(Problem.Kind.NO_ROOM)
        return uri(File(shared, "camera.jpg"))
    }

    private fun uri(file: File): Uri {
        val application = getApplication<Application>()
        return FileProvider.getUriForFile(application, "${application.packageName}.files", file)
    }

    /** Writes a file beside its place and then renames it. */
    private fun write(file: File, content: ByteArray) {
        try {
            file.parentFile?.mkdirs()
            val temporary = File(file.path + ".new")
            temporary.writeBytes(content)
            if (!temporary.renameTo(file)) throw IOException("$file: cannot be written")
        } catch (error: IOException) {
            throw PictureException(Problem.Kind.NO_ROOM, error)
        }
    }

    private companion object {
        const val NAME = "name"
        const val BYTES = "bytes"

        fun fileName(name: String?) =
            name.orEmpty().replace(Regex("[^\\w-]+"), "_").ifEmpty { "picture" }
    }
}
