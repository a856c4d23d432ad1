"""The numbers of the format are those of spec/format.json, which all languages are held against."""

from __future__ import annotations

import json

from tfrnnc.bitstream import constants, mask_coder
from tfrnnc.bitstream.plane_coder import checksum_bytes
from tfrnnc.bitstream.probabilities import PROBABILITIES
from tfrnnc.codec import choosing_encoder
from tfrnnc.images import SCALE
from tfrnnc.metrics.ssim import BLOCK


def test_the_numbers_of_the_format(request):
    spec = json.loads((request.config.rootpath / "spec" / "format.json").read_text())
    assert spec == {
        "stream": {
            "magic": constants.MAGIC.decode(),
            "version": constants.VERSION,
            "downscale_version": constants.DOWNSCALE_VERSION,
            "downscale": constants.DOWNSCALE,
            "version_bits": constants.VERSION_BITS,
            "flags": {str(flag.name).lower(): int(flag) for flag in constants.Flag},
            "model_id_bytes": constants.ID_BYTES,
            "max_side": constants.MAX_SIDE,
            "max_iterations": constants.MAX_ITERATIONS,
            "partial_share": constants.PARTIAL_SHARE,
        },
        "limits": {"max_pixels": constants.MAX_PIXELS, "max_work": constants.MAX_WORK},
        "enlargement": {
            "taps": list(constants.ENLARGEMENT_TAPS),
            "shift": constants.ENLARGEMENT_SHIFT,
        },
        "downscale_choice": {
            "max_bpp": choosing_encoder.MAX_BPP,
            "least_side": choosing_encoder.LEAST_SIDE,
        },
        "checksum": {
            "small_plane_bits": constants.SMALL_PLANE,
            "small_bytes": checksum_bytes(constants.SMALL_PLANE),
            "large_bytes": checksum_bytes(constants.SMALL_PLANE + 1),
        },
        "range_coder": {
            "probability_bits": constants.PROBABILITY_BITS,
            "even": constants.EVEN,
            "range_bytes": constants.RANGE_BYTES,
            "range_min": constants.RANGE_MIN,
            "initial_range": constants.RANGE_MASK,
        },
        "mask": {
            "shift": constants.MASK_SHIFT,
            "contexts": len(mask_coder.MaskCoder()._probabilities),
        },
        "stored_probability": constants.STORED,
        "entropy_model": {
            "magic": constants.ENTROPY_MODEL_MAGIC.decode(),
            "version": constants.ENTROPY_MODEL_VERSION,
            "activation_scale": constants.ACTIVATION_SCALE,
            "activation_max": constants.ACTIVATION_MAX,
            "weight_scale": constants.WEIGHT_SCALE,
            "weight_max": constants.WEIGHT_MAX,
            "exact": constants.EXACT,
            "logit_min": constants.LOGIT_MIN,
            "logit_max": constants.LOGIT_MAX,
            "logits_per_unit": constants.LOGITS_PER_UNIT,
            "probabilities": PROBABILITIES[-constants.LOGIT_MIN :].tolist(),
        },
        "pixels": {"scale": SCALE, "block_size": BLOCK},
    }
