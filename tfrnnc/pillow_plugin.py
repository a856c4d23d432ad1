"""Opens and saves .rnnc files with Pillow. Importing this module registers the format.

>>> import io
>>> from PIL import Image
>>> import tfrnnc.pillow_plugin
>>> file = io.BytesIO()
>>> Image.new("RGB", (40, 30), "teal").save(file, "RNNC", bpp=1.0)
>>> image = Image.open(file)
>>> image.format, image.size, image.mode
('RNNC', (40, 30), 'RGB')

Pillow finds the formats of other packages only once they are imported. `Image.save` takes what
`tfrnnc.Codec.encode` does (`iterations`, `bpp`, `max_bytes`, `psnr`, `ssim`, `background`,
`entropy_coding`), and `model`, a preset or the folder of a model. Files that were cut are an
`OSError` unless `PIL.ImageFile.LOAD_TRUNCATED_IMAGES` is set, which decodes what is there. Files
are decoded by the preset that they name; for models of your own, use `tfrnnc.load`.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from PIL import Image, ImageFile

from tfrnnc.bitstream import read_header
from tfrnnc.codec import Codec, load
from tfrnnc.codec.select import CodecSelector
from tfrnnc.errors import StreamError, TfrnncError
from tfrnnc.model_folder.presets import DEFAULT_PRESET

FORMAT = "RNNC"
HEADER_BYTES = 64  #: more than any header has
_OPTIONS = set(inspect.signature(Codec.encode).parameters) - {"self", "image", "header"}

_codec = functools.cache(load)
_codec_of = CodecSelector()


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
        # Pillow has held the size against its own limit by the time that this is decoded.
        self.tile = [ImageFile._Tile(FORMAT, (0, 0, *self.size), 0, (self.width * self.height,))]


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
        try:
            picture = _codec_of(data).decode(
                data,
                allow_truncated=ImageFile.LOAD_TRUNCATED_IMAGES,
                max_pixels=self.args[0],
            )
        except TfrnncError as error:
            raise OSError(str(error)) from error
        self.set_as_raw(picture.tobytes())
        return -1, 0


def _accept(prefix: bytes) -> bool:
    return prefix[:2] == b"RN" and (prefix[2:5] == b"NC\x01" or prefix[2:3] != b"N")


def _save(image: Image.Image, file: Any, filename: str | bytes) -> None:
    """Writes an image.

    Raises:
        OSError: if it cannot be encoded.
        TypeError: if an option is not known.
    """
    options = dict(image.encoderinfo)
    model = options.pop("model", DEFAULT_PRESET)
    if unknown := set(options) - _OPTIONS:
        known = ", ".join(sorted(_OPTIONS | {"model"}))
        raise TypeError(f"there is no option {', '.join(sorted(unknown))}; there are {known}")
    try:
        file.write(_codec(model).encode(image, **options))
    except TfrnncError as error:
        raise OSError(str(error)) from error


Image.register_open(FORMAT, RnncImageFile, _accept)
Image.register_decoder(FORMAT, RnncDecoder)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".rnnc")
Image.register_mime(FORMAT, "image/x-rnnc")
