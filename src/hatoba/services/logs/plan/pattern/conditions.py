"""Reads conditions joined by && and || with parentheses. What a single condition is, its caller says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from hatoba.services.logs.plan.pattern.values import MAX_DEPTH, BadPattern, Token

T = TypeVar("T")
Test = Callable[[T], bool]


class Reader(Generic[T]):
    """A list of tokens and a place in it. `single` reads one condition from here."""

    def __init__(self, tokens: list[Token], single: Callable[[Reader[T]], Test[T]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._single = single
        self._depth = 0

    def peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self) -> Token:
        token = self.peek()
        if token is None:
            raise BadPattern("the pattern ends too early")
        self._at += 1
        return token

    def skip(self, *texts: str) -> bool:
        """Goes past the words or operators if they come next."""
        coming = self._tokens[self._at : self._at + len(texts)]
        if [token.text.upper() for token in coming if token.kind in ("op", "word")] != list(texts):
            return False
        self._at += len(texts)
        return True

    def whole(self) -> Test[T]:
        """Everything there is, as one condition."""
        test = self._any()
        if self.peek() is not None:
            raise BadPattern(f"unexpected {self.take().text}")
        return test

    def _any(self) -> Test[T]:
        tests = [self._all()]
        while self.skip("||"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda subject: any(test(subject) for test in tests)

    def _all(self) -> Test[T]:
        tests = [self._one()]
        while self.skip("&&"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda subject: all(test(subject) for test in tests)

    def _one(self) -> Test[T]:
        if not self.skip("("):
            return self._single(self)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadPattern("too many parentheses")
        test = self._any()
        if not self.skip(")"):
            raise BadPattern("a parenthesis is not closed")
        self._depth -= 1
        return test
