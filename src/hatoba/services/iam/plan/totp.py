"""Codes that a virtual second factor shows. Pure.

Six digits, a new code each 30 seconds, HMAC-SHA-1: what every authenticator app speaks. A device's clock may be off;
how far, in steps, is found out when it is enabled or synchronised again. A code counts once.

Source: RFC 6238 (TOTP), RFC 4226 (HOTP); the IAM user guide, "Assign a virtual MFA device".
"""

from __future__ import annotations

import hashlib
import hmac

STEP = 30.0  # seconds
_DIGITS = 6
_WINDOW = 1  # steps before and after the expected one that are accepted
_FAR = 20  # steps that a device's clock may be off when it is synchronised


def code(seed: bytes, step: int) -> str:
    digest = hmac.new(seed, step.to_bytes(8, "big"), hashlib.sha1).digest()
    start = digest[-1] & 0xF
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def synchronised(seed: bytes, first: str, second: str, now: float) -> int | None:
    """The step of the second of two codes that follow one another; None where they are no such."""
    own = int(now // STEP)
    for step in sorted(range(own - _FAR, own + _FAR + 1), key=lambda each: abs(each - own)):
        if step > 0 and _same(seed, step, second) and _same(seed, step - 1, first):
            return step
    return None


def accepted(seed: bytes, shown: str, now: float, drift: int, last: int) -> int | None:
    """The step of a code that may be shown now, after the `last` one that was; None where it is none."""
    expected = int(now // STEP) + drift
    for step in (expected, *(expected + sign * away for away in range(1, _WINDOW + 1) for sign in (-1, 1))):
        if step > last and _same(seed, step, shown):
            return step
    return None


def _same(seed: bytes, step: int, shown: str) -> bool:
    return hmac.compare_digest(code(seed, step).encode(), shown.encode())
