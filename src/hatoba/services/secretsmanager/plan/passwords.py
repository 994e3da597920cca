"""GetRandomPassword: of which characters, and that there is one of each kind. Pure; chance is handed in."""

from __future__ import annotations

import string
from collections.abc import Callable

import msgspec

from hatoba.aws.shapes import secretsmanager as t

DEFAULT = 32


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    length: int = DEFAULT
    exclude: str = ""
    lowercase: bool = True
    uppercase: bool = True
    numbers: bool = True
    punctuation: bool = True
    space: bool = False
    each: bool = True

    def kinds(self) -> list[str]:
        """The characters of each kind that may be in it."""
        wanted = (
            (self.lowercase, string.ascii_lowercase),
            (self.uppercase, string.ascii_uppercase),
            (self.numbers, string.digits),
            (self.punctuation, string.punctuation),
        )
        kept = ("".join(c for c in characters if c not in self.exclude) for included, characters in wanted if included)
        return [characters for characters in kept if characters]


def generate(rules: Rules, choose: Callable[[int], int]) -> str:
    """`choose(n)` is a number in range(n). Raises for rules that no password can keep."""
    kinds = rules.kinds()
    every = "".join(kinds) + (" " if rules.space and " " not in rules.exclude else "")
    if not every:
        raise t.InvalidParameterException("The password can't be generated: every character is excluded.")
    if rules.each and rules.length < len(kinds):
        raise t.InvalidParameterException(
            f"The password length {rules.length} is too short to have one of each of the {len(kinds)} included types "
            "of characters."
        )
    first = [kind[choose(len(kind))] for kind in kinds] if rules.each else []
    password = [*first, *(every[choose(len(every))] for _ in range(rules.length - len(first)))]
    for last in range(len(password) - 1, 0, -1):  # or the kinds would stand in order
        other = choose(last + 1)
        password[last], password[other] = password[other], password[last]
    return "".join(password)
