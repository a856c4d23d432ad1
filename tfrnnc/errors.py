"""What tfrnnc raises. Every message says what was wrong, in which file, and what to do."""

from __future__ import annotations

import signal


class TfrnncError(Exception):
    """Base class of every error that tfrnnc raises on purpose."""


class ConfigError(TfrnncError, ValueError):
    """A model's configuration, or an argument, is not usable."""


class DataError(TfrnncError):
    """A data set has nothing to train or measure on."""


class EvaluationError(TfrnncError):
    """A codec cannot be measured on an image, or the measurement was interrupted."""


class ImageError(TfrnncError):
    """An image cannot be read, or is of a kind that the codec does not take."""


class InstallationError(TfrnncError):
    """An optional dependency is not installed, or set up in a way that tfrnnc cannot work with."""


class ModelError(TfrnncError):
    """A preset or a trained model is missing, or its files do not fit together."""


class PipelineError(TfrnncError):
    """The runner of a pipeline cannot be reached, or reports that the pipeline failed."""


class RunError(TfrnncError):
    """A model cannot be run on an image, mostly for want of memory."""


class ShardError(TfrnncError):
    """A shard cannot be read, is missing, or is of other images or options than those given."""


class TrainingError(TfrnncError):
    """Training cannot start or go on."""


class StreamError(TfrnncError):
    """A compressed stream cannot be decoded."""


class ForeignStreamError(StreamError):
    """The bytes are not a tfrnnc stream."""


class UnsupportedVersionError(StreamError):
    """The stream is of a version, or has flags, that this release does not know."""


class TruncatedStreamError(StreamError):
    """The stream ends before the iterations that its header promises, or that were asked for.

    Args:
        message: what to tell the user.
        whole_iterations: how many iterations can be decoded.

    Attributes:
        whole_iterations: how many iterations can be decoded; 0 where not even the header is whole.
    """

    def __init__(self, message: str, whole_iterations: int = 0):
        super().__init__(message)
        self.whole_iterations = whole_iterations


class CorruptStreamError(StreamError):
    """The stream contradicts itself."""


class TooLargeError(StreamError, ImageError):
    """An image, or the stream of one, takes more pixels or work than the caller allows."""


class WrongModelError(StreamError):
    """The stream was made by another model than the one that decodes it."""


class Terminated(KeyboardInterrupt):
    """The process was told to end by a signal, as Ctrl-C does, but mostly by another one.

    Args:
        message: what to tell the user.
        number: of the signal.

    Attributes:
        number: of the signal.
    """

    def __init__(self, message: str = "", number: int = signal.SIGTERM):
        super().__init__(message)
        self.number = number
