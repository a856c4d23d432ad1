"""Previews: pictures in 8 to 64 bytes, as strings that a page can show at once.

Neither encoding nor decoding needs TensorFlow, Keras or LiteRT. The package itself can be called,
as `tfrnnc.preview(image)`, which is `tfrnnc.preview.preview(image)`.
"""

import sys
from types import ModuleType
from typing import Any

from tfrnnc.preview.codec import preview, preview_color, preview_image

__all__ = ["preview", "preview_color", "preview_image"]


class _CallablePackage(ModuleType):
    """A package under whose name stands the function, whichever of the two was asked for first."""

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        return preview(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
