"""Where an account stands in its organisation, for who decides by it; the organizations room implements it.

What the levels above an account allow limits its principals (service control policies) and its resources (resource
control policies). Source: the Organizations user guide, "SCP evaluation", "RCP evaluation".
"""

from __future__ import annotations

from typing import Protocol

import msgspec

# Services whose resources resource control policies guard, as actions name them.
GUARDED = frozenset(
    {
        "aoss",
        "cognito-identity",
        "cognito-idp",
        "dynamodb",
        "ecr",
        "kms",
        "logs",
        "s3",
        "secretsmanager",
        "sqs",
        "sts",
    }
)

Level = tuple[tuple[str, str], ...]  # policies that count together: what each is called, and its text


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """An account's place. The levels lead from the root to the account; there are none where nothing limits."""

    organization: str  # `o-…`; "": none, and yet something limits it
    path: str  # `o-…/r-…/ou-…/`, as aws:PrincipalOrgPaths has it
    service_control: tuple[Level, ...] = ()
    resource_control: tuple[Level, ...] = ()


class Memberships(Protocol):
    def of(self, partition: str, account: str) -> Membership | None:
        """None for an account that is in no organisation. The same object for as long as nothing about it changes."""
        ...


class NoOrganizations:
    """Where accounts stand alone."""

    def of(self, partition: str, account: str) -> Membership | None:
        return None


ALONE = NoOrganizations()
