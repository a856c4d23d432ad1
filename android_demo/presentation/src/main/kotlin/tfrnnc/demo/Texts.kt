package tfrnnc.demo

import java.util.Locale
import tfrnnc.ConfigException
import tfrnnc.CorruptStreamException
import tfrnnc.ForeignStreamException
import tfrnnc.ModelException
import tfrnnc.TfrnncException
import tfrnnc.TooLargeException
import tfrnnc.TruncatedStreamException
import tfrnnc.UnsupportedVersionException
import tfrnnc.WrongModelException

/** All words that the app says, in one place. */
object Texts {
    const val TITLE = "tfrnnc"
    const val PICK = "Pick a photo"
    const val TAKE = "Take a photo"
    const val OPEN = "Open"
    const val SHARE = "Share"
    const val CANCEL = "Cancel"
    const val DISMISS = "OK"
    const val EMPTY = "Pick or take a photo, and see how few bytes show it."
    const val SLIDER = "Bytes of the file that are shown"
    const val INEXACT =
        "The picture is so small that other devices may show it a little differently."
    const val UNREADABLE = "This picture cannot be read."
    const val NO_APP = "There is no app on this device for this."
    const val NO_CAMERA = "There is no camera app on this device."
    const val NO_ROOM = "The photo cannot be kept: is the storage full?"
    const val MEMORY = "The picture is too large for the memory of this device."

    fun picture(state: DemoState): String =
        "${state.name}, shown from ${state.bytes} of ${state.totalBytes} bytes"

    fun busy(busy: DemoState.Busy): String {
        val what = if (busy.compressing) "Compressing" else "Opening"
        return if (busy.iterations == 0) "$what…"
        else "$what: iteration ${busy.iteration} of ${busy.iterations}"
    }

    fun size(state: DemoState): String =
        String.format(
            Locale.US,
            "%,d of %,d bytes · %.3f bpp · iteration %d of %d",
            state.bytes,
            state.totalBytes,
            state.bpp,
            state.wholeIterations,
            state.iterations,
        )

    fun time(state: DemoState): String {
        val decoded = "shown in ${state.decodeMilliseconds} ms"
        return state.encodeMilliseconds?.let { "compressed in $it ms · $decoded" } ?: decoded
    }

    /** What to tell the user about an error of the codec. */
    fun problem(error: TfrnncException): String =
        when (error) {
            is ForeignStreamException -> "This is not an .rnnc file."
            is UnsupportedVersionException ->
                "This file was made by a newer version. Update this app to open it."
            is TruncatedStreamException ->
                if (error.wholeIterations > 0) {
                    "The file ends early. What is there of it is shown."
                } else {
                    "The file ends before anything of the picture. Download it again."
                }
            is CorruptStreamException -> "The file is damaged. Download it again."
            is TooLargeException -> "The picture is too large for this device."
            is WrongModelException ->
                "The file was made by another model than this app's, and cannot be opened."
            is ModelException -> "The app's model cannot be used: ${error.message}"
            is ConfigException -> "This is not possible: ${error.message}"
        }
}
