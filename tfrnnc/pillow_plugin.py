"""Opens and saves .rnnc files with Pillow. Importing this module registers the format.

Examples:
    >>> import io
    >>> from PIL import Image
    >>> import tfrnnc.pillow_plugin
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (40, 30), "teal").save(file, "RNNC", bpp=1.0)
    >>> image = Image.open(file)
    >>> image.format, image.size, image.mode
    ('RNNC', (40, 30), 'RGB')

Pillow finds the formats of other packages only once they are imported.

`Image.save` takes what `tfrnnc.Codec.encode` does (`iterations`, `bpp`, `max_bytes`, `psnr`,
`ssim`, `background`, `entropy_coding`, `downscale` and so on), and `model`, a preset or the folder
of a model. Options of other formats are ignored, except `quality`: where `iterations` is not given,
a quality of 1 to 100 takes that percentage of the model's iterations, rounded up. Of a model of
ten, 75 takes eight.

Files that were cut are an `OSError` unless `PIL.ImageFile.LOAD_TRUNCATED_IMAGES` is set, which
decodes what is there. `Image.thumbnail` and `Image.draft` decode fewer iterations for smaller
pictures: of a picture that is asked for at half its size, half of them. Files are decoded by the
preset that they name; for models of your own, use `tfrnnc.load`. All of it may be used from several
threads.
"""

from __future__ import annotations

import functools
import math
import numbers
import os
import threading
from dataclasses import fields
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from tfrnnc.advice import reworded
from tfrnnc.bitstream import read_header
from tfrnnc.bitstream.constants import MAGIC, VERSION_BITS, VERSIONS
from tfrnnc.codec import load
from tfrnnc.codec.encode_options import EncodeOptions
from tfrnnc.codec.select import CodecSelector
from tfrnnc.errors import StreamError, TfrnncError
from tfrnnc.model_folder.presets import DEFAULT_PRESET

FORMAT = "RNNC"
HEADER_BYTES = 64  #: more than any header has
# What is saved has to be opened again, so it has a header.
_OPTIONS = {field.name for field in fields(EncodeOptions)} - {"headerless"}

# What those who open and save images can do about an error.
_OPENING = {
    "--partial": "PIL.ImageFile.LOAD_TRUNCATED_IMAGES = True",
    "--max-pixels": "max_pixels= of tfrnnc.Codec.decode",
    "--max-work": "max_work= of tfrnnc.Codec.decode",
    "--model": "to tfrnnc.load, whose codec decodes it",
}
_SAVING = {
    "--background": 'background="white"',
    "--max-pixels": "max_pixels=",
    "--max-work": "max_work=",
}

_codec = functools.cache(load)
_codec_of = CodecSelector()
_loading = threading.Lock()  # Models are loaded once, by whichever thread is first.


class RnncImageFile(ImageFile.ImageFile):
    """An image in a .rnnc file. Opening reads the header only, `load` decodes.

    Attributes:
        info: has `iterations`, how many the file was written with, and `model_id`, the identity of
            the model that decodes it, in hexadecimal.
    """

    format = FORMAT
    format_description = "tfrnnc: progressive, by recurrent networks"

    def _open(self) -> None:
        assert self.fp is not None
        try:
            header, _ = read_header(self.fp.read(HEADER_BYTES))
        except StreamError as error:  # What Pillow takes for "not of this format".
            raise SyntaxError(str(error)) from error
        self._size = header.width, header.height
        self._mode = "RGB"
        self.info |= {"iterations": header.iterations, "model_id": header.model_id.hex()}
        self._set_tile(None)

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Decodes fewer iterations for a picture that is going to be made smaller.

        The picture keeps its size. Iterations are divided by how many times it is larger than what
        is asked for.

        Args:
            mode: is not used.
            size: (width, height) that the picture should have at least.

        Returns:
            the mode, and the picture's box; None if nothing changes.
        """
        if not self.tile or not size:
            return None
        scale = min(self.width // max(1, size[0]), self.height // max(1, size[1]))
        if scale < 2:
            return None
        self._set_tile(math.ceil(self.info["iterations"] / scale))
        return self.mode, (0, 0, *self.size)

    def load_seek(self, position: int) -> None:
        """Goes to where the decoder begins. That it is here tells Pillow's parser to wait."""
        assert self.fp is not None
        self.fp.seek(position)

    def _set_tile(self, iterations: int | None) -> None:
        self.tile = [ImageFile._Tile(FORMAT, (0, 0, *self.size), 0, (iterations,))]


class RnncDecoder(ImageFile.PyDecoder):
    """Decodes a whole file at once."""

    _pulls_fd = True

    def decode(self, buffer: Any) -> tuple[int, int]:
        """Reads the file and sets the image; see `PIL.ImageFile.PyDecoder`.

        Raises:
            OSError: if it cannot be decoded.
        """
        assert self.fd is not None
        self.fd.seek(0)
        data = self.fd.read()
        (iterations,) = self.args
        try:
            with _loading:
                codec = _codec_of(data)
            picture = codec.decode(
                data, iterations, allow_truncated=ImageFile.LOAD_TRUNCATED_IMAGES
            )
        except TfrnncError as error:
            raise OSError(reworded(str(error), _OPENING)) from error
        self.set_as_raw(picture.tobytes())
        return -1, 0


def _accept(prefix: bytes) -> bool:
    first = prefix[len(MAGIC)] if len(prefix) > len(MAGIC) else 0
    return prefix.startswith(MAGIC) and first & VERSION_BITS in VERSIONS


def _save(image: Image.Image, file: Any, filename: str | bytes) -> None:
    """Writes an image.

    Raises:
        OSError: if it cannot be encoded.
    """
    given = image.encoderinfo
    options = {name: value for name, value in given.items() if name in _OPTIONS}
    try:
        with _loading:
            model = given.get("model", DEFAULT_PRESET)
            # What is no name may not be hashed, and is refused.
            codec = (
                _codec(os.fspath(model)) if isinstance(model, str | os.PathLike) else load(model)
            )
        if options.get("iterations") is None:
            options["iterations"] = _iterations(given.get("quality"), codec.max_iterations)
        file.write(codec.encode(image, **options))
    except TfrnncError as error:
        raise OSError(reworded(str(error), _SAVING)) from error


def _iterations(quality: Any, most: int) -> int | None:
    """How many iterations a quality stands for; None, all, for what is none."""
    # Other formats know words as well ("keep", "web_low").
    if isinstance(quality, bool | np.bool_) or not isinstance(quality, numbers.Real):
        return None
    percent: Any = min(max(quality, 0), 100)  # Before it is a float, which not every number fits.
    return None if math.isnan(percent) else max(1, math.ceil(float(percent) * most / 100))


Image.register_open(FORMAT, RnncImageFile, _accept)
Image.register_decoder(FORMAT, RnncDecoder)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".rnnc")
Image.register_mime(FORMAT, "image/x-rnnc")
