package tfrnnc.demo

import java.io.IOException
import kotlin.coroutines.cancellation.CancellationException
import tfrnnc.codec.Pixels

/**
 * A photo or file that the user chose, mostly another app's. Its functions may take long, so they
 * are called on the worker, and may throw a [PictureException].
 */
interface PictureSource {
    /** The name to show. */
    fun name(): String

    /** Whether it is a picture; else it is taken for a stream. */
    fun isPicture(): Boolean

    /** The picture, of a size that is compressed here ([DemoPresenter.reduced]). */
    fun pixels(): Pixels

    /** The content of the file. */
    fun stream(): ByteArray
}

/**
 * Reads something that another app provides. Its provider throws what it likes, through the
 * platform's calls: what is thrown becomes a [PictureException].
 */
fun <T> readProvided(read: () -> T): T =
    try {
        read()
    } catch (error: CancellationException) {
        throw error
    } catch (error: IOException) {
        throw PictureException(Problem.Kind.UNREADABLE, error)
    } catch (error: RuntimeException) {
        throw PictureException(Problem.Kind.UNREADABLE, error)
    }
