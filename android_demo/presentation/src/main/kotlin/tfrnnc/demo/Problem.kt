package tfrnnc.demo

import tfrnnc.ConfigException
import tfrnnc.CorruptStreamException
import tfrnnc.ForeignStreamException
import tfrnnc.ModelException
import tfrnnc.TfrnncException
import tfrnnc.TooLargeException
import tfrnnc.TruncatedStreamException
import tfrnnc.UnsupportedVersionException
import tfrnnc.WrongModelException

/**
 * What went wrong, for the user; the app has the words (`res/values/strings.xml`).
 *
 * @property detail what the words leave open, such as a file's name; empty for most kinds.
 */
data class Problem(val kind: Kind, val detail: String = "") {
    enum class Kind {
        /** A picture or file that its provider does not give, or that is none. */
        UNREADABLE,
        /** No other app does what was asked. */
        NO_APP,
        NO_CAMERA,
        /** A file cannot be written. */
        NO_ROOM,
        /** Too little memory for the picture. */
        MEMORY,
        FOREIGN,
        /** Of a later version of the format. */
        NEWER,
        /** The file ends early, and what is there of it is shown. */
        CUT,
        /** The file ends before anything of the picture. */
        CUT_TOO_EARLY,
        DAMAGED,
        TOO_LARGE,
        /** A stream of another model than the app's. */
        OTHER_MODEL,
        /** The app's own model cannot be used; the detail says why. */
        MODEL,
        /** What was asked is out of range; the detail says how. */
        IMPOSSIBLE,
    }

    companion object {
        /** What to tell the user about an error of the codec. */
        fun of(error: TfrnncException): Problem =
            when (error) {
                is ForeignStreamException -> Problem(Kind.FOREIGN)
                is UnsupportedVersionException -> Problem(Kind.NEWER)
                is TruncatedStreamException ->
                    Problem(if (error.wholeIterations > 0) Kind.CUT else Kind.CUT_TOO_EARLY)
                is CorruptStreamException -> Problem(Kind.DAMAGED)
                is TooLargeException -> Problem(Kind.TOO_LARGE)
                is WrongModelException -> Problem(Kind.OTHER_MODEL)
                is ModelException -> Problem(Kind.MODEL, error.message.orEmpty())
                is ConfigException -> Problem(Kind.IMPOSSIBLE, error.message.orEmpty())
            }
    }
}
