"""Who reads JSON that somebody else has written expects it to be nested deeper than anybody can read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy.tree import PACKAGE

# Where texts come from clients, tasks, providers and registries, not from files of our own.
FOLDERS = ("aws", "gateway", "node", "policy", "proxy/signin", "registry", "runtime/distribution", "services")
READS = ("json.loads", "msgspec.json.decode", "_decode")


def tries(file: Path) -> Iterator[tuple[int, str]]:
    """Those around a reading of JSON that expect what cannot be read, and not that."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Try):
            continue
        called = {ast.unparse(call.func) for part in node.body for call in ast.walk(part) if isinstance(call, ast.Call)}
        caught = " ".join(ast.unparse(handler.type) for handler in node.handlers if handler.type is not None)
        unreadable = any(name in caught for name in ("ValueError", "DecodeError", "MsgspecError"))
        if called.intersection(READS) and unreadable and "RecursionError" not in caught:
            yield node.lineno, caught


@pytest.mark.parametrize("folder", FOLDERS)
def test_depth_is_expected_where_anything_is(folder: str) -> None:
    files = sorted((PACKAGE / folder).rglob("*.py"))
    assert files
    assert [(str(file.relative_to(PACKAGE)), *found) for file in files for found in tries(file)] == []
