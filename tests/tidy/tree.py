"""The project's own files, read once: what the tidy tests look at.

Found by walking, not by asking git: a file counts from the moment it is there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "hatoba"
FOLDERS = (".ci", "bench", "docs", "examples", "src", "tests", "tools")
GENERATED = ("src/hatoba/runtime/stubs/", "src/hatoba/aws/services.json", "src/hatoba/aws/shapes/")
_LEFT_OUT = {"__pycache__", "stubs", "golden", ".venv"}


def name(path: Path) -> str:
    """As it is written from the project's root."""
    return path.relative_to(ROOT).as_posix()


@cache
def files() -> tuple[Path, ...]:
    """Every text of ours, generated ones included, packages' leftovers not."""
    return tuple(sorted({*_walk(), *(path for path in ROOT.iterdir() if path.is_file() and _ours(path))}))


def _walk() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not _LEFT_OUT & set(path.relative_to(ROOT).parts) and _ours(path):
                yield path


def _ours(path: Path) -> bool:
    if path.name == ".git":  # of a second working tree: git's own, with a path of this machine
        return False
    return path.suffix in {".py", ".pyi", ".md", ".toml", ".sh", ".lock", ".json", ".yaml", ""} or path.name == "run"


@cache
def python() -> tuple[Path, ...]:
    return tuple(path for path in files() if path.suffix == ".py")


@cache
def sources() -> tuple[Path, ...]:
    """The product's modules."""
    return tuple(path for path in python() if path.is_relative_to(PACKAGE))


@cache
def text(path: Path) -> str:
    return path.read_text()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path), filename=name(path))


def dotted(node: ast.expr) -> str:
    """`time.time` for the expression of that name; "" for what is no plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def imports(module: ast.Module) -> set[str]:
    """The names of the modules that are imported, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found
