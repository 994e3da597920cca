"""Small files with honest names, that say what they are for and hold nothing of one person's machine."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.tidy.tree import GENERATED, PACKAGE, ROOT, files, name, python, sources, text, tree

ABOUT = 400  # lines: the most of a source file; a longer one becomes a folder of its name, or two of other names
LONGEST = 450  # the most of any other
LONGEST_FUNCTION = 65  # about 40 is what it should be
LONG_MODULE = 200  # lines from which on one sentence does not say what a module is for
SHAPELESS = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "misc"}
MARKS = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
MACHINES = re.compile(r"(?<!\w)(?:/wor" + r"k/|/ro" + r"ot/\.)")
INDEXES = re.compile(
    r"pypi\.o" + r"rg|pythonho" + r"sted|npmj" + r"s\.|deb\.deb" + r"ian|index-url[ =]ht" + r"tp|trusted-h" + r"ost"
    r"|docker\.i" + r"o\b|public\.ecr\.a" + r"ws"
)
DOCKERS_NAMES = (  # an image reference without a host means this one: for users, never reached by the project itself
    "src/hatoba/services/ecs/plan/images.py",
    "tests/unit/services/ecs/",
)


def generated(path: Path) -> bool:
    return name(path).startswith(GENERATED) or path.suffix == ".lock" or name(path) == "docs/parity.md"


def test_files_are_small() -> None:
    limits = dict.fromkeys(python(), LONGEST) | dict.fromkeys(sources(), ABOUT)
    long = {name(path): count for path, most in limits.items() if (count := len(text(path).splitlines())) > most}
    assert long == {}


def test_functions_are_small() -> None:
    long = {
        f"{name(path)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno
        and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    }
    assert long == {}


def test_names_say_something() -> None:
    shapeless = [
        name(path) for path in python() if SHAPELESS & {*path.relative_to(ROOT).parts[:-1], *path.stem.split("_")}
    ]
    assert shapeless == []


def test_a_folder_says_what_its_files_are() -> None:
    """Each of them is in its docstring. A room's are the same everywhere, and its README says more."""
    forgotten = {}
    for path in sources():
        if path.name != "__init__.py" or name(path).startswith(("src/hatoba/services/", *GENERATED)):
            continue
        folder = path.parent
        there = {each.stem for each in folder.glob("*.py")} | {
            each.parent.name for each in folder.glob("*/__init__.py")
        }
        said = set(re.findall(r"\w+", ast.get_docstring(tree(path)) or ""))
        if folder != PACKAGE and (silent := there - said - {"__init__"}):
            forgotten[name(folder)] = sorted(silent)
    assert forgotten == {}


def of_a_list(path: Path, line: str) -> bool:
    """Of the files in a folder: as long as there are files."""
    return path.name == "__init__.py" and re.match(r" {4}|\w+ {2,}", line) is not None


def test_modules_say_what_they_are_for() -> None:
    silent = []
    for path in python():
        said = [line for line in (ast.get_docstring(tree(path)) or "").splitlines() if not of_a_list(path, line)]
        lines = len(text(path).splitlines())
        if not said and (lines > 30 or path.is_relative_to(ROOT / "src")):
            silent.append(f"{name(path)}: nothing")
        elif len(said) > 20:
            silent.append(f"{name(path)}: {len(said)} lines are a page; docs/ is the place")
        elif path.is_relative_to(ROOT / "src") and lines > LONG_MODULE and len(said) < 3:
            silent.append(f"{name(path)}: {lines} lines of code, one of explanation")
    assert silent == []


def test_nothing_is_left_to_be_done() -> None:
    assert [name(path) for path in files() if not generated(path) and MARKS.search(text(path))] == []


@pytest.mark.parametrize("pattern", [MACHINES, INDEXES], ids=["machines", "indexes"])
def test_nothing_of_one_machine(pattern: re.Pattern[str]) -> None:
    """No path of somebody's machine, no address of a package index or image registry."""
    found = {
        name(path): match[0]
        for path in files()
        if not name(path).startswith(DOCKERS_NAMES) and (match := pattern.search(text(path)))
    }
    assert found == {}


def test_tests_have_their_own_names() -> None:
    """All tests share one namespace."""
    names = [path.name for path in python() if path.is_relative_to(ROOT / "tests") and path.name.startswith("test_")]
    assert sorted({each for each in names if names.count(each) > 1}) == []
    assert list((ROOT / "tests").rglob("__init__.py")) == []
