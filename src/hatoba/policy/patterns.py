"""Patterns of policies: `*` is any text, `?` one character, `${key}` a value of the request. Pure.

A pattern is translated into a regular expression without ambiguity (each run up to the next literal piece is atomic, as
the leftmost place is as good as any), so that no pattern and no text can make matching slow.

Sources: the IAM user guide, "IAM JSON policy elements: Resource" and "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

_VARIABLE = re.compile(r"\$\{\s*([^{}]*?)\s*\}")
_DEFAULTED = re.compile(r"(?P<key>[^,']+?)\s*,\s*'(?P<default>[^']*)'")
_SIGNS = ("*", "?", "$")  # `${*}` and its like stand for the sign itself
_SEGMENTS = 6  # of an ARN
_REMEMBERED = 32  # resolutions of one template


class Wild(NamedTuple):
    sign: str


STAR, ANY = Wild("*"), Wild("?")


class Variable(NamedTuple):
    key: str  # in lower case
    default: str | None


Piece = str | Wild
Part = str | Wild | Variable


class Glob:
    """A text with wildcards. `segments`: an ARN, in which no wildcard before the last segment crosses a colon."""

    __slots__ = ("_pieces", "_prefix", "_regex", "_segments", "literal")

    def __init__(self, pieces: tuple[Piece, ...], *, segments: bool = False) -> None:
        """`pieces`: literal texts, `STAR` and `ANY`."""
        self._pieces = pieces
        self._segments = segments
        self._regex: re.Pattern[str] | None = None
        self._prefix = pieces[0] if pieces and isinstance(pieces[0], str) else ""
        self.literal = "".join(map(str, pieces)) if not any(isinstance(piece, Wild) for piece in pieces) else None

    def matches(self, text: str) -> bool:
        if self.literal is not None:
            return text == self.literal
        if not text.startswith(self._prefix):
            return False
        if self._regex is None:  # most patterns of a policy are never looked at beyond their beginning
            self._regex = self._compiled()
        return self._regex.fullmatch(text) is not None

    def _compiled(self) -> re.Pattern[str]:
        *inner, last = _split(self._pieces, _SEGMENTS if self._segments else 1)
        written = [*(_expression(segment, "[^:]") for segment in inner), _expression(last, ".")]
        return re.compile(":".join(written), re.DOTALL)

    @property
    def tail(self) -> str:
        """How the last segment of every ARN that matches begins; "" where that cannot be told."""
        return _tail(self._pieces, segments=self._segments)


def _split(pieces: Iterable[Piece], segments: int) -> list[list[Piece]]:
    """Cut at the first colons, so that there are at most so many segments."""
    found: list[list[Piece]] = [[]]
    for piece in pieces:
        if isinstance(piece, Wild):
            found[-1].append(piece)
            continue
        first, *others = piece.split(":", segments - len(found))
        found[-1].append(first)
        found += [[other] for other in others]
    return found


def _tail(found: Iterable[Part], *, segments: bool) -> str:
    if not segments:
        return ""
    whole = (part if isinstance(part, str) else STAR for part in found)
    last = _split(whole, _SEGMENTS)[-1]
    return last[0] if isinstance(last[0], str) else ""


def _expression(pieces: Iterable[Piece], one: str) -> str:
    """`one`: what a wildcard's characters may be."""
    runs = [""]  # literal text between the stars
    for piece in pieces:
        if piece == STAR:
            runs.append("")
        else:
            runs[-1] += one if piece == ANY else re.escape(str(piece))
    first, *others = runs
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>{one}*?{run})" for run in middle) + f"{one}*{last}"


# --- reading patterns


def pieces(text: str) -> tuple[Piece, ...]:
    """`*` and `?` of a text that has no variables."""
    found: list[Piece] = []
    for part in re.split(r"([*?])", text):
        if part == "*":
            if not found or found[-1] != STAR:
                found.append(STAR)
        elif part == "?":
            found.append(ANY)
        elif part:
            found.append(part)
    return tuple(found)


