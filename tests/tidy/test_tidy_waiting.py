"""Patience is paid for only where something does not come: tests on a real machine have plenty of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.tidy.tree import dotted, name, python, text, tree

LEAST = 10.0  # seconds
SLOW = re.compile(r"mark\.(real|slow)")
# What waits: the number of the argument that says how long.
WAITS = {
    "HTTPConnection": None,
    "create_connection": 1,
    "eventually": 1,
    "run": None,
    "settimeout": 0,
    "timeout": 0,
    "until": 1,
    "urlopen": None,
    "wait": 0,
    "wait_for": 1,
    "wait_task": 2,
}
# Which waits are for nothing to come, or one of many tries; the others are of another world's time.
SHORT = {
    "tests/e2e/test_chaos.py": "the pause of a client",
    "tests/e2e/test_logs_in_buckets.py": "one of many tries",
    "tests/e2e/test_preserved_clients.py": "one of many tries: a datagram is not sent again",
    "tests/e2e/test_preserved_clients6.py": "one of many tries: a datagram is not sent again",
    "tests/simulation/test_shifts.py": "virtual time",
    "tests/simulation/test_stories.py": "virtual time",
}


def patience() -> Iterator[tuple[str, int, float]]:
    """File, line and seconds of what is waited for in tests that are real or slow, and in what these stand on."""
    for path in python():
        file = name(path)
        if not file.startswith(("tests/e2e/", "tests/contract/")) and not SLOW.search(text(path)):
            continue
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call) or (called := dotted(node.func).rpartition(".")[2]) not in WAITS:
                continue
            given = [each.value for each in node.keywords if each.arg in ("timeout", "seconds")]
            place = WAITS[called]
            given += [] if place is None else node.args[place : place + 1]
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                    yield file, node.lineno, float(value.value)


def test_nothing_that_comes_is_given_up_for_early() -> None:
    """A machine may stand still for seconds. `tools/waiting.py` has the one patience, and what to do about silence."""
    hasty = [(file, line) for file, line, seconds in patience() if seconds < LEAST and file not in SHORT]
    assert hasty == []


def test_those_that_may_be_short_are() -> None:
    assert SHORT.keys() <= {file for file, _, seconds in patience() if seconds < LEAST}
