"""What a run measured after each epoch, as a table in a file."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import TypeAlias

import keras

from tfrnnc.errors import TrainingError
from tfrnnc.files import replacing

Logs: TypeAlias = dict[str, float]  #: measures by their names, as Keras hands them to callbacks


class Log(keras.callbacks.Callback):
    """Writes a row of measures after each epoch; epochs are counted from 1.

    The whole file is written anew each time, so that it is never cut, and has a column for every
    measure even if a resumed run measures others.

    Args:
        path: of the CSV file.
        rows: what was measured before.
    """

    def __init__(self, path: Path, rows: list[dict[str, str]]) -> None:
        super().__init__()
        self.path = path
        self.rows = list(rows)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.rows.append({"epoch": str(epoch + 1), **{k: str(v) for k, v in sorted(logs.items())}})
        columns = dict.fromkeys(name for row in self.rows for name in row)
        with replacing(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(self.rows)


def read_log(path: Path, step: int) -> list[dict[str, str]]:
    """What was measured up to a training step; nothing if there is no file.

    A log whose epochs were counted from 0 is taken, and counted from 1.

    Raises:
        TrainingError: if the file is not what `Log` writes.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            text = file.read()
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        if not text.endswith("\n"):
            raise ValueError("its last line has no end")
        if not rows:
            raise ValueError("it has no rows")
        for row in rows:
            if None in row or None in row.values():
                raise ValueError("a row has other columns than the first line")
            if not math.isfinite(float(row["val_loss"])):
                raise ValueError("val_loss is no finite number")
        first = int(rows[0].get("epoch", 1))
        for row in rows if first == 0 else ():
            row["epoch"] = str(int(row["epoch"]) + 1)
        return [row for row in rows if int(row["step"]) <= step]
    except (ValueError, KeyError, csv.Error) as error:
        reason = f"there is no column {error}" if isinstance(error, KeyError) else error
        raise TrainingError(
            f"{path}: cut or damaged ({reason}); mend it, or remove it and resume without what "
            "was measured so far"
        ) from error
