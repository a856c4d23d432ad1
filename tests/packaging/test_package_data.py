"""Every file of the presets that the repository has is in the package."""

from __future__ import annotations

import configparser
from fnmatch import fnmatch

from tfrnnc.model_folder.presets import PRESETS_FOLDER


def test_nothing_is_left_out(request):
    parser = configparser.ConfigParser()
    parser.read(request.config.rootpath / "setup.cfg")
    patterns = parser.get("options.package_data", "tfrnnc.presets").split(", ")
    kept = [
        path.relative_to(PRESETS_FOLDER)
        for path in PRESETS_FOLDER.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    # As setuptools takes them, where * does not go into a folder.
    left_out = [
        path
        for path in kept
        if not any(
            len(path.parts) == pattern.count("/") + 1 and fnmatch(path.as_posix(), pattern)
            for pattern in patterns
        )
    ]
    assert not left_out
    assert "conv_lstm_medium/int8/encoder_1.tflite" in {path.as_posix() for path in kept}
