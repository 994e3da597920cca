"""Text → a tree of values.

    query    := term ("or" term)*
    term     := factor ("and" factor)*
    factor   := ("not" | "!") factor | "(" query ")" | test
    test     := subject ("exists" | "!exists" | comparison value | ("in" | "!in") "[" value ("," value)* "]")

`&&` and `||` are the same as `and` and `or`. A value may be quoted with ' or ".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple, NoReturn

from hatoba.core import regular as pattern

LONGEST = 2000  # characters of an expression
DEEPEST = 50  # parentheses and denials within each other

Operator = Literal["==", ">", ">=", "<", "<=", "exists", "in", "=~"]
_OPERATORS: dict[str, tuple[Operator, bool]] = {
    "==": ("==", True),
    "equals": ("==", True),
    "!=": ("==", False),
    "not_equals": ("==", False),
    ">": (">", True),
    "greater_than": (">", True),
    ">=": (">=", True),
    "greater_than_equal": (">=", True),
    "<": ("<", True),
    "less_than": ("<", True),
    "<=": ("<=", True),
    "less_than_equal": ("<=", True),
    "exists": ("exists", True),
    "!exists": ("exists", False),
    "not_exists": ("exists", False),
    "in": ("in", True),
    "!in": ("in", False),
    "not_in": ("in", False),
    "=~": ("=~", True),
    "matches": ("=~", True),
    "!~": ("=~", False),
    "not_matches": ("=~", False),
}
SUBJECTS = ("agentConnected", "agentVersion", "ec2InstanceId", "registeredAt", "runningTasksCount", "task:group")
_SPACE = re.compile(r"\s*")
_SUBJECT = re.compile(r"[A-Za-z][A-Za-z0-9_.:/\\-]*")
_OPERATOR = re.compile(r"==|!=|>=|<=|=~|!~|>|<|!exists\b|!in\b|[a-z_]+")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_BARE = re.compile(r"[^\s'\"()\[\],&|]+")
_PATTERN = re.compile(r"[^\s'\"()]+")
_NOT = re.compile(r"not\b|!(?!=)")
_AND = re.compile(r"and\b|&&")
_OR = re.compile(r"or\b|\|\|")


class BadQuery(ValueError):
    """It is not an expression of the language."""


class Test(NamedTuple):
    """`wanted`: what the operator has to come to, False for those that deny."""

    subject: str
    operator: Operator
    wanted: bool
    values: tuple[str, ...] = ()


class Not(NamedTuple):
    of: Query


class All(NamedTuple):
    of: tuple[Query, ...]


class Any(NamedTuple):
    of: tuple[Query, ...]


Query = Test | Not | All | Any


@lru_cache(maxsize=1024)
def parse(text: str) -> Query:
    """Raises `BadQuery`."""
    if len(text) > LONGEST:
        raise BadQuery(f"the expression has more than {LONGEST} characters")
    reader = _Reader(text)
    query = reader.query(0)
    if reader.at < len(text):
        reader.fail("the end was expected")
    return query


def unreadable(expression: str) -> str | None:
    """Why it is not an expression of the language; None when it is one."""
    try:
        parse(expression)
    except BadQuery as error:
        return f"Invalid expression '{expression}': {error}."
    return None


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._skip()

    def fail(self, why: str) -> NoReturn:
        raise BadQuery(f"{why} at character {self.at + 1}")

    def _skip(self) -> None:
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at

    def _take(self, what: re.Pattern[str] | str) -> str | None:
        if isinstance(what, str):
            end = self.at + len(what) if self.text.startswith(what, self.at) else None
        else:
            found = what.match(self.text, self.at)
            end = found.end() if found else None
        if end is None:
            return None
        taken = self.text[self.at : end]
        self.at = end
        self._skip()
        return taken

    def query(self, depth: int) -> Query:
        terms = [self._term(depth)]
        while self._take(_OR):
            terms.append(self._term(depth))
        return terms[0] if len(terms) == 1 else Any(tuple(terms))

    def _term(self, depth: int) -> Query:
        factors = [self._factor(depth)]
        while self._take(_AND):
            factors.append(self._factor(depth))
        return factors[0] if len(factors) == 1 else All(tuple(factors))

    def _factor(self, depth: int) -> Query:
        if depth > DEEPEST:
            self.fail("the expression is nested too deeply")
        if self._take(_NOT):
            return Not(self._factor(depth + 1))
        if self._take("("):
            query = self.query(depth + 1)
            if not self._take(")"):
                self.fail("a closing parenthesis was expected")
            return query
        return self._test()

    def _test(self) -> Test:
        start = self.at
        subject = self._take(_SUBJECT)
        if subject is None:
            self.fail("a subject was expected")
        if subject not in SUBJECTS and not re.fullmatch(r"attribute:[A-Za-z0-9_./\\-]{1,128}", subject):
            self.at = start
            self.fail(f"{subject} is not a subject")
        start = self.at
        word = self._take(_OPERATOR)
        if word is None or word not in _OPERATORS:
            self.at = start
            self.fail("an operator was expected")
        operator, wanted = _OPERATORS[word]
        return Test(subject, operator, wanted, self._values(operator))

    def _values(self, operator: Operator) -> tuple[str, ...]:
        if operator == "exists":
            return ()
        if operator == "in":
            return self._list()
        start = self.at
        value = self._value(_PATTERN if operator == "=~" else _BARE)
        if operator == "=~":
            try:
                pattern.compiled(value)
            except pattern.BadPattern as error:
                self.at = start
                self.fail(f"{value} is not a pattern ({error})")
        return (value,)

    def _list(self) -> tuple[str, ...]:
        if not self._take("["):
            self.fail("a list was expected")
        values = [self._value(_BARE)]
        while self._take(","):
            values.append(self._value(_BARE))
        if not self._take("]"):
            self.fail("a closing bracket was expected")
        return tuple(values)

    def _value(self, bare: re.Pattern[str]) -> str:
        quoted = self._take(_QUOTED)
        if quoted is not None:
            return quoted[1:-1]
        value = self._take(bare)
        if value is None:
            self.fail("a value was expected")
        return value
