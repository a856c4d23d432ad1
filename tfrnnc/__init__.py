"""tfrnnc: a progressive, variable-rate image codec made of recurrent networks.

Examples:
    >>> import numpy as np
    >>> import tfrnnc
    >>> codec = tfrnnc.load()
    >>> data = codec.encode(np.zeros((32, 32, 3), np.uint8), max_bytes=64)
    >>> codec.decode(data).shape
    (32, 32, 3)

Encoding and decoding need neither TensorFlow nor Keras; training does.
"""

from __future__ import annotations

import importlib

from tfrnnc.errors import (
    ConfigError,
    CorruptStreamError,
    DataError,
    EvaluationError,
    ForeignStreamError,
    ImageError,
    InstallationError,
    ModelError,
    PipelineError,
    RunError,
    ShardError,
    StreamError,
    TfrnncError,
    TooLargeError,
    TrainingError,
    TruncatedStreamError,
    UnsupportedVersionError,
    WrongModelError,
)

TYPE_CHECKING = False  # That of `typing`, whose import takes milliseconds.
if TYPE_CHECKING:
    from typing import Any

    from tfrnnc.codec import Codec, EncodeOptions, ImageEncoder, load
    from tfrnnc.model_folder.presets import list_presets
    from tfrnnc.preview import preview, preview_color, preview_image

    __version__: str

_LAZY = {
    "Codec": "tfrnnc.codec",
    "EncodeOptions": "tfrnnc.codec",
    "ImageEncoder": "tfrnnc.codec",
    "list_presets": "tfrnnc.model_folder.presets",
    "load": "tfrnnc.codec",
    "preview_color": "tfrnnc.preview",
    "preview_image": "tfrnnc.preview",
}

__all__ = [
    "Codec",
    "ConfigError",
    "CorruptStreamError",
    "DataError",
    "EncodeOptions",
    "EvaluationError",
    "ForeignStreamError",
    "ImageEncoder",
    "ImageError",
    "InstallationError",
    "ModelError",
    "PipelineError",
    "RunError",
    "ShardError",
    "StreamError",
    "TfrnncError",
    "TooLargeError",
    "TrainingError",
    "TruncatedStreamError",
    "UnsupportedVersionError",
    "WrongModelError",
    "__version__",
    "list_presets",
    "load",
    "preview",
    "preview_color",
    "preview_image",
]


def __getattr__(name: str) -> Any:
    if name == "preview":  # The package, which can be called.
        return importlib.import_module("tfrnnc.preview")
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name == "__version__":
        # Reading the metadata takes about 30 ms, which a decode should not wait for.
        from importlib.metadata import version

        return version("tfrnnc")
    raise AttributeError(f"module 'tfrnnc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
