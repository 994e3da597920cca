"""What STS's operations need to be allowed.

Source: the service authorisation reference, "AWS Security Token Service".
"""

from __future__ import annotations

from collections.abc import Iterator

from hatoba.gateway.call import Call
from hatoba.gateway.needs import Access, Keys, Params, acting, all_of, anyone, inside, on, tag_keys, when


def federated_user(req: Params, call: Call) -> Iterator[str]:
    yield f"arn:{call.scope.partition}:sts::{call.scope.account}:federated-user/{req.get('Name', '')}"


def given(req: Params, call: Call) -> Keys:
    return tag_keys(req.get("Tags"))


ACCESS = Access(
    "sts",
    {
        "AssumeRole": inside,  # the role's trust policy decides with the caller's own, and has to be asked for
        "AssumeRoleWithSAML": anyone,  # unsigned: the assertion says who asks, the role's trust policy decides
        "AssumeRoleWithWebIdentity": anyone,  # likewise
        "DecodeAuthorizationMessage": on(),
        "GetAccessKeyInfo": on(),
        "GetCallerIdentity": anyone,
        "GetFederationToken": all_of(
            on(federated_user, tags="Tags"),
            when(lambda req: req.get("Tags"), acting("sts:TagSession", federated_user, keys=given)),
        ),
        "GetSessionToken": anyone,
    },
)
