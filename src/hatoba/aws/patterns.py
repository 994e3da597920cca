"""The models' regular expressions, which are Java's, as Python's.

What differs and occurs: Unicode classes (`\\p{L}`), surrogate pairs, possessive forms, nested and intersected classes.
A pattern that cannot be told in Python is left to the service itself: `compiled` gives None for it.
"""

from __future__ import annotations

import re
import warnings
from functools import cache

# Inside a character class. \w stands for letters, marks and digits: it lets an underscore through, a little too kind.
_CLASSES = {
    "L": r"\w", "IsLetter": r"\w", "IsAlphabetic": r"\w", "Alpha": "a-zA-Z", "Lower": "a-z", "Ll": r"\w", "Lu": r"\w",
    "Upper": "A-Z",
    "M": r"\w\u0300-\u036f\u0900-\u0903\u093a-\u094f\u20d0-\u20ff\ufe00-\ufe0f",
    "N": r"\w", "Pc": "_", "Pd": r"\-\u2010-\u2015", "Nd": r"\d",
    "IsDigit": r"\d", "Digit": "0-9", "Alnum": "a-zA-Z0-9", "Z": r"\s\u200b", "Zs": r"\s", "Space": r"\s",
    "P": r"!-/:-@\[-`{-~\u00a1-\u00bf\u2010-\u2027\u2030-\u205e\u3001-\u3003", "Punct": r"!-/:-@\[-`{-~",
    "S": r"$+<=>^`|~\u00a2-\u00a9\u2044-\u2bff", "C": r"\x00-\x1f\x7f-\x9f", "Cntrl": r"\x00-\x1f\x7f",
    "ASCII": r"\x00-\x7f", "Print": r"\x20-\x7e", "Graph": r"\x21-\x7e", "XDigit": "0-9a-fA-F", "Blank": r" \t",
}  # fmt: skip
_PROPERTY = re.compile(r"\\p\{(\w+)\}|\\p([LMNZPSC])")
_IN_CLASS = re.compile(r"\[(?:\\.|[^\]\\])*\]", re.DOTALL)
_PAIRS = re.compile(
    r"\\u[dD]8[0-9a-fA-F]{2}\\u[dD][cC][0-9a-fA-F]{2}-\\u[dD][bB][0-9a-fA-F]{2}\\u[dD][fF][0-9a-fA-F]{2}"
)
_LOOSE_HYPHEN = re.compile(r"(\\[wdsWDS])-(?!\])")  # [\w-_]: in Java no range, in Python an error
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_ASCII = {r"\w": "a-zA-Z0-9_", r"\d": "0-9"}
_CODE_POINT = re.compile(r"\\x\{([0-9a-fA-F]+)\}")

# Those that take exponential time on what nearly fits, and the same language without that. A test looks for more.
_TAMED = {
    r"^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$": r"[a-z0-9*]+(?:[._\-/][a-z0-9*]+)*",
    r"^[ \t]*[\x20-\x7E]+([ \t]+[\x20-\x7E]+)*[ \t]*$": r"\t*[\x20-\x7E][\t\x20-\x7E]*",
    r"^[ \t]*[^\x00-\x1F:\x7F]+([ \t]+[^\x00-\x1F:\x7F]+)*[ \t]*$": (r"\t*[^\x00-\x1F:\x7F](?:\t|[^\x00-\x1F:\x7F])*"),
}


@cache
def compiled(pattern: str) -> re.Pattern[str] | None:
    """For `fullmatch`: AWS means the whole value, anchors or not."""
    pattern = _TAMED.get(pattern, pattern)
    text = _PAIRS.sub(r"\\U00010000-\\U0010ffff", pattern.replace("\ud800\udc00-\udbff\udfff", "\U00010000-\U0010ffff"))
    text = _CODE_POINT.sub(lambda found: f"\\U{int(found[1], 16):08x}", text)
    text = _ascii(text)
    try:
        # A property alone becomes a class of its own; within a class it becomes part of it.
        text = _IN_CLASS.sub(lambda found: _PROPERTY.sub(_class, found[0]), text)
        text = _PROPERTY.sub(lambda found: f"[{_class(found)}]", text)
        with warnings.catch_warnings():
            # "Possible nested set": in Java a class within a class, in Python a bracket. Not ours to judge.
            warnings.simplefilter("error", FutureWarning)
            return re.compile(text)
    except (re.error, FutureWarning, KeyError, OverflowError):
        return None


def _ascii(text: str) -> str:
    """Java's `\\w` and `\\d` are ASCII's alone: or names would be told apart that look alike, and digits be of any
    script."""

    def within(found: re.Match[str]) -> str:
        return _ESCAPED.sub(lambda each: _ASCII.get(each[0], each[0]), _LOOSE_HYPHEN.sub(r"\1\-", found[0]))

    pieces, end = [], 0
    for found in _IN_CLASS.finditer(text):
        pieces += [_outside(text[end : found.start()]), within(found)]
        end = found.end()
    return "".join([*pieces, _outside(text[end:])])


def _outside(text: str) -> str:
    return _ESCAPED.sub(lambda each: f"[{_ASCII[each[0]]}]" if each[0] in _ASCII else each[0], text)


def _class(found: re.Match[str]) -> str:
    return _CLASSES[found[1] or found[2]]
