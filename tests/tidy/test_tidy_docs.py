"""What the documents say is so: settings, file names, commands, decision records, packages, lock files."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench.__main__ import MODULES
from hatoba.app.settings import Settings
from hatoba.cli import doctor
from hatoba.cli.main import parser
from tests.tidy.tree import PACKAGE, ROOT, dotted, files, name, python, text, tree

DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
PAGES = [path for path in files() if path.suffix == ".md"]

# `src/hatoba/core/clock.py`, and `core/clock.py` for the package's own; no placeholders, no globs.
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")
SOURCE = re.compile(r"(?<![\w/.-])((?:[\w-]+/)+[\w-]+\.(?:py|md|c|sh|toml|nft|txt))\b")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
PLACES = {path.name for path in (*ROOT.iterdir(), *PACKAGE.iterdir()) if path.is_dir()} - {".venv"}
ONLY_MADE = ("src/hatoba/runtime/stubs/",)


# --- names of files


def exists(path: str, page: Path) -> bool:
    starts = (ROOT, PACKAGE, page.parent)
    return path.startswith(ONLY_MADE) or any((start / path).exists() for start in starts)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_files_that_are_named_exist(page: Path) -> None:
    named = {path for path in PATH.findall(text(page)) if path.partition("/")[0] in PLACES}
    linked = {path for path in LINK.findall(text(page)) if not (page.parent / path).exists()}
    assert linked == set()
    assert {path for path in named if not exists(path, page)} == set()


def test_the_files_that_code_names_exist() -> None:
    """In docstrings, comments and whatever is read."""
    stale = {}
    for path in python():
        named = {said for said in SOURCE.findall(text(path)) if said.partition("/")[0] in PLACES}
        if missing := {said for said in named if not exists(said, path)}:
            stale[name(path)] = missing
    assert stale == {}


def test_the_architecture_names_every_folder() -> None:
    said = text(DOCS / "architecture.md")
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {folder for folder in folders if f"`{folder}/`" not in said and f"`{folder}/<" not in said} == set()


# --- settings


def test_settings_are_documented() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (?:`([^`]*)`|\(empty\)) \| (?:`--([\w-]+)`)? ?\| \S", text(DOCS / "settings.md"), re.M
    )
    fields = {field.name: str(field.default) for field in msgspec.structs.fields(Settings)}
    assert {row[0]: row[1] for row in rows} == fields
    assert [row[0] for row in rows] == list(fields)
    options = {row[2] for row in rows if row[2]}
    words = [f"--{option}={'off' if option == 'auth' else '1'}" for option in sorted(options)]
    given = parser().parse_args(["up", *words])
    assert options == {option.replace("_", "-") for option in fields if getattr(given, option, None) is not None}


# --- the command line


@pytest.mark.parametrize(
    "line",
    [
        "up",
        "up --port 4566 --data DIR --auth off --detach",
        "up --keep-tasks",
        "down",
        "down --data DIR --purge",
        "status --data DIR --json",
        "env --data DIR",
        "doctor",
        "ps",
        "logs SERVICE -f",
        "open SERVICE",
        "names install",
        "names remove",
        "registry trust",
        "registry trust --remove",
        "node --join TOKEN",
    ],
)
def test_promised_commands_exist(line: str) -> None:
    """These are promises; changing one needs a decision record."""
    module, _, function = parser().parse_args(line.split()).run.partition(".")
    found = [node.name for node in tree(PACKAGE / "cli" / f"{module}.py").body if isinstance(node, ast.FunctionDef)]
    assert function in found


def test_all_of_the_command_line_is_documented() -> None:
    page = text(DOCS / "commands.md")
    (commands,) = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    shown = {choice.dest for choice in commands._choices_actions}
    assert set(re.findall(r"`hatoba (\w+)", page)) == shown
    for command in shown:
        rows = "".join(re.findall(rf"`hatoba {command}[ `].*", page))
        options = {
            option
            for action in commands.choices[command]._actions
            for option in action.option_strings[-1:]
            if action.help != argparse.SUPPRESS and option not in ("--help", "--data")
        }
        assert {option for option in options if option not in rows} == set(), command


@pytest.mark.parametrize("target", ["demo", "test", "setup", "check", "quick", "bench", "down"])
def test_promised_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", text(ROOT / "Makefile"), re.M)


# --- decision records


def test_decisions_are_numbered() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_half_a_page(path: Path) -> None:
    lines = text(path).splitlines()
    assert re.fullmatch(r"\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md", path.name)
    assert lines[0].startswith(f"# {path.name[:4]}: ")
    assert re.search(r"^\*?\*?Decided", text(path), re.M)
    assert len(lines) <= 60


# --- security


def test_each_promise_of_security_names_its_tests() -> None:
    page = text(DOCS / "security.md")
    promises = [row for row in re.findall(r"^\| (.+) \|$", page, re.M) if not row.startswith("promise |")]
    assert [row for row in promises if "`tests/" not in row.rpartition(" | ")[2]] == []
    attacks = {
        f"tests/conformance/threats/{path.name}" for path in (ROOT / "tests/conformance/threats").glob("test_*.py")
    }
    assert {path for path in attacks if path not in page} == set(), "attacks that the page does not tell of"


# --- what has to be installed


def commands() -> Iterator[tuple[str, str]]:
    """(file, program) for every program that is started by its bare name."""
    for path in python():
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if not dotted(node.func).startswith(("subprocess.", "asyncio.create_subprocess")):
                continue
            first = node.args[0].elts[0] if isinstance(node.args[0], ast.List) and node.args[0].elts else node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and "/" not in first.value:
                yield name(path), first.value


def packages() -> dict[str, str]:
    """The Debian package of each program that setup installs."""
    rows = re.findall(r"^    ([a-z0-9.+-]+):(\S+)", text(ROOT / "tools" / "setup.sh"), re.M)
    return {proof: package for package, proof in rows if "/" not in proof}


def test_programs_are_installed_by_setup() -> None:
    util_linux, coreutils, debian = {"mount", "umount", "unshare"}, {"sleep", "tail"}, {"sh", "apt-get", "dpkg-deb"}
    everywhere = util_linux | coreutils | debian
    known = packages().keys() | everywhere
    assert {(path, program) for path, program in commands() if program not in known} == set()


def test_the_doctor_knows_what_setup_installs() -> None:
    assert doctor._TOOLS.items() <= packages().items()


# --- lock files


def locked(file: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==(\S+)", text(ROOT / file), re.M))


def declared(section: str) -> set[str]:
    found = re.search(rf"^{section} = \[(.*?)^\]", text(ROOT / "pyproject.toml"), re.M | re.S)
    assert found is not None
    return set(re.findall(r'^\s*"([\w-]+)', found[1], re.M))


def test_lock_files_are_in_step() -> None:
    """If not: make lock"""
    runtime, everything = locked("requirements.lock"), locked("requirements-dev.lock")
    assert declared("dependencies") <= runtime.keys()
    assert declared("dependencies") | declared("dev") <= everything.keys()
    assert runtime.items() <= everything.items()


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_pin_content_and_name_no_registry(file: str) -> None:
    said = text(ROOT / file)
    assert "://" not in said
    blocks = re.findall(r"^[a-z0-9-]+\S*==.*?(?=^\S|\Z)", said, re.M | re.S)
    assert len(blocks) == len(locked(file)) > 10
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


# --- benchmarks


def test_make_bench_runs_every_benchmark() -> None:
    alone = {path.stem for path in (ROOT / "bench").glob("*.py") if "__main__" in text(path)}
    assert alone - {"__main__"} == MODULES.keys()
