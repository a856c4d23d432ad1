package tfrnnc.demo

/** A picture or a file cannot be read or written, for the reason that the user is told. */
class PictureException(val kind: Problem.Kind, cause: Throwable? = null) :
    Exception(kind.name, cause)
