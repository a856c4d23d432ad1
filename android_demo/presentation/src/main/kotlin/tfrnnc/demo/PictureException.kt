package tfrnnc.demo

/** A picture or a file cannot be read; the message is for the user. */
class PictureException(message: String, cause: Throwable? = null) : Exception(message, cause)
