"""Names of codecs for people: in figures, strips and the tables of documents."""

from __future__ import annotations

from tfrnnc.model_folder.presets import DEFAULT_PRESET

_LABELS = {
    "jpeg": "JPEG",
    "jpeg444": "JPEG 4:4:4",
    "jpeg2000": "JPEG 2000",
    "webp": "WebP",
    "avif": "AVIF",
    "avif444": "AVIF 4:4:4",
    "jpegxl": "JPEG XL",
    "preview": "tfrnnc preview",
    "blurhash": "BlurHash",
    "thumbhash": "ThumbHash",
    DEFAULT_PRESET: "tfrnnc",
}
_MARKS = {"half": "half resolution", "ssim": "for SSIM", "int8": "8-bit arithmetic"}
_SPEEDS = ("avif", "avif444")  #: codecs whose number is a speed rather than an effort


def codec_label(name: str) -> str:
    """The name of a codec for people.

    Args:
        name: of a codec, as reports and `--codec` have it; an effort or speed, "half", "ssim"
            and "int8" may follow, each after an "@". Other models are called by their own name.

    Examples:
        >>> codec_label("jpeg2000"), codec_label("avif@4"), codec_label("fc_small@2@half")
        ('JPEG 2000', 'AVIF, speed 4', 'fc_small, effort 2, half resolution')
        >>> codec_label("fc_small@half@int8")
        'fc_small, half resolution, 8-bit arithmetic'
    """
    codec, *marks = name.split("@")
    label = _LABELS.get(codec, codec)
    for mark in marks:
        number = f"{'speed' if codec in _SPEEDS else 'effort'} {mark}"
        label += f", {_MARKS.get(mark, number)}"
    return label
