"""Regular expressions, matched in time linear in the text: a query must not be able to hold up the control plane.

What the patterns of attributes need of Java's syntax: characters, `.`, classes, `\\d \\w \\s` and their opposites,
groups, alternatives, `* + ?` and `{m,n}`, anchors at the ends. The whole text must match. All states that the pattern
may be in are followed side by side (Thompson's construction), so that nothing is ever tried twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

MOST_STATES = 2000  # a bound on what repetitions may multiply to
MOST_REPEATS = 100
DEEPEST = 20

Accepts = Callable[[str], bool]


class BadPattern(ValueError):
    """It cannot be read, or is more than what is matched here."""


class _State(NamedTuple):
    """Reads a character that `accepts` and goes on to `after`; without `accepts` it is in all of `after` at once."""

    accepts: Accepts | None
    after: list[int]


class Pattern:
    def __init__(self, states: list[_State], start: int, end: int) -> None:
        self._states, self._start, self._end = states, start, end
        self.matches: Accepts = lru_cache(maxsize=256)(self._matches)  # many instances have the same value

    def _matches(self, text: str) -> bool:
        now = self._closure([self._start])
        for character in text:
            reached = []
            for number in now:
                state = self._states[number]
                if state.accepts is not None and state.accepts(character):
                    reached += state.after
            now = self._closure(reached)
            if not now:
                return False
        return self._end in now

    def _closure(self, open_: list[int]) -> set[int]:
        seen: set[int] = set()
        while open_:
            number = open_.pop()
            if number not in seen:
                seen.add(number)
                if self._states[number].accepts is None:
                    open_ += self._states[number].after
        return seen


@lru_cache(maxsize=1024)
def compiled(text: str) -> Pattern:
    """Raises `BadPattern`."""
    return _Builder(text).pattern()


# A piece of a pattern: builds its states, starting where it is told, and answers where it ends.
_Piece = Callable[[int], int]
_CLASSES: dict[str, Accepts] = {
    "d": lambda c: c.isascii() and c.isdigit(),
    "w": lambda c: c.isascii() and (c.isalnum() or c == "_"),
    "s": lambda c: c in " \t\n\r\f\v",
}
_REPEATED = re.compile(r"\{(\d+)(,?)(\d*)\}")


class _Builder:
    def __init__(self, text: str) -> None:
        self._text = text.removeprefix("^")
        if self._text.endswith("$") and not self._text.endswith("\\$"):
            self._text = self._text[:-1]
        self._at = 0
        self._states: list[_State] = []

    def pattern(self) -> Pattern:
        piece = self._choice(0)
        if self._at < len(self._text):
            raise BadPattern("a parenthesis is closed that was not opened")
        start = self._state(None)
        end = piece(start)
        return Pattern(self._states, start, end)

    def _state(self, accepts: Accepts | None) -> int:
        if len(self._states) >= MOST_STATES:
            raise BadPattern("it is too long")
        self._states.append(_State(accepts, []))
        return len(self._states) - 1

    def _link(self, from_: int, to: int) -> None:
        self._states[from_].after.append(to)

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise BadPattern("it ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _see(self, character: str) -> bool:
        return self._text.startswith(character, self._at)

    # --- reading

    def _choice(self, depth: int) -> _Piece:
        if depth > DEEPEST:
            raise BadPattern("it is nested too deeply")
        options = [self._sequence(depth)]
        while self._see("|"):
            self._at += 1
            options.append(self._sequence(depth))
        return options[0] if len(options) == 1 else self._either(options)

    def _sequence(self, depth: int) -> _Piece:
        pieces: list[_Piece] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            pieces.append(self._repeats(self._atom(depth)))

        def build(at: int) -> int:
            for piece in pieces:
                at = piece(at)
            return at

        return build

    def _repeats(self, piece: _Piece) -> _Piece:
        bounds = self._bounds()
        if bounds is None:
            return piece
        self._at += self._see("?")  # as few as possible, or as many: the whole text must match in any case
        if self._bounds() is not None:
            raise BadPattern("a repetition is repeated")
        return self._many(piece, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        """How often what stands before is repeated; None when nothing is said of that here."""
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._see(sign):
                self._at += 1
                return bounds
        found = _REPEATED.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        least = int(found[1])
        most = (int(found[3]) if found[3] else None) if found[2] else least
        if least > MOST_REPEATS or (most is not None and not least <= most <= MOST_REPEATS):
            raise BadPattern(f"{found[0]} is not a repetition of up to {MOST_REPEATS}")
        return least, most

    def _atom(self, depth: int) -> _Piece:
        character = self._next()
        if character == "(":
            if self._see("?:"):
                self._at += 2
            elif self._see("?"):
                raise BadPattern("groups that look around are not matched here")
            piece = self._choice(depth + 1)
            if not self._see(")"):
                raise BadPattern("a parenthesis is not closed")
            self._at += 1
            return piece
        if character in "*+?{":
            raise BadPattern(f"there is nothing to repeat before {character}")
        if character in "^$":
            raise BadPattern(f"{character} stands in its middle")
        if character == ".":
            return self._one(lambda c: c != "\n")
        if character == "[":
            return self._one(self._class())
        return self._one(self._escaped() if character == "\\" else lambda c: c == character)

    def _escaped(self) -> Accepts:
        character = self._next()
        if character.lower() in _CLASSES:
            known = _CLASSES[character.lower()]
            return known if character.islower() else lambda c: not known(c)
        if character.isalnum():
            raise BadPattern(f"\\{character} is not matched here")
        return lambda c: c == character

    def _class(self) -> Accepts:
        denied = self._see("^")
        self._at += denied
        parts: list[Accepts] = []
        while not self._see("]") or not parts:
            parts.append(self._range())
        self._at += 1
        return lambda c: any(part(c) for part in parts) is not denied

    def _range(self) -> Accepts:
        first = self._next()
        if first == "\\":
            return self._escaped()
        if first == "[" or self._see("&&"):
            raise BadPattern("classes within classes are not matched here")
        if self._see("-") and not self._see("-]"):
            self._at += 1
            last = self._next()
            if last < first or last == "\\":
                raise BadPattern(f"{first}-{last} is not a range")
            return lambda c: first <= c <= last
        return lambda c: c == first

    # --- building

    def _one(self, accepts: Accepts) -> _Piece:
        def build(at: int) -> int:
            reader, after = self._state(accepts), self._state(None)
            self._link(at, reader)
            self._link(reader, after)
            return after

        return build

    def _either(self, options: list[_Piece]) -> _Piece:
        def build(at: int) -> int:
            after = self._state(None)
            for option in options:
                start = self._state(None)
                self._link(at, start)
                self._link(option(start), after)
            return after

        return build

    def _many(self, piece: _Piece, least: int, most: int | None) -> _Piece:
        def build(at: int) -> int:
            for _ in range(least):
                at = piece(at)
            after = self._state(None)
            self._link(at, after)
            if most is None:
                start = self._state(None)
                self._link(at, start)
                end = piece(start)
                self._link(end, start)
                self._link(end, after)
                return after
            for _ in range(most - least):
                at = piece(at)
                self._link(at, after)
            return after

        return build
