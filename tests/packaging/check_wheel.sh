#!/usr/bin/env bash
# Builds the wheel and the sdist, and the wheel of tfrnnc-presets, and tries the wheels in an empty
# environment outside of the checkout.
#
# PYTHON  the Python to build and to install with (python3)
# DIST    where they are left (dist/)
set -euo pipefail

LARGEST=$((6 * 1000 * 1000)) # bytes of the wheel

repository=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=$("${PYTHON:-python3}" -c 'import sys; print(sys.executable)')
dist=${DIST:-$repository/dist}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "check_wheel.sh: $1" >&2
  exit 1
}

# Says nothing of what went well, and all of what did not.
quietly() {
  "$@" > "$work/output" 2>&1 || { cat "$work/output" >&2; fail "failed: $*"; }
}

# Expects a command to end with a code, and its message to hold some words.
expect() {
  local code=$1 words=$2 found=0
  shift 2
  "$@" > "$work/output" 2>&1 || found=$?
  [ "$found" = "$code" ] || { cat "$work/output" >&2; fail "$* ended with $found, not $code"; }
  grep -q -- "$words" "$work/output" || { cat "$work/output" >&2; fail "$* does not say '$words'"; }
  ! grep -q Traceback "$work/output" || { cat "$work/output" >&2; fail "$* shows a traceback"; }
}

quietly "$PYTHON" -m venv "$work/tools"
quietly "$work/tools/bin/pip" install build twine
# From what git has, so that nothing that lies around gets into the package.
mkdir "$work/source"
git -C "$repository" archive HEAD | tar -x -C "$work/source"
quietly "$work/tools/bin/python" -m build --outdir "$work/dist" "$work/source"
quietly "$work/tools/bin/python" -m build --wheel --outdir "$work/presets" "$work/source/presets"
quietly "$work/tools/bin/python" -m twine check --strict "$work"/dist/* "$work"/presets/*
presets=$(ls "$work"/presets/*.whl)
wheel=$(ls "$work"/dist/*.whl)
sdist=$(ls "$work"/dist/*.tar.gz)
for file in "$wheel" "$sdist" "$presets"; do
  echo "$(basename "$file"): $(stat -c %s "$file") bytes"
done
[ "$(stat -c %s "$wheel")" -le "$LARGEST" ] || fail "the wheel has more than $LARGEST bytes"
"$PYTHON" - "$wheel" << 'END'
import sys, zipfile

names = zipfile.ZipFile(sys.argv[1]).namelist()
strangers = [name for name in names if not name.startswith(("tfrnnc/", "tfrnnc-"))]
assert not strangers, strangers
exported = ("encoder_1.tflite", "decoder_1.tflite", "manifest.json")
int8 = [f"int8/{file}" for file in exported]
for file in (*exported, *int8, "entropy_model.bin", "MODEL_CARD.md"):
    assert f"tfrnnc/presets/conv_lstm_medium/{file}" in names, file
END

quietly "$PYTHON" -m venv "$work/empty"
quietly "$work/empty/bin/pip" install "$wheel"
cp "$repository/examples/photos/chelsea.png" "$work/photo.png"
cd "$work"
PATH="$work/empty/bin:$PATH"
unset PYTHONPATH
for command in "$work"/empty/bin/tfrnnc-*; do
  expect 0 ", version " "$command" --version
  expect 0 "Usage:" "$command" --help
done
expect 0 " dB" tfrnnc-encode photo.png photo.rnnc
expect 0 " dB" tfrnnc-encode photo.png int8.rnnc --arithmetic int8
head -c 3000 photo.rnnc > cut.rnnc
expect 0 "cut: " tfrnnc-info cut.rnnc
expect 0 "451x300" tfrnnc-decode cut.rnnc preview.png --partial
expect 1 "--partial" tfrnnc-decode cut.rnnc refused.png
[ ! -e refused.png ] || fail "a picture was written that should have been refused"
# What needs Keras says so.
expect 1 "tfrnnc\[train\]" tfrnnc-train --data . --output run
expect 1 "tfrnnc\[train\]" tfrnnc-export conv_lstm_medium exported
expect 1 "tfrnnc\[train\]" tfrnnc-encode photo.png keras.rnnc --runtime keras
# And so does what needs the hub's client, or PyArrow.
expect 1 "tfrnnc\[hub\]" tfrnnc-encode photo.png hub.rnnc --model hf://owner/model
expect 1 "tfrnnc\[shards\]" tfrnnc-pack . -o shards
expect 0 "(451, 300)" python - << 'END'
from PIL import Image
import tfrnnc, tfrnnc.pillow_plugin

assert "site-packages" in tfrnnc.__file__, tfrnnc.__file__
print(Image.open("photo.rnnc").convert("RGB").size)
END
# Further presets come with a package of their own.
expect 1 "package tfrnnc-presets" tfrnnc-encode photo.png fc.rnnc --model fc_small
quietly "$work/empty/bin/pip" install "$presets"
expect 0 " dB" tfrnnc-encode photo.png fc.rnnc --model fc_small
mkdir -p "$dist"
cp "$wheel" "$sdist" "$presets" "$dist"
echo "installed in an empty environment, every command works there; left in $dist"
