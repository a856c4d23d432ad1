from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import tfrnnc
from tfrnnc.backend import prepare_environment
try:
    prepare_environment()
except tfrnnc.InstallationError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("backend", "settings", "message"),
    [
        ("abacus", {}, "Keras cannot start (Unable to import backend : abacus); set KERAS_BACKEND"),
        ("torch", {}, "set KERAS_BACKEND"),
        ("numpy", {}, "Keras is set to numpy; set KERAS_BACKEND"),
        ("jax", {"image_data_format": "channels_first"}, "Keras is set to channels_first; set"),
    ],
)
def test_what_keras_is_set_to_is_said_in_one_line(backend, settings, message, tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": backend}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert message in result.stdout
    assert "pip install" not in result.stdout
    assert result.stdout.count("\n") == 1
