"""Secrets' names, and what a SecretId names: a name, an ARN, or an ARN without its six random letters. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core import arn
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SUFFIX = 6
_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")
_PREFIX = "secret:"


class Named(NamedTuple):
    """Names to try, in order, each with the letters that its ARN must end with (None: any)."""

    scope: Scope
    names: tuple[tuple[str, str | None], ...]


def checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise AwsError(
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
            code="ValidationException",
        )
    return name


def secret_arn(scope: Scope, name: str, suffix: str) -> str:
    return arn.make(scope, "secretsmanager", f"{_PREFIX}{name}-{suffix}")


def named(scope: Scope, text: str) -> Named:
    """Raises InvalidParameterException for an ARN of something else."""
    if not text.startswith("arn:"):
        return Named(scope, ((text, None),))
    parsed = arn.parse(text)
    if parsed is None or parsed.service != "secretsmanager" or not parsed.resource.startswith(_PREFIX):
        raise t.InvalidParameterException("Invalid ARN: it is not the ARN of a secret.")
    rest = parsed.resource.removeprefix(_PREFIX)
    name, _, suffix = rest.rpartition("-")
    # A whole ARN first: "db-prod-a1B2c3" is the secret "db-prod"; without its letters it may be one of that name.
    whole = ((name, suffix),) if name and len(suffix) == SUFFIX else ()
    return Named(parsed.scope, (*whole, (rest, None)))
