"""IAM's operations, one file a noun."""

from hatoba.services.iam.api import (
    access_key,
    account,
    attachment,
    group,
    inline,
    linked,
    mfa,
    oidc,
    policy,
    profile,
    role,
    tag,
    user,
)
from hatoba.services.iam.api.room import iam

__all__ = [
    "access_key",
    "account",
    "attachment",
    "group",
    "iam",
    "inline",
    "linked",
    "mfa",
    "oidc",
    "policy",
    "profile",
    "role",
    "tag",
    "user",
]
