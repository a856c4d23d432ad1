"""Adds TFLite files with 8-bit arithmetic to a preset, in its folder int8/.

    python tools/make_int8.py --images FOLDER

They are made from the weights that Keras loads; those of the default preset are in presets/. Made
again with the same package versions, the files are the same bytes.
"""

from __future__ import annotations

import click

from tfrnnc.backend import require_tensorflow
from tfrnnc.cli.common import command
from tfrnnc.cli.start import native_messages_held_back
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model

#: Each tensor's range as it comes: calibrated ranges lose more and are hardly faster.
QUANTIZATION = "dynamic"


@command()
@click.argument("name", default=DEFAULT_PRESET)
@click.option("--images", required=True, help="A folder of images to compare with Keras on.")
def main(name, images):
    """Make the folder int8/ of the preset NAME, the default one if none is named."""
    with native_messages_held_back():
        require_tensorflow()
    from tfrnnc.data import FolderImages
    from tfrnnc.export.parity import record_parity
    from tfrnnc.export.tflite import export_tflite
    from tfrnnc.model_folder.keras_model import load_model

    preset = find_model(name)
    model, measured = load_model(preset), FolderImages(images)
    folder = preset.int8_path
    with native_messages_held_back():
        manifest = export_tflite(model, folder, quantize=QUANTIZATION)
        manifest = record_parity(manifest, model, folder, measured)
    total = sum(file.size_bytes for file in (*manifest.encoders, *manifest.decoders))
    lost = max(manifest.parity["psnr_lost"])
    click.echo(f"{folder}: {total:,} bytes, {lost:.3f} dB lost at the worst iteration")


if __name__ == "__main__":
    main()
