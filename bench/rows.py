"""What a figure should be, beside what it is: printed at once, and gathered by `python -m bench` for its last table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

GATHERED = "BENCH_ROWS"  # the environment variable that names the file


class Row(NamedTuple):
    what: str
    figure: float
    unit: str
    target: float
    at_least: bool = False  # else: at most

    @property
    def met(self) -> bool:
        return self.figure >= self.target if self.at_least else self.figure <= self.target


def show(row: Row) -> str:
    bound = f"{'≥' if row.at_least else '≤'} {row.target:g} {row.unit}"
    return f"{row.what:60} {row.figure:9.2f} {row.unit:10} {bound:16} {'met' if row.met else 'NOT MET'}"


def report(what: str, figure: float, unit: str, *, at_most: float | None = None, at_least: float | None = None) -> Row:
    """Exactly one of `at_most` and `at_least` is the target."""
    target = at_most if at_most is not None else at_least
    assert target is not None
    row = Row(what, figure, unit, target, at_least is not None)
    print(show(row), flush=True)
    if file := os.environ.get(GATHERED):
        with Path(file).open("a") as rows:
            rows.write(json.dumps(row) + "\n")
    return row


def gathered(file: Path) -> Iterable[Row]:
    return [Row(*json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
