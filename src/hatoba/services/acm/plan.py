"""Which names a certificate may be for, and with which kind of key. Their form is the model's business. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.aws.shapes import acm as t

MOST_NAMES = 10
ALGORITHMS = ("RSA_2048", "EC_prime256v1", "EC_secp384r1")  # those that AWS issues


def names(domain: str, alternative: Sequence[str]) -> tuple[str, ...]:
    """The domain first, each once, in small letters. Raises `LimitExceededException`."""
    found = tuple(dict.fromkeys(name.lower() for name in (domain, *alternative)))
    if len(found) > MOST_NAMES:
        raise t.LimitExceededException(f"A certificate can be for at most {MOST_NAMES} domain names.")
    return found


def algorithm(wanted: str | None) -> str:
    if wanted in (None, *ALGORITHMS):
        return wanted or ALGORITHMS[0]
    raise t.InvalidParameterException(f"The key algorithm {wanted} cannot be requested, only imported.")
