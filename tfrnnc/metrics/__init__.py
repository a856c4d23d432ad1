"""Measures of quality (NumPy; neither TensorFlow nor Keras)."""

from tfrnnc.metrics.location_errors import location_errors
from tfrnnc.metrics.ms_ssim import ms_ssim
from tfrnnc.metrics.psnr import psnr, squared_error
from tfrnnc.metrics.ssim import block_ssim

__all__ = ["block_ssim", "location_errors", "ms_ssim", "psnr", "squared_error"]
