"""Names of codecs for people: in figures, strips and the tables of documents."""

from __future__ import annotations

from tfrnnc.evaluation.codecs import CodecSpec
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
    "conv_lstm_thumbnails": "tfrnnc for thumbnails",
}
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
    spec = CodecSpec.parse(name)
    effort = f"{'speed' if spec.name in _SPEEDS else 'effort'} {spec.effort}"
    marks = {
        effort: spec.effort is not None,
        "half resolution": spec.half,
        "for SSIM": spec.tune == "ssim",
        "8-bit arithmetic": spec.arithmetic == "int8",
    }
    label = _LABELS.get(spec.name, spec.name)
    return ", ".join([label, *(mark for mark, is_set in marks.items() if is_set)])
