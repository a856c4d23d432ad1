"""Leaves out the doctests of a module whose extra is not installed."""

from __future__ import annotations

import importlib.util

collect_ignore = [] if importlib.util.find_spec("apache_beam") else ["tfrnnc/pipelines/beam.py"]
