"""Makes the files that phones and pages load, with golden vectors, for the default preset.

    python tools/make_export.py --small-images FOLDER --large-images FOLDER

The files with 8-bit weights are kept in the repository. Those in float32 are made beside them, and
left to this command because of their size. The images are what the manifests' comparison with
Keras is measured on. Made again from the same preset with the same package versions, all .tflite
files and golden vectors are the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import click

from golden_vectors import golden_images, write_golden_vectors
from tfrnnc.backend import require_tensorflow
from tfrnnc.cli.common import command
from tfrnnc.export.sample_images import images_of_size
from tfrnnc.model_folder.model_folder import ModelFolder
from tfrnnc.model_folder.presets import DEFAULT_PRESET, find_model

EXPORT = Path(__file__).parents[1] / "export"
QUANTIZATIONS = {"float32": "none", "small": "weights"}
SMALL, LARGE = (32, 32), (256, 256)


@command()
@click.option("--small-images", type=click.Path(path_type=Path), required=True)
@click.option("--large-images", type=click.Path(path_type=Path), required=True)
@click.option("--output", type=click.Path(path_type=Path), default=EXPORT, show_default=True)
def main(small_images, large_images, output):
    """Make the folders again, measuring on these images."""
    require_tensorflow()
    from tfrnnc.export.parity import record_parity
    from tfrnnc.export.tflite import export_tflite
    from tfrnnc.model_folder.keras_model import load_model

    model = load_model(find_model(DEFAULT_PRESET))
    for size, folder_of_images in ((SMALL, small_images), (LARGE, large_images)):
        measured = images_of_size(folder_of_images, size)
        for name, quantize in QUANTIZATIONS.items():
            folder = output / DEFAULT_PRESET / f"{name}_{size[0]}x{size[1]}"
            manifest = export_tflite(model, folder, size, quantize)
            manifest = record_parity(manifest, model, folder, measured)
            find_model(DEFAULT_PRESET).copy_entropy_model(ModelFolder(folder))
            images = golden_images(size)
            if size == LARGE:  # The pictures of one photo take a megabyte.
                images = {"chelsea": images["chelsea"]}
            write_golden_vectors(folder, manifest, images)
            lost = max(manifest.parity["psnr_lost"])
            total = sum(file.size_bytes for file in (*manifest.encoders, *manifest.decoders))
            click.echo(f"{folder}: {total:,} bytes, {lost:.3f} dB lost at the worst iteration")


if __name__ == "__main__":
    main()
