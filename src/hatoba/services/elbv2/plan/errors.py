"""Refusals that ELB's model has no name for: they are all a `ValidationError`."""

from __future__ import annotations

from hatoba.core.errors import AwsError


def invalid(message: str) -> AwsError:
    return AwsError(message, code="ValidationError")


def not_here(what: str) -> AwsError:
    """Something that AWS has and Hatoba does not have yet."""
    return invalid(f"{what} not implemented yet.")