def glob(text: str) -> Glob:
    return Glob(pieces(text))


def arn_glob(text: str) -> Glob:
    """A pattern of ARNs. One of fewer than six segments stands for all that begin so."""
    return Glob(pieces(completed(text)), segments=text.startswith("arn:"))


def completed(text: str) -> str:
    missing = _SEGMENTS - 1 - text.count(":")
    return text + ":*" * missing if text.startswith("arn:") and missing > 0 else text


def parts(text: str, *, wild: bool) -> tuple[Part, ...]:
    """A text's literal pieces, variables and (where they mean something) wildcards."""
    found: list[Part] = []
    end = 0
    for variable in _VARIABLE.finditer(text):
        found += _plain(text[end : variable.start()], wild)
        found.append(_variable(variable.group(1)))
        end = variable.end()
    found += _plain(text[end:], wild)
    return _joined(found)


def _plain(text: str, wild: bool) -> Iterable[Part]:
    return pieces(text) if wild else (text,) if text else ()


def _variable(said: str) -> Part:
    if said in _SIGNS:
        return said
    defaulted = _DEFAULTED.fullmatch(said)
    if defaulted is not None:
        return Variable(defaulted["key"].lower(), defaulted["default"])
    return Variable(said.lower(), None)


def _joined(found: list[Part]) -> tuple[Part, ...]:
    """With neighbouring literals in one."""
    joined: list[Part] = []
    for part in found:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)


# --- variables

Lookup = Callable[[str], "tuple[str, ...] | None"]


class Template:
    """A pattern with variables. What they resolve to stands for itself: a wildcard in a value is none."""

    __slots__ = ("_known", "_parts", "_segments", "variables")

    def __init__(self, found: tuple[Part, ...], *, segments: bool = False) -> None:
        self._parts = found
        self._segments = segments
        self.variables = tuple(part for part in found if isinstance(part, Variable))
        self._known: dict[tuple[str, ...], Glob] = {}

    @property
    def tail(self) -> str:
        """As a `Glob`'s, whatever the variables resolve to."""
        return _tail(self._parts, segments=self._segments)

    def resolve(self, lookup: Lookup) -> Glob | None:
        """None where a variable has no value, or several, and no default: then nothing matches."""
        values: list[str] = []
        for variable in self.variables:
            found = lookup(variable.key)
            if found is not None and len(found) == 1:
                values.append(found[0])
            elif found is None and variable.default is not None:
                values.append(variable.default)
            else:
                return None
        key = tuple(values)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[key] = Glob(self._filled(iter(values)), segments=self._segments)
        return known

    def _filled(self, values: Iterator[str]) -> tuple[Piece, ...]:
        filled = [next(values) if isinstance(part, Variable) else part for part in self._parts]
        return tuple(
            part for part in _joined([part for part in filled if part != ""]) if not isinstance(part, Variable)
        )


Pattern = Glob | Template


def pattern(text: str, *, variables: bool, wild: bool = True) -> Pattern:
    """Of a condition's value."""
    if variables and "${" in text:
        return _of_parts(parts(text, wild=wild), segments=False)
    return Glob(pieces(text) if wild else (text,) if text else ())


def arn_pattern(text: str, *, variables: bool) -> Pattern | None:
    """Of a resource, or of a condition on ARNs. None for what can match nothing: a variable before the fifth colon."""
    if not variables or "${" not in text:
        return arn_glob(text)
    found = parts(completed(text), wild=True)
    segments = text.startswith("arn:")
    colons = 0
    for part in found:
        if isinstance(part, str):
            colons += part.count(":")
        elif isinstance(part, Variable) and segments and colons < _SEGMENTS - 1:
            return None
    return _of_parts(found, segments=segments)


def _of_parts(found: tuple[Part, ...], *, segments: bool) -> Pattern:
    template = Template(found, segments=segments)
    if template.variables:
        return template
    return Glob(tuple(part for part in found if not isinstance(part, Variable)), segments=segments)
