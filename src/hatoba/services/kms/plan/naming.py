"""What a KeyId names: a key's id, its ARN, an alias, an alias's ARN. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from hatoba.aws.shapes import kms as t
from hatoba.core import arn
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope

_KEY = re.compile(r"(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]{1,250}")
AWS = "alias/aws/"


class Named(NamedTuple):
    scope: Scope
    key: str | None = None
    alias: str | None = None


def key_arn(scope: Scope, key_id: str) -> str:
    return arn.make(scope, "kms", f"key/{key_id}")


def alias_arn(scope: Scope, name: str) -> str:
    return arn.make(scope, "kms", name)


def invalid(message: str) -> AwsError:
    return AwsError(message, code="ValidationException")


def no_key(scope: Scope, key_id: str) -> AwsError:
    return t.NotFoundException(f"Key '{key_arn(scope, key_id)}' does not exist")


def no_alias(scope: Scope, name: str) -> AwsError:
    return t.NotFoundException(f"Alias {alias_arn(scope, name)} is not found.")


def named(scope: Scope, text: str) -> Named:
    """Raises NotFoundException for what can be no name, and for another region's ARN, as AWS does."""
    if not text.startswith("arn:"):
        return _plain(scope, text)
    parsed = arn.parse(text)
    if parsed is None or parsed.service != "kms":
        raise t.NotFoundException(f"Invalid arn {text[:256]}")
    if parsed.region != scope.region:
        raise t.NotFoundException(f"Invalid arn {parsed.region}")
    kind, _, rest = parsed.resource.partition("/")
    return _plain(parsed.scope, rest if kind == "key" else parsed.resource)


def _plain(scope: Scope, text: str) -> Named:
    if text.startswith("alias/"):
        return Named(scope, alias=text)
    if _KEY.fullmatch(text):
        return Named(scope, key=text)
    raise t.NotFoundException(f"Invalid keyId '{text[:256]}'")


def checked_alias(name: str) -> str:
    """A name that a customer's alias may have."""
    if not name.startswith("alias/"):
        raise invalid("Invalid identifier")
    if name.startswith(AWS):
        raise AwsError(f"The alias name {name} is reserved for keys that AWS manages.", code="AccessDeniedException")
    if not _ALIAS.fullmatch(name):
        raise invalid(f"{name[:256]} contains invalid characters for an alias")
    return name
