"""Parameters' names: hierarchies of up to fifteen levels, selectors (`name:3`, `name:label`), ARNs. Pure.

What a name may be follows PutParameter's reference; the wording of the refusals is AWS's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hatoba.aws.shapes import ssm as t
from hatoba.core import arn
from hatoba.core.errors import AwsError

MOST_LEVELS = 15
LONGEST = 1011  # characters, with the ARN before it
_NAME = re.compile(r"/?[\w.-]+(?:/[\w.-]+)*", re.ASCII)
_PATH = re.compile(r"/(?:[\w.-]+(?:/[\w.-]+)*/?)?", re.ASCII)
LABEL = re.compile(r"[A-Za-z_.-][\w.-]{0,99}", re.ASCII)
_PUBLIC = "/aws/service/"
_PATH_RULE = (
    "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "
    '"/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the '
    "following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if "
    'specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.'
)


_NAME_RULE = (
    'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of '
    "sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following "
    "3 symbols .-_"
)


def invalid(message: str) -> AwsError:
    """What AWS answers to most of what its model does not say."""
    return AwsError(message, code="ValidationException")


class Selected(NamedTuple):
    """What a text asks for: a parameter, and which of its versions."""

    name: str
    number: int | None = None
    label: str | None = None
    arn: arn.Arn | None = None  # when it was given as one

    @property
    def selector(self) -> str:
        """As answers repeat it."""
        if self.number is not None:
            return f":{self.number}"
        return f":{self.label}" if self.label is not None else ""


def checked_name(name: str, arn_length: int) -> str:
    """A name that a new parameter may have. Raises for others. `arn_length`: of what stands before it in its ARN."""
    name = name.strip(" ")
    if name.startswith("arn:"):
        raise invalid(f"Parameter name: can't be an ARN: {name}.")
    if not _NAME.fullmatch(name):
        raise invalid(_NAME_RULE)
    first = name.removeprefix("/").lower()
    if first.startswith("aws"):
        raise AwsError(f"No access to reserved parameter name: {name}.", code="AccessDeniedException")
    if first.startswith("ssm"):
        raise invalid(_NAME_RULE)
    if "/" in name and not name.startswith("/"):
        raise invalid("Parameter name must be a fully qualified name.")
    if name.removeprefix("/").count("/") >= MOST_LEVELS:
        raise t.HierarchyLevelLimitExceededException(
            f"A hierarchy can have a maximum of {MOST_LEVELS} levels. Change the name {name} to have fewer levels."
        )
    if len(name) + arn_length > LONGEST:
        raise invalid(f"Parameter name: must not be longer than {LONGEST} characters, its ARN included.")
    return name


def selected(text: str) -> Selected | None:
    """What a name, an ARN, or one of them with a selector asks for; None when it is neither."""
    text = text.strip(" ")
    parsed = None
    if text.startswith("arn:"):
        parsed = arn.parse(text)
        if parsed is None or parsed.service != "ssm" or not parsed.resource.startswith("parameter/"):
            return None
        text = parsed.resource.removeprefix("parameter")
    name, colon, selector = text.partition(":")
    if not _is_name(name) or (colon and not selector) or ":" in selector:
        return None
    if not selector:
        return Selected(name, arn=parsed)
    if selector.isdecimal() and selector.isascii() and len(selector) <= 18:
        return Selected(name, number=int(selector), arn=parsed)
    return Selected(name, label=selector, arn=parsed) if LABEL.fullmatch(selector) else None


def unreadable(text: str) -> AwsError:
    """What is said of a text that `selected` makes nothing of."""
    name, _, selector = text.strip(" ").partition(":")
    if selector and _is_name(name):
        return invalid(
            "Invalid parameter name. Please use correct syntax for referencing a version/label  <name>:<version/label>"
        )
    return invalid(_NAME_RULE)


def _is_name(name: str) -> bool:
    """At the top, or a path from its beginning."""
    return _NAME.fullmatch(name) is not None and (name.startswith("/") or "/" not in name)


def is_public(name: str) -> bool:
    return name.startswith(_PUBLIC)


def is_label(text: str) -> bool:
    return LABEL.fullmatch(text) is not None and not text.lower().startswith(("aws", "ssm"))


# --- hierarchies


def checked_path(path: str) -> str:
    """A folder without its slash at the end: `/a/b`, or "" for all. Raises for what is none."""
    path = path.strip(" ")
    if not _PATH.fullmatch(path):
        raise invalid(_PATH_RULE)
    return path.rstrip("/")


def folder(name: str) -> str:
    """What GetParametersByPath finds a name under: `/a/b` for `/a/b/c`, "" for those at the top."""
    return name.rpartition("/")[0]


def ancestors(name: str) -> list[str]:
    """All folders that a name is in, however deep: `/a/b/c` → "", `/a`, `/a/b`."""
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))] or [""]
