"""Image folders and TFDS data sets to batches of patches."""

from tfrnnc.data.image_source import (
    FolderImages,
    ImageSource,
    JoinedImages,
    TFDSImages,
    hold_out,
    open_images,
)
from tfrnnc.data.mixed_batches import MixedBatches
from tfrnnc.data.patch_batches import PatchBatches, centre_patches

__all__ = [
    "FolderImages",
    "ImageSource",
    "JoinedImages",
    "MixedBatches",
    "PatchBatches",
    "TFDSImages",
    "centre_patches",
    "hold_out",
    "open_images",
]
