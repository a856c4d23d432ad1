package tfrnnc

/** Base class of everything that this library throws on purpose. Messages say what to do. */
sealed class TfrnncException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** An argument is not usable. */
class ConfigException(message: String) : TfrnncException(message)

/** The files of a model are missing, damaged, or do not fit together. */
class ModelException(message: String, cause: Throwable? = null) : TfrnncException(message, cause)

/** A compressed stream cannot be decoded. */
sealed class StreamException(message: String) : TfrnncException(message)

/** The bytes are not a tfrnnc stream. */
class ForeignStreamException(message: String) : StreamException(message)

/** The stream is of a version, or has flags, that this release does not know. */
class UnsupportedVersionException(message: String) : StreamException(message)

/**
 * The stream ends before the iterations that its header promises, or that were asked for.
 *
 * @property wholeIterations how many iterations can be decoded; 0 where not even the header is
 *   whole.
 */
class TruncatedStreamException(message: String, val wholeIterations: Int = 0) :
    StreamException(message)

/** The stream contradicts itself. */
class CorruptStreamException(message: String) : StreamException(message)

/** The image, or that of the stream, costs more than the caller allows. */
class TooLargeException(message: String) : StreamException(message)

/** The stream was made by another model than the one that decodes it. */
class WrongModelException(message: String) : StreamException(message)
