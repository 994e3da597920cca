"""Quotas of an account: as many as IAM documents, and not one more. Lowered here, so that they are reached."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from hatoba.services.iam.model import CERTIFICATE, GROUP, MFA, POLICY, PROFILE, ROLE, SAML, USER, Kind
from tests.conformance.serving import refused

DOCUMENT = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
TRUST = {"Statement": {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}}
DOCUMENTED = {
    USER: ("UsersPerAccount", 5000),
    GROUP: ("GroupsPerAccount", 300),
    ROLE: ("RolesPerAccount", 1000),
    POLICY: ("PoliciesPerAccount", 1500),
    PROFILE: ("InstanceProfilesPerAccount", 1000),
    MFA: ("MFADevicesPerAccount", 5000),
    SAML: ("SAMLProvidersPerAccount", 100),
    CERTIFICATE: ("ServerCertificatesPerAccount", 20),
}
MADE: list[tuple[Kind[Any], str, str, dict[str, Any]]] = [
    (USER, "user", "UserName", {}),
    (GROUP, "group", "GroupName", {}),
    (ROLE, "role", "RoleName", {"AssumeRolePolicyDocument": json.dumps(TRUST)}),
    (POLICY, "policy", "PolicyName", {"PolicyDocument": json.dumps(DOCUMENT)}),
    (PROFILE, "instance_profile", "InstanceProfileName", {}),
    (MFA, "virtual_mfa_device", "VirtualMFADeviceName", {}),
]


@pytest.fixture
def two() -> Iterator[None]:
    """Two of each, and no more."""
    for kind, (name, _) in DOCUMENTED.items():
        msgspec.structs.force_setattr(kind, "quota", (name, 2))
    yield
    for kind, quota in DOCUMENTED.items():
        msgspec.structs.force_setattr(kind, "quota", quota)


def test_they_are_the_documented_ones(iam: Any) -> None:
    for kind, quota in DOCUMENTED.items():
        assert kind.quota == quota
    told = iam.get_account_summary()["SummaryMap"]
    assert (told["UsersQuota"], told["GroupsQuota"], told["RolesQuota"]) == (5000, 300, 1000)
    assert (told["PoliciesQuota"], told["InstanceProfilesQuota"], told["ServerCertificatesQuota"]) == (1500, 1000, 20)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(("kind", "noun", "member", "rest"), MADE, ids=[each[1] for each in MADE])
def test_an_account_has_no_more(
    iam: Any, platform: Any, kind: Kind[Any], noun: str, member: str, rest: dict[str, Any]
) -> None:
    make = getattr(iam, f"create_{noun}")
    for name in ("one", "two"):
        make(**{member: name}, **rest)
    assert kind.quota is not None
    words = refused("LimitExceeded", make, **{member: "three"}, **rest)
    assert words == f"Cannot exceed quota for {kind.quota[0]}: 2"
    refused("EntityAlreadyExists", make, **{member: "one"}, **rest)


@pytest.mark.usefixtures("two")
def test_what_goes_makes_room_and_services_roles_take_none(iam: Any) -> None:
    trust = {"AssumeRolePolicyDocument": json.dumps(TRUST)}
    for service in ("ecs", "elasticloadbalancing", "autoscaling"):
        iam.create_service_linked_role(AWSServiceName=f"{service}.amazonaws.com")
    for name in ("one", "two"):
        iam.create_role(RoleName=name, **trust)
    refused("LimitExceeded", iam.create_role, RoleName="three", **trust)
    iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
    iam.delete_role(RoleName="one")
    iam.create_role(RoleName="three", **trust)


def test_nobody_makes_a_role_that_looks_like_a_services(iam: Any) -> None:
    asked = {"RoleName": "mine", "AssumeRolePolicyDocument": json.dumps(TRUST)}
    refused("InvalidInput", iam.create_role, **asked, Path="/aws-service-role/ecs.amazonaws.com/")
    refused("NoSuchEntity", iam.get_role, RoleName="mine")
