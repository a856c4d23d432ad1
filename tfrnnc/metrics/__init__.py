"""Measures of quality (NumPy; neither TensorFlow nor Keras)."""

from tfrnnc.metrics.ms_ssim import ms_ssim
from tfrnnc.metrics.psnr import psnr
from tfrnnc.metrics.ssim import block_ssim

__all__ = ["block_ssim", "ms_ssim", "psnr"]
