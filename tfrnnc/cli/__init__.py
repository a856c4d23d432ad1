"""One thin module for each console script."""
