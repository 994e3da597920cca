"""The control policies that AWS brings along, and what kinds there are. Pure.

Source: the Organizations user guide, "Quotas and service limits", "Service control policies", "Resource control
policies".
"""

from __future__ import annotations

from typing import Literal

import msgspec

Type = Literal["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"]
SERVICE: Type = "SERVICE_CONTROL_POLICY"
RESOURCE: Type = "RESOURCE_CONTROL_POLICY"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How one type of policy is limited."""

    attached: int  # to one root, unit or account, at most
    characters: int
    default: str  # the policy that everything has once the type is enabled
    least: int  # attached, at least


class Managed(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: Type
    name: str
    description: str
    content: str

    def arn(self, partition: str) -> str:
        return f"arn:{partition}:organizations::aws:policy/{self.type.lower()}/{self.id}"


POLICIES = {
    managed.id: managed
    for managed in (
        Managed(
            id="p-FullAWSAccess",
            type=SERVICE,
            name="FullAWSAccess",
            description="Allows access to every operation",
            content='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
        ),
        Managed(
            id="p-RCPFullAWSAccess",
            type=RESOURCE,
            name="RCPFullAWSAccess",
            description="Allows access to every resource",
            content='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*",'
            '"Resource":"*"}]}',
        ),
    )
}
KINDS: dict[Type, Kind] = {
    SERVICE: Kind(attached=10, characters=10_240, default="p-FullAWSAccess", least=1),
    RESOURCE: Kind(attached=5, characters=5_120, default="p-RCPFullAWSAccess", least=1),
}
FIXED = frozenset({"p-RCPFullAWSAccess"})  # cannot be detached
