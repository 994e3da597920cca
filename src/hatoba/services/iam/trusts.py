"""Whom a role trusts, kept by who they are and not by what they are called.

A trust policy names users and roles by their ARNs. It is kept with their unique ids in these places, and told with the
ARNs that they have now: so it follows whoever gets another name or path, and does not mean somebody who is made with
the name of one that was deleted. What is left of such a one is the id. Source: the IAM user guide, "AWS JSON policy
elements: Principal".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from hatoba.aws.shapes import iam as t
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.services.iam.model import ROLE, USER, Role, roles, users
from hatoba.store.store import View

_ID = re.compile(r"A(?:IDA|ROA)[A-Z2-7]{17}")
_NAMED = re.compile(f":user/|:role/|{_ID.pattern}")


def kept(view: View, scope: Scope, document: str) -> str:
    """As it is stored. Of another account's users and roles that are not there the ARN is kept: they may be elsewhere.
    Raises MalformedPolicyDocument for one of the account's own that is not there, or is no more."""

    stem = f"arn:{scope.partition}:iam::{scope.account}"
    own = (f"{stem}:user/", f"{stem}:role/")

    def of(name: str) -> str:
        found = USER.by_arn(view, name) or ROLE.by_arn(view, name)
        if found is not None:
            return found.unique
        if _ID.fullmatch(name) is not None and not _is_known(view, name):
            raise _nobody(name)
        if name.startswith(own):
            raise _nobody(name)
        return name

    return _renamed(document, of) if _NAMED.search(document) is not None else document


def _is_known(view: View, id_: str) -> bool:
    found = next(iter(view.index(users, "unique", id_)), None) or next(iter(view.index(roles, "unique", id_)), None)
    return found is not None


def _nobody(name: str) -> AwsError:
    return t.MalformedPolicyDocumentException(f'Invalid principal in policy: "AWS":"{name}"')


def told(view: View, role: Role) -> Role:
    """The role with its trust policy as it is shown, and as it decides."""

    def of(name: str) -> str:
        if _ID.fullmatch(name) is None:
            return name
        for user in view.index(users, "unique", name):
            return USER.arn(user)
        for found in view.index(roles, "unique", name):
            return ROLE.arn(found)
        return name

    return replace(role, trust=_renamed(role.trust, of)) if _ID.search(role.trust) is not None else role


def _renamed(document: str, of: Callable[[str], str]) -> str:
    """The same text where nothing of it changes."""
    policy: dict[str, Any] = json.loads(document)
    before = json.dumps(policy)
    statements = policy["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        for element in ("Principal", "NotPrincipal"):
            named = statement.get(element)
            if isinstance(named, dict) and "AWS" in named:
                given = named["AWS"]
                named["AWS"] = [of(each) for each in given] if isinstance(given, list) else of(given)
    after = json.dumps(policy)
    return after if after != before else document
