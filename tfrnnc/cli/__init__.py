"""One thin module for each console script."""

from tfrnnc.cli import endings as endings
from tfrnnc.cli.standard_streams import fill_closed_streams

fill_closed_streams()
