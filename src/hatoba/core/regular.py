"""Regular expressions, matched in time linear in the text: nobody's pattern may hold up the control plane.

What the patterns of AWS's services need of Java's syntax: characters, `.`, classes, `\\d \\w \\s` and their opposites,
groups, alternatives, `* + ?` and `{m,n}`, anchors. All states that the pattern may be in are followed side by side
(Thompson's construction), so that nothing is ever tried twice; they are the bits of a number, and where such a number
and a character lead is remembered for a while. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

MOST_STATES = 2000  # a bound on what repetitions may multiply to
MOST_REPEATS = 100
DEEPEST = 20
_REMEMBERED = 4096  # steps

Accepts = Callable[[str], bool]
Edge = Literal["", "begin", "end"]


class BadPattern(ValueError):
    """It cannot be read, or is more than what is matched here."""


class _State(NamedTuple):
    """Reads a character that `accepts` and goes on to `after`; without `accepts` it is in all of `after` at once, at
    the `edge` of the text only if there is one."""

    accepts: Accepts | None
    after: list[int]
    edge: Edge = ""


class Pattern:
    def __init__(self, states: list[_State], start: int, end: int) -> None:
        self._states, self._end = states, 1 << end
        self._first = self._closure([start], frozenset(("begin",)))
        self._nothing = self._closure([start], frozenset(("begin", "end"))) & self._end != 0
        self._again = self._closure([start], frozenset())  # a match may begin further on, too
        # Of which states it is known that the end is there once the text is; and where each leads that reads.
        edges = frozenset(("end",))
        self._done = sum(1 << n for n in range(len(states)) if self._closure([n], edges) & self._end)
        self._after = {1 << n: self._closure(s.after, frozenset()) for n, s in enumerate(states) if s.accepts}
        self._readers: dict[str, int] = {}  # of a character
        self._steps: dict[tuple[int, str], int] = {}
        self.matches: Accepts = lru_cache(maxsize=256)(self._matches)  # many values come again

    def _matches(self, text: str) -> bool:
        """The whole text."""
        if not text:
            return self._nothing
        now = self._first
        for character in text:
            now = self._step(now, character)
            if not now:
                return False
        return now & self._done != 0

    def within(self, text: str) -> bool:
        """Any part of the text."""
        if not text:
            return self._nothing
        now, again, end = self._first, self._again, self._end
        for character in text:
            if now & end:
                return True
            now = self._step(now, character) | again
        return now & self._done != 0

    def _step(self, now: int, character: str) -> int:
        found = self._steps.get((now, character))
        if found is None:
            if len(self._steps) >= _REMEMBERED:
                self._steps.clear()
            found = self._steps[now, character] = self._follow(now & self._reading(character))
        return found

    def _follow(self, readers: int) -> int:
        found = 0
        while readers:
            lowest = readers & -readers
            found |= self._after[lowest]
            readers ^= lowest
        return found

    def _reading(self, character: str) -> int:
        found = self._readers.get(character)
        if found is None:
            if len(self._readers) >= _REMEMBERED:
                self._readers.clear()
            found = sum(1 << n for n, s in enumerate(self._states) if s.accepts is not None and s.accepts(character))
            self._readers[character] = found
        return found

    def _closure(self, from_: Iterable[int], edges: frozenset[str]) -> int:
        seen, open_ = 0, list(from_)
        while open_:
            number = open_.pop()
            if not seen >> number & 1:
                seen |= 1 << number
                state = self._states[number]
                if state.accepts is None and (not state.edge or state.edge in edges):
                    open_ += state.after
        return seen


@lru_cache(maxsize=1024)
def compiled(text: str) -> Pattern:
    """For whole texts, with anchors at its ends only. Raises `BadPattern`."""
    text = text.removeprefix("^")
    if text.endswith("$") and not text.endswith("\\$"):
        text = text[:-1]
    return _Builder(text, MOST_STATES, anchors=False).pattern()


def searching(text: str, most_states: int = MOST_STATES) -> Pattern:
    """For parts of texts, with anchors wherever they are. Raises `BadPattern`."""
    return _Builder(text, most_states, anchors=True).pattern()


# A piece of a pattern: builds its states, starting where it is told, and answers where it ends.
_Piece = Callable[[int], int]
_CLASSES: dict[str, Accepts] = {
    "d": lambda c: c.isascii() and c.isdigit(),
    "w": lambda c: c.isascii() and (c.isalnum() or c == "_"),
    "s": lambda c: c in " \t\n\r\f\v",
}
_REPEATED = re.compile(r"\{(\d+)(,?)(\d*)\}")


class _Builder:
    def __init__(self, text: str, most_states: int, *, anchors: bool) -> None:
        self._text = text
        self._most_states = most_states
        self._anchors = anchors
        self._at = 0
        self._states: list[_State] = []

    def pattern(self) -> Pattern:
        piece = self._choice(0)
        if self._at < len(self._text):
            raise BadPattern("a parenthesis is closed that was not opened")
        start = self._state(None)
        end = piece(start)
        return Pattern(self._states, start, end)

    def _state(self, accepts: Accepts | None, edge: Edge = "") -> int:
        if len(self._states) >= self._most_states:
            raise BadPattern("it is too long")
        self._states.append(_State(accepts, [], edge))
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
            if not self._anchors:
                raise BadPattern(f"{character} stands in its middle")
            return self._at_edge("begin" if character == "^" else "end")
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

    def _at_edge(self, edge: Edge) -> _Piece:
        def build(at: int) -> int:
            anchor, after = self._state(None, edge), self._state(None)
            self._link(at, anchor)
            self._link(anchor, after)
            return after

        return build

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
