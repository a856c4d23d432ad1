"""Images to test with."""

from __future__ import annotations

from pathlib import Path

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
