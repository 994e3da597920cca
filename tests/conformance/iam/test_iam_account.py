"""What an account knows of itself: rules for passwords, who used what when, reports, everything at once."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from hatoba.services.iam.usage import GRAIN
from tests.conformance.ec2.networks import Platform
from tests.conformance.serving import refused

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": ALLOW})
TRUST = json.dumps(
    {"Statement": {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}}
)
READ = "arn:aws:iam::aws:policy/ReadOnlyAccess"
GOOD = "Correct-Horse-7"


@pytest.fixture
def ann(iam: Any) -> str:
    iam.create_user(UserName="ann", Path="/eng/")
    return "ann"


# --- boundaries


@pytest.mark.parametrize("noun", ["user", "role"])
def test_boundaries(iam: Any, account: str, noun: str) -> None:
    own = iam.create_policy(PolicyName="Limit", PolicyDocument=POLICY)["Policy"]["Arn"]
    name = {f"{noun.capitalize()}Name": "it"}
    trust = {"AssumeRolePolicyDocument": TRUST} if noun == "role" else {}
    put, get = getattr(iam, f"put_{noun}_permissions_boundary"), getattr(iam, f"get_{noun}")
    gone, make = getattr(iam, f"delete_{noun}_permissions_boundary"), getattr(iam, f"create_{noun}")
    absent = f"arn:aws:iam::{account}:policy/Absent"
    words = f"Scope ARN: {absent} does not exist or is not attachable."
    assert refused("NoSuchEntity", make, **name, **trust, PermissionsBoundary=absent) == words
    refused("InvalidInput", make, **name, **trust, PermissionsBoundary="arn:aws:s3:::limit-of-it")
    refused("NoSuchEntity", get, **name)
    made = make(**name, **trust, PermissionsBoundary=READ)[noun.capitalize()]
    assert made["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ
    put(**name, PermissionsBoundary=own)
    assert get(**name)[noun.capitalize()]["PermissionsBoundary"]["PermissionsBoundaryArn"] == own
    assert refused("NoSuchEntity", put, **name, PermissionsBoundary=absent) == words
    refused("DeleteConflict", iam.delete_policy, PolicyArn=own)
    gone(**name)
    assert "PermissionsBoundary" not in get(**name)[noun.capitalize()]
    refused("NoSuchEntity", gone, **name)
    iam.delete_policy(PolicyArn=own)


def test_a_roles_description(iam: Any) -> None:
    iam.create_role(RoleName="it", AssumeRolePolicyDocument=TRUST)
    assert iam.update_role_description(RoleName="it", Description="works")["Role"]["Description"] == "works"
    name = iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")["Role"]["RoleName"]
    refused("UnmodifiableEntity", iam.update_role_description, RoleName=name, Description="mine")
    refused("UnmodifiableEntity", iam.put_role_permissions_boundary, RoleName=name, PermissionsBoundary=READ)


def test_which_tokens_the_global_endpoint_gives(iam: Any) -> None:
    """aws_iam_security_token_service_preferences."""
    assert iam.get_account_summary()["SummaryMap"]["GlobalEndpointTokenVersion"] == 1
    for version in (2, 1, 2):
        iam.set_security_token_service_preferences(GlobalEndpointTokenVersion=f"v{version}Token")
        assert iam.get_account_summary()["SummaryMap"]["GlobalEndpointTokenVersion"] == version
    refused("ValidationError", iam.set_security_token_service_preferences, GlobalEndpointTokenVersion="v3Token")


# --- passwords


def test_rules_for_passwords(iam: Any, account: str) -> None:
    words = refused("NoSuchEntity", iam.get_account_password_policy)
    assert words == f"The Password Policy with domain name {account} cannot be found."
    refused("NoSuchEntity", iam.delete_account_password_policy)
    iam.update_account_password_policy(MinimumPasswordLength=12, RequireSymbols=True, MaxPasswordAge=30)
    assert iam.get_account_password_policy()["PasswordPolicy"] == {
        "MinimumPasswordLength": 12,
        "RequireSymbols": True,
        "RequireNumbers": False,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": True,
        "MaxPasswordAge": 30,
    }
    iam.update_account_password_policy()  # what is not said has its default again
    assert iam.get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"] == 6
    iam.delete_account_password_policy()
    refused("NoSuchEntity", iam.get_account_password_policy)


def test_a_password_comes_changes_and_goes(platform: Platform, iam: Any, ann: str) -> None:
    assert refused("NoSuchEntity", iam.get_login_profile, UserName=ann) == "Login Profile for User ann cannot be found."
    refused("PasswordPolicyViolation", iam.create_login_profile, UserName=ann, Password="short")
    made = iam.create_login_profile(UserName=ann, Password=GOOD, PasswordResetRequired=True)["LoginProfile"]
    assert (made["UserName"], made["PasswordResetRequired"]) == (ann, True)
    refused("EntityAlreadyExists", iam.create_login_profile, UserName=ann, Password=GOOD)
    iam.update_account_password_policy(PasswordReusePrevention=2)
    for again in (GOOD, "Correct-Horse-8"):
        if again == GOOD:
            refused("PasswordPolicyViolation", iam.update_login_profile, UserName=ann, Password=again)
        else:
            iam.update_login_profile(UserName=ann, Password=again, PasswordResetRequired=False)
    refused("PasswordPolicyViolation", iam.update_login_profile, UserName=ann, Password=GOOD)
    assert iam.get_login_profile(UserName=ann)["LoginProfile"]["PasswordResetRequired"] is False
    refused("InvalidUserType", iam.change_password, OldPassword=GOOD, NewPassword="x1-Y" * 4)  # by root
    assert refused("DeleteConflict", iam.delete_user, UserName=ann).endswith("must delete login profile first.")
    iam.delete_login_profile(UserName=ann)
    iam.delete_user(UserName=ann)


# --- who used what when


def test_when_a_key_was_used_last(platform: Platform, iam: Any, ann: str) -> None:
    key = iam.create_access_key(UserName=ann)["AccessKey"]
    asked = {"AccessKeyId": key["AccessKeyId"]}
    assert iam.get_access_key_last_used(**asked)["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    own = platform.client("sts", key=(key["AccessKeyId"], key["SecretAccessKey"]), region="eu-west-1")
    own.get_caller_identity()
    answer = iam.get_access_key_last_used(**asked)
    assert answer["UserName"] == ann
    used = answer["AccessKeyLastUsed"]
    assert (used["ServiceName"], used["Region"]) == ("sts", "eu-west-1")
    before = platform.store.seq
    own.get_caller_identity()
    assert platform.store.seq == before  # noted already
    platform.clock.ahead = GRAIN - 60
    try:
        own = platform.client("sts", key=(key["AccessKeyId"], key["SecretAccessKey"]))
        own.get_caller_identity()
        assert iam.get_access_key_last_used(**asked)["AccessKeyLastUsed"]["Region"] == "eu-west-1"
    finally:
        platform.clock.ahead = 0
    iam.delete_access_key(UserName=ann, **asked)
    refused("NoSuchEntity", iam.get_access_key_last_used, **asked)


def test_when_a_role_was_used_last(platform: Platform, iam: Any, account: str) -> None:
    trust = json.dumps({"Statement": {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}})
    arn = iam.create_role(RoleName="it", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assert (
        "RoleLastUsed" not in iam.get_role(RoleName="it")["Role"]
        or not iam.get_role(RoleName="it")["Role"]["RoleLastUsed"]
    )
    iam.put_role_policy(RoleName="it", PolicyName="p", PolicyDocument=POLICY.replace("s3:GetObject", "sts:*"))
    given = platform.client("sts", account=account).assume_role(RoleArn=arn, RoleSessionName="one")["Credentials"]
    key = (given["AccessKeyId"], given["SecretAccessKey"])
    platform.client("sts", key=key, token=given["SessionToken"], region="eu-west-1").get_caller_identity()
    assert iam.get_role(RoleName="it")["Role"]["RoleLastUsed"]["Region"] == "eu-west-1"
    job = iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
    details = iam.get_service_last_accessed_details(JobId=job)
    (service,) = details["ServicesLastAccessed"]
    assert (details["JobStatus"], service["ServiceNamespace"], service["ServiceName"]) == ("COMPLETED", "sts", "STS")
    assert (service["LastAuthenticatedEntity"], service["LastAuthenticatedRegion"]) == (arn, "eu-west-1")
    assert service["TotalAuthenticatedEntities"] == 1
    asked = {"JobId": job, "ServiceNamespace": "sts"}
    (who,) = iam.get_service_last_accessed_details_with_entities(**asked)["EntityDetailsList"]
    assert (who["EntityInfo"]["Name"], who["EntityInfo"]["Type"]) == ("it", "ROLE")
    refused("InvalidInput", iam.get_service_last_accessed_details_with_entities, JobId=job, ServiceNamespace="ecs")
    refused("NoSuchEntity", iam.get_service_last_accessed_details, JobId="0" * 36)
    refused("NoSuchEntity", iam.generate_service_last_accessed_details, Arn=f"{arn}x")
    refused("InvalidInput", iam.generate_service_last_accessed_details, Arn=arn, Granularity="ACTION_LEVEL")


def test_which_policies_grant_a_service(iam: Any, ann: str, account: str) -> None:
    iam.create_group(GroupName="eng")
    iam.add_user_to_group(GroupName="eng", UserName=ann)
    iam.put_group_policy(GroupName="eng", PolicyName="shared", PolicyDocument=POLICY)
    iam.put_user_policy(UserName=ann, PolicyName="own", PolicyDocument=POLICY.replace("s3:GetObject", "ec?:*"))
    iam.attach_user_policy(UserName=ann, PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly")
    arn = f"arn:aws:iam::{account}:user/eng/ann"
    answer = iam.list_policies_granting_service_access(Arn=arn, ServiceNamespaces=["s3", "ecr", "ecs", "kms"])
    found = {
        entry["ServiceNamespace"]: [policy["PolicyName"] for policy in entry["Policies"]]
        for entry in answer["PoliciesGrantingServiceAccess"]
    }
    assert found == {
        "s3": ["shared"],
        "ecr": ["own", "AmazonEC2ContainerRegistryReadOnly"],
        "ecs": ["own"],
        "kms": [],
    }
    (shared,) = answer["PoliciesGrantingServiceAccess"][0]["Policies"]
    assert shared == {"PolicyName": "shared", "PolicyType": "INLINE", "EntityType": "GROUP", "EntityName": "eng"}
    refused("NoSuchEntity", iam.list_policies_granting_service_access, Arn=f"{arn}x", ServiceNamespaces=["s3"])
    refused("InvalidInput", iam.list_policies_granting_service_access, Arn=arn, ServiceNamespaces=["no-such"])


# --- reports


def test_the_credential_report(platform: Platform, iam: Any, ann: str, account: str) -> None:
    refused("ReportNotPresent", iam.get_credential_report)
    iam.create_login_profile(UserName=ann, Password=GOOD)
    iam.create_access_key(UserName=ann)
    iam.create_user(UserName="=1+1")
    assert iam.generate_credential_report()["State"] == "STARTED"
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    answer = iam.get_credential_report()
    assert answer["ReportFormat"] == "text/csv"
    root, formula, line = csv.DictReader(io.StringIO(answer["Content"].decode()))
    assert (root["user"], root["password_enabled"]) == ("<root_account>", "not_supported")
    assert formula["user"] == "'=1+1"  # no spreadsheet computes it
    assert (line["user"], line["arn"]) == (ann, f"arn:aws:iam::{account}:user/eng/ann")
    assert (line["password_enabled"], line["mfa_active"]) == ("true", "false")
    assert (line["access_key_1_active"], line["access_key_1_last_used_date"]) == ("true", "N/A")
    assert line["access_key_2_active"] == "false"
    assert None not in line.values()


def test_all_of_the_account_at_once(iam: Any, ann: str) -> None:
    """Piece by piece, as clients page."""
    iam.create_group(GroupName="eng")
    iam.add_user_to_group(GroupName="eng", UserName=ann)
    iam.put_user_policy(UserName=ann, PolicyName="own", PolicyDocument=POLICY)
    iam.create_role(
        RoleName="it", AssumeRolePolicyDocument=TRUST, Description="works", Tags=[{"Key": "a", "Value": "b"}]
    )
    iam.attach_role_policy(RoleName="it", PolicyArn=READ)
    iam.create_instance_profile(InstanceProfileName="box")
    iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="it")
    iam.create_policy(PolicyName="Limit", PolicyDocument=POLICY)
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2}))
    assert len(pages) == 3
    found: dict[str, list[Any]] = {}
    for page in pages:
        for name, rows in page.items():
            if isinstance(rows, list):
                found.setdefault(name, []).extend(rows)
    (user,), (group,), (role,) = found["UserDetailList"], found["GroupDetailList"], found["RoleDetailList"]
    assert (user["GroupList"], user["UserPolicyList"][0]["PolicyDocument"]) == (["eng"], json.loads(POLICY))
    assert group["GroupName"] == "eng"
    assert role["AttachedManagedPolicies"] == [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ}]
    assert role["InstanceProfileList"][0]["InstanceProfileName"] == "box"
    assert role["Tags"] == [{"Key": "a", "Value": "b"}]
    assert [policy["PolicyName"] for policy in found["Policies"]] == ["Limit", "ReadOnlyAccess"]
    assert found["Policies"][0]["PolicyVersionList"][0]["Document"] == json.loads(POLICY)
    only = iam.get_account_authorization_details(Filter=["Role"])
    assert (len(only["RoleDetailList"]), only["UserDetailList"], only["Policies"]) == (1, [], [])
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["Users"], summary["Groups"], summary["Roles"], summary["Policies"]) == (1, 1, 1, 1)


# --- providers

METADATA = """<?xml version="1.0"?>
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://id.test" {until}>
  <IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing">
    <KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{key}</X509Certificate></X509Data>
    </KeyInfo></KeyDescriptor></IDPSSODescriptor></EntityDescriptor>"""


def metadata(key: str = "MIIC" * 300, until: str = 'validUntil="2030-01-01T00:00:00Z"') -> str:
    return METADATA.format(key=key, until=until)


def test_saml_providers(iam: Any, account: str) -> None:
    team = [{"Key": "team", "Value": "a"}]
    arn = iam.create_saml_provider(Name="corp", SAMLMetadataDocument=metadata(), Tags=team)["SAMLProviderArn"]
    assert arn == f"arn:aws:iam::{account}:saml-provider/corp"
    got = iam.get_saml_provider(SAMLProviderArn=arn)
    assert (got["SAMLMetadataDocument"], got["ValidUntil"].year, got["Tags"]) == (metadata(), 2030, team)
    refused("EntityAlreadyExists", iam.create_saml_provider, Name="corp", SAMLMetadataDocument=metadata())
    iam.update_saml_provider(SAMLProviderArn=arn, SAMLMetadataDocument=metadata(until=""))
    assert [each["Arn"] for each in iam.list_saml_providers()["SAMLProviderList"]] == [arn]
    assert "ValidUntil" not in iam.get_saml_provider(SAMLProviderArn=arn)
    iam.tag_saml_provider(SAMLProviderArn=arn, Tags=[{"Key": "TEAM", "Value": "b"}])
    assert iam.list_saml_provider_tags(SAMLProviderArn=arn)["Tags"] == [{"Key": "TEAM", "Value": "b"}]
    iam.delete_saml_provider(SAMLProviderArn=arn)
    refused("NoSuchEntity", iam.get_saml_provider, SAMLProviderArn=arn)


@pytest.mark.parametrize(
    "document",
    [
        "x" * 1000,
        metadata(key=" " * 1000),
        metadata(until='validUntil="soon"'),
        metadata().replace("IDPSSODescriptor", "SPSSODescriptor"),
        metadata().replace("EntityDescriptor", "Entity"),
        metadata().replace('entityID="https://id.test"', ""),
        metadata().replace("<Entity", '<!DOCTYPE a [<!ENTITY a "b">]><Entity', 1),
    ],
)
def test_metadata_that_is_none(iam: Any, document: str) -> None:
    words = refused("InvalidInput", iam.create_saml_provider, Name="corp", SAMLMetadataDocument=document)
    assert words.startswith("Could not parse metadata")
    assert iam.list_saml_providers()["SAMLProviderList"] == []


def test_oidc_providers(iam: Any, account: str) -> None:
    """As eksctl and Terraform make them."""
    url = "https://oidc.eks.us-east-1.amazonaws.com/id/0123ABCD"
    asked = {"Url": url, "ClientIDList": ["sts.amazonaws.com"], "ThumbprintList": ["a" * 40]}
    arn = iam.create_open_id_connect_provider(**asked)["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{account}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/0123ABCD"
    words = refused("EntityAlreadyExists", iam.create_open_id_connect_provider, **asked)
    assert words == f"Provider with url {url} already exists."
    named = {"OpenIDConnectProviderArn": arn}
    iam.add_client_id_to_open_id_connect_provider(**named, ClientID="other")
    iam.remove_client_id_from_open_id_connect_provider(**named, ClientID="sts.amazonaws.com")
    iam.update_open_id_connect_provider_thumbprint(**named, ThumbprintList=["b" * 40])
    iam.tag_open_id_connect_provider(**named, Tags=[{"Key": "a", "Value": "b"}])
    got = iam.get_open_id_connect_provider(**named)
    assert (got["Url"], got["ClientIDList"]) == (url.removeprefix("https://"), ["other"])
    assert (got["ThumbprintList"], got["Tags"]) == (["b" * 40], [{"Key": "a", "Value": "b"}])
    iam.untag_open_id_connect_provider(**named, TagKeys=["A"])
    assert iam.list_open_id_connect_provider_tags(**named)["Tags"] == []
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": arn}]
    for _ in range(2):
        iam.delete_open_id_connect_provider(**named)  # again is no error
    refused("NoSuchEntity", iam.get_open_id_connect_provider, **named)
    refused(
        "InvalidInput", iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn.replace("oidc-provider", "role")
    )
    refused("InvalidInput", iam.create_open_id_connect_provider, Url=url, ThumbprintList=["a" * 40] * 6)
    for wrong in ("http://id.test", "id.test", "https://", "https://id.test?a=b", "https://me@id.test", "https://a b"):
        refused("ValidationError", iam.create_open_id_connect_provider, Url=wrong)
