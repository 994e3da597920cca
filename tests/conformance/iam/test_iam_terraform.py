"""Terraform's resources, by their calls in their order: made, read, changed, read again, destroyed by force."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives import serialization

from hatoba.services.acm import x509
from tests.conformance.ec2.networks import Platform
from tests.conformance.iam.assertions import metadata, pair
from tests.conformance.serving import refused

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW]})
TASKS = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [TASKS]})
READ = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def tags(**given: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def test_a_role_with_its_policies(iam: Any) -> None:
    """aws_iam_role, aws_iam_role_policy, aws_iam_role_policy_attachment, aws_iam_instance_profile."""
    name = {"RoleName": "app"}
    iam.create_role(**name, AssumeRolePolicyDocument=TRUST, MaxSessionDuration=3600, Path="/", Tags=tags(env="dev"))
    iam.put_role_policy(**name, PolicyName="inline", PolicyDocument=POLICY)
    iam.attach_role_policy(**name, PolicyArn=READ)
    iam.create_instance_profile(InstanceProfileName="app", Path="/")
    iam.add_role_to_instance_profile(InstanceProfileName="app", **name)

    # The plan afterwards is empty: what is read is what was written.
    role = iam.get_role(**name)["Role"]
    assert (role["AssumeRolePolicyDocument"], role["Tags"]) == (json.loads(TRUST), tags(env="dev"))
    assert iam.list_role_policies(**name)["PolicyNames"] == ["inline"]
    assert iam.get_role_policy(**name, PolicyName="inline")["PolicyDocument"] == json.loads(POLICY)
    assert [each["PolicyArn"] for each in iam.list_attached_role_policies(**name)["AttachedPolicies"]] == [READ]
    assert iam.get_instance_profile(InstanceProfileName="app")["InstanceProfile"]["Roles"][0]["RoleName"] == "app"

    iam.untag_role(**name, TagKeys=["env"])
    iam.tag_role(**name, Tags=tags(team="a"))
    iam.update_role(**name, MaxSessionDuration=7200)
    iam.update_role_description(**name, Description="serves")
    iam.put_role_permissions_boundary(**name, PermissionsBoundary=READ)
    role = iam.get_role(**name)["Role"]
    assert (role["Tags"], role["MaxSessionDuration"], role["Description"]) == (tags(team="a"), 7200, "serves")

    # force_detach_policies
    for profile in iam.list_instance_profiles_for_role(**name)["InstanceProfiles"]:
        iam.remove_role_from_instance_profile(InstanceProfileName=profile["InstanceProfileName"], **name)
    for attached in iam.list_attached_role_policies(**name)["AttachedPolicies"]:
        iam.detach_role_policy(**name, PolicyArn=attached["PolicyArn"])
    for inline in iam.list_role_policies(**name)["PolicyNames"]:
        iam.delete_role_policy(**name, PolicyName=inline)
    iam.delete_role(**name)
    refused("NoSuchEntity", iam.get_role, **name)
    iam.delete_instance_profile(InstanceProfileName="app")


def test_a_policy_through_its_versions(iam: Any) -> None:
    """aws_iam_policy: each change is a version, the oldest makes room, and all go before the policy does."""
    arn = {"PolicyArn": iam.create_policy(PolicyName="app", PolicyDocument=POLICY)["Policy"]["Arn"]}
    for number in range(6):
        versions = iam.list_policy_versions(**arn)["Versions"]
        if len(versions) >= 5:
            oldest = min(
                (each for each in versions if not each["IsDefaultVersion"]), key=lambda each: each["CreateDate"]
            )
            iam.delete_policy_version(**arn, VersionId=oldest["VersionId"])
        changed = json.dumps({"Version": "2012-10-17", "Statement": [{**ALLOW, "Sid": f"n{number}"}]})
        iam.create_policy_version(**arn, PolicyDocument=changed, SetAsDefault=True)
        version = iam.get_policy(**arn)["Policy"]["DefaultVersionId"]
        assert iam.get_policy_version(**arn, VersionId=version)["PolicyVersion"]["Document"] == json.loads(changed)
    for each in iam.list_policy_versions(**arn)["Versions"]:
        if not each["IsDefaultVersion"]:
            iam.delete_policy_version(**arn, VersionId=each["VersionId"])
    iam.delete_policy(**arn)
    refused("NoSuchEntity", iam.get_policy, **arn)


def test_a_user_is_destroyed_by_force(iam: Any) -> None:
    """aws_iam_user with force_destroy looks for everything that a user may have."""
    name = {"UserName": "ann"}
    iam.create_user(**name, Path="/eng/", Tags=tags(team="a"))
    iam.create_group(GroupName="eng")
    iam.add_user_to_group(**name, GroupName="eng")
    iam.create_access_key(**name)
    iam.create_login_profile(**name, Password="Correct-Horse-7", PasswordResetRequired=True)
    iam.put_user_policy(**name, PolicyName="own", PolicyDocument=POLICY)
    iam.attach_user_policy(**name, PolicyArn=READ)
    refused("DeleteConflict", iam.delete_user, **name)

    for group in iam.list_groups_for_user(**name)["Groups"]:
        iam.remove_user_from_group(**name, GroupName=group["GroupName"])
    for key in iam.list_access_keys(**name)["AccessKeyMetadata"]:
        iam.delete_access_key(**name, AccessKeyId=key["AccessKeyId"])
    assert iam.list_ssh_public_keys(**name)["SSHPublicKeys"] == []
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"] == []
    assert iam.list_mfa_devices(**name)["MFADevices"] == []
    assert iam.list_signing_certificates(**name)["Certificates"] == []
    assert iam.list_service_specific_credentials(**name)["ServiceSpecificCredentials"] == []
    iam.delete_login_profile(**name)
    refused("NoSuchEntity", iam.delete_login_profile, **name)
    iam.delete_user_policy(**name, PolicyName="own")
    iam.detach_user_policy(**name, PolicyArn=READ)
    iam.delete_user(**name)
    refused("NoSuchEntity", iam.list_ssh_public_keys, **name)
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


def test_a_user_with_everything_destroyed_by_force(platform: Platform, iam: Any) -> None:
    """aws_iam_user, aws_iam_user_ssh_key, aws_iam_signing_certificate, aws_iam_service_specific_credential."""
    name, now = {"UserName": "app"}, platform.clock.now()
    iam.create_user(**name)
    ssh = pair("idp")[0].public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    key = iam.upload_ssh_public_key(**name, SSHPublicKeyBody=ssh.decode())["SSHPublicKey"]
    read = iam.get_ssh_public_key(**name, SSHPublicKeyId=key["SSHPublicKeyId"], Encoding="SSH")["SSHPublicKey"]
    assert (read["SSHPublicKeyBody"], read["Status"]) == (ssh.decode(), "Active")
    body = x509.issue(x509.authority("a", now), ("a.example",), "EC_prime256v1", now, 86400.0).leaf
    made = iam.upload_signing_certificate(**name, CertificateBody=body)["Certificate"]
    (read,) = iam.list_signing_certificates(**name)["Certificates"]
    assert (read["CertificateId"], read["CertificateBody"]) == (made["CertificateId"], body)
    git = {"ServiceName": "codecommit.amazonaws.com"}
    given = iam.create_service_specific_credential(**name, **git)["ServiceSpecificCredential"]
    (read,) = iam.list_service_specific_credentials(**name, **git)["ServiceSpecificCredentials"]
    assert {key: value for key, value in given.items() if key != "ServicePassword"} == read

    # force_destroy
    for ssh_key in iam.list_ssh_public_keys(**name)["SSHPublicKeys"]:
        iam.delete_ssh_public_key(**name, SSHPublicKeyId=ssh_key["SSHPublicKeyId"])
    for certificate in iam.list_signing_certificates(**name)["Certificates"]:
        iam.delete_signing_certificate(**name, CertificateId=certificate["CertificateId"])
    for credential in iam.list_service_specific_credentials(**name)["ServiceSpecificCredentials"]:
        id_ = credential["ServiceSpecificCredentialId"]
        iam.delete_service_specific_credential(**name, ServiceSpecificCredentialId=id_)
    iam.delete_user(**name)
    refused("NoSuchEntity", iam.get_user, **name)


def test_a_server_certificate_and_a_saml_provider(platform: Platform, iam: Any) -> None:
    """aws_iam_server_certificate, aws_iam_saml_provider."""
    now, name = platform.clock.now(), {"ServerCertificateName": "app"}
    root = x509.authority("a", now)
    made = x509.issue(root, ("a.example",), "EC_prime256v1", now, 86400.0)
    iam.upload_server_certificate(
        **name, CertificateBody=made.leaf, PrivateKey=made.key, CertificateChain=root.leaf, Path="/", Tags=tags(a="b")
    )
    read = iam.get_server_certificate(**name)["ServerCertificate"]
    assert (read["CertificateBody"], read["CertificateChain"], read["Tags"]) == (made.leaf, root.leaf, tags(a="b"))
    iam.update_server_certificate(**name, NewServerCertificateName="new", NewPath="/web/")
    iam.delete_server_certificate(ServerCertificateName="new")
    refused("NoSuchEntity", iam.get_server_certificate, ServerCertificateName="new")

    arn = iam.create_saml_provider(Name="app", SAMLMetadataDocument=metadata(), Tags=tags(a="b"))["SAMLProviderArn"]
    named = {"SAMLProviderArn": arn}
    got = iam.get_saml_provider(**named)
    assert (got["SAMLMetadataDocument"], got["Tags"]) == (metadata(), tags(a="b"))
    iam.update_saml_provider(**named, SAMLMetadataDocument=metadata("https://other.test"))
    assert "https://other.test" in iam.get_saml_provider(**named)["SAMLMetadataDocument"]
    iam.delete_saml_provider(**named)
    refused("NoSuchEntity", iam.get_saml_provider, **named)
