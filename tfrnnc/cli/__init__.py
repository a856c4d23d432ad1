"""One thin module for each console script."""

from tfrnnc.cli import endings as endings
