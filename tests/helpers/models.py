"""Models small enough to run in milliseconds."""

from __future__ import annotations

from pathlib import Path

TINY_LAYOUTS = {
    "fc": {
        "encoder": ["space_to_depth 8", "dense 16"],
        "bits": 4,
        "decoder": ["dense 16", "dense 192", "depth_to_space 8"],
    },
    "fc_lstm": {
        "encoder": ["space_to_depth 8", "lstm 16"],
        "bits": 4,
        "decoder": ["lstm 16", "dense 192", "depth_to_space 8"],
    },
    "conv": {
        "encoder": ["conv 3x3/8 s2", "conv 3x3/8 s2"],
        "bits": 2,
        "decoder": ["deconv 2x2/8 s2", "deconv 2x2/8 s2", "conv 1x1/3"],
    },
    "conv_lstm": {
        "encoder": ["conv 3x3/4 s2", "conv_lstm 3x3/6 s2", "conv_lstm 3x3/8 s2"],
        "bits": 8,
        "decoder": [
            "conv_lstm 3x3/8",
            "depth_to_space 2",
            "conv 3x3/48 linear",
            "depth_to_space 4",
        ],
    },
}


def tiny_config(arch: str, **settings) -> dict:
    """The configuration of a model small enough to run in milliseconds."""
    return {"arch": arch, **TINY_LAYOUTS[arch], "iterations": 3, **settings}


def write_tiny_model(arch: str, folder: Path, damping: float = 1) -> Path:
    """Writes a model, its TFLite files and its entropy model, all of random weights.

    The weights of the decoder's last layer are multiplied by `damping`.
    """
    import keras

    from tfrnnc.export.tflite import export_tflite
    from tfrnnc.model_folder.file_names import ENTROPY_MODEL_FILE
    from tfrnnc.model_folder.keras_model import model_from_config, model_id, save_model
    from tfrnnc.models.entropy_network import EntropyNetwork

    keras.utils.set_random_seed(7)
    model = model_from_config(tiny_config(arch))
    for stage in model.decoders:
        for weight in stage.trainable_variables[-2:]:
            weight.assign(weight * damping)
    save_model(model, folder)
    export_tflite(model, folder)
    network = EntropyNetwork(
        model.iterations, model.bits, groups=min(3, model.bits), hidden=8, width=4
    )
    content = network.to_entropy_model(model_id(model)).to_bytes()
    (folder / ENTROPY_MODEL_FILE).write_bytes(content)
    return folder
