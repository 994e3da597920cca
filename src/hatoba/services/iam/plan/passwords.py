"""Passwords: whether one conforms, and what is kept of it. Pure; hashing one takes some 50 ms.

Sources: the IAM user guide, "Set an account password policy for IAM users" (with its default policy).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable

from hatoba.services.iam.model import PasswordRules

SYMBOLS = frozenset("! @ # $ % ^ & * ( ) _ + - = [ ] { } | '".split())
_DEFAULT = 8  # characters, of three kinds of four, where an account has no rules


def conforms(password: str, rules: PasswordRules | None) -> bool:
    """`rules`: the account's; None for the default ones."""
    has = (
        any(sign.isascii() and sign.isupper() for sign in password),
        any(sign.isascii() and sign.islower() for sign in password),
        any(sign.isascii() and sign.isdigit() for sign in password),
        any(sign in SYMBOLS for sign in password),
    )
    if rules is None:
        return len(password) >= _DEFAULT and sum(has) >= 3
    asked = (rules.upper, rules.lower, rules.numbers, rules.symbols)
    return len(password) >= rules.least and all(there for there, wanted in zip(has, asked, strict=True) if wanted)


def sealed(password: str, salt: bytes) -> str:
    """What is kept. `salt`: 16 random bytes."""
    made = hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=1)
    return f"{base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"


def matches(password: str, kept: str) -> bool:
    salt = base64.b64decode(kept.partition("$")[0])
    return hmac.compare_digest(sealed(password, salt), kept)


def used_before(password: str, kept: Iterable[str]) -> bool:
    return any(matches(password, each) for each in kept)
