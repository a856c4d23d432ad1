"""What commands report, read back."""

from __future__ import annotations

import json


def read_json(lines: str) -> list[dict]:
    """The facts of JSON Lines."""
    return [json.loads(line) for line in lines.splitlines()]
