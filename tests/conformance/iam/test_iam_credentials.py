"""What vouches for servers and users beside access keys: certificates, SSH keys, services' own credentials."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hatoba.services.acm import x509
from tests.conformance.ec2.networks import Platform
from tests.conformance.serving import refused

DAY = 86400.0
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_OPENSSH, _PEM = serialization.Encoding.OpenSSH, serialization.Encoding.PEM


@pytest.fixture
def ann(iam: Any) -> str:
    iam.create_user(UserName="ann", Path="/eng/")
    return "ann"


@pytest.fixture
def authority(platform: Platform) -> x509.Issued:
    return x509.authority("a test's authority", platform.clock.now())


def leaf(platform: Platform, authority: x509.Issued, *, days: float = 1, later: float = 0) -> x509.Issued:
    return x509.issue(authority, ("shop.example",), "EC_prime256v1", platform.clock.now() + later, days * DAY)


def given(made: x509.Issued, name: str = "shop", **rest: Any) -> dict[str, Any]:
    return {"ServerCertificateName": name, "CertificateBody": made.leaf, "PrivateKey": made.key, **rest}


# --- server certificates


def test_a_server_certificate_comes_is_renamed_and_goes(
    platform: Platform, iam: Any, account: str, authority: x509.Issued
) -> None:
    made = leaf(platform, authority)
    asked = given(made, CertificateChain=authority.leaf, Path="/web/", Tags=[{"Key": "team", "Value": "a"}])
    answer = iam.upload_server_certificate(**asked)
    told = answer["ServerCertificateMetadata"]
    assert told["Arn"] == f"arn:aws:iam::{account}:server-certificate/web/shop"
    assert told["ServerCertificateId"].startswith("ASCA")
    assert told["Expiration"].timestamp() == pytest.approx(platform.clock.now() + DAY, abs=2)
    assert answer["Tags"] == [{"Key": "team", "Value": "a"}]
    got = iam.get_server_certificate(ServerCertificateName="SHOP")["ServerCertificate"]
    assert (got["CertificateBody"], got["CertificateChain"]) == (made.leaf, authority.leaf)
    assert "PrivateKey" not in str(got)
    assert iam.list_server_certificates(PathPrefix="/web/")["ServerCertificateMetadataList"] == [told]
    assert iam.list_server_certificates(PathPrefix="/other/")["ServerCertificateMetadataList"] == []
    words = refused("EntityAlreadyExists", iam.upload_server_certificate, **asked)
    assert words == "The Server Certificate with name shop already exists."
    iam.update_server_certificate(ServerCertificateName="shop", NewServerCertificateName="new", NewPath="/")
    moved = iam.get_server_certificate(ServerCertificateName="new")["ServerCertificate"]
    assert moved["ServerCertificateMetadata"]["Arn"] == f"arn:aws:iam::{account}:server-certificate/new"
    assert moved["ServerCertificateMetadata"]["ServerCertificateId"] == told["ServerCertificateId"]
    iam.tag_server_certificate(ServerCertificateName="new", Tags=[{"Key": "x", "Value": "y"}])
    iam.untag_server_certificate(ServerCertificateName="new", TagKeys=["team"])
    assert iam.list_server_certificate_tags(ServerCertificateName="new")["Tags"] == [{"Key": "x", "Value": "y"}]
    iam.delete_server_certificate(ServerCertificateName="new")
    words = refused("NoSuchEntity", iam.delete_server_certificate, ServerCertificateName="new")
    assert words == "The Server Certificate with name new cannot be found."


def test_what_no_server_could_show_is_refused(platform: Platform, iam: Any, authority: x509.Issued) -> None:
    made, other = leaf(platform, authority), leaf(platform, authority)
    stranger = x509.authority("somebody else", platform.clock.now())
    key = serialization.load_pem_private_key(made.key.encode(), None)
    locked = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    ).decode()
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("KeyPairMismatch", {"PrivateKey": other.key}, "does not match"),
        ("MalformedCertificate", {"CertificateBody": "nonsense"}, "Unable to parse certificate."),
        ("MalformedCertificate", {"CertificateBody": made.leaf + authority.leaf}, "Unable to parse certificate."),
        ("MalformedCertificate", {"PrivateKey": "nonsense"}, "Unable to parse key."),
        ("MalformedCertificate", {"PrivateKey": locked}, "encrypted"),
        ("MalformedCertificate", {"CertificateChain": "nonsense"}, "certificate chain"),
        ("MalformedCertificate", {"CertificateChain": stranger.leaf}, "of the invalid certificate is: 0"),
        ("MalformedCertificate", given(leaf(platform, authority, later=10 * DAY)), "not valid"),
        ("MalformedCertificate", given(leaf(platform, authority, later=-10 * DAY)), "not valid"),
    ]
    for code, changed, words in wrong:
        assert words in refused(code, iam.upload_server_certificate, **given(made, **changed)), changed
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


# --- what belongs to users


def test_signing_certificates(platform: Platform, iam: Any, ann: str, authority: x509.Issued) -> None:
    bodies = [leaf(platform, authority).leaf for _ in range(3)]
    made = iam.upload_signing_certificate(UserName=ann, CertificateBody=bodies[0])["Certificate"]
    assert (made["UserName"], made["Status"], made["CertificateBody"]) == (ann, "Active", bodies[0])
    refused("DuplicateCertificate", iam.upload_signing_certificate, UserName=ann, CertificateBody=bodies[0])
    refused("MalformedCertificate", iam.upload_signing_certificate, UserName=ann, CertificateBody="nonsense")
    over = leaf(platform, authority, later=-10 * DAY).leaf
    refused("InvalidCertificate", iam.upload_signing_certificate, UserName=ann, CertificateBody=over)
    iam.upload_signing_certificate(UserName=ann, CertificateBody=bodies[1])
    words = refused("LimitExceeded", iam.upload_signing_certificate, UserName=ann, CertificateBody=bodies[2])
    assert words == "Cannot exceed quota for SigningCertificatesPerUser: 2"
    asked = {"UserName": ann, "CertificateId": made["CertificateId"]}
    iam.update_signing_certificate(**asked, Status="Inactive")
    refused("ValidationError", iam.update_signing_certificate, **asked, Status="Expired")
    listed = {
        each["CertificateId"]: each["Status"] for each in iam.list_signing_certificates(UserName=ann)["Certificates"]
    }
    assert (len(listed), listed[made["CertificateId"]]) == (2, "Inactive")
    iam.generate_credential_report()
    (line,) = [
        row
        for row in csv.DictReader(io.StringIO(iam.get_credential_report()["Content"].decode()))
        if row["user"] == ann
    ]
    assert {line["cert_1_active"], line["cert_2_active"]} == {"true", "false"}
    iam.delete_signing_certificate(**asked)
    refused("NoSuchEntity", iam.delete_signing_certificate, **asked)


def test_ssh_keys_in_both_encodings(iam: Any, ann: str) -> None:
    public = RSA.public_key()
    ssh = public.public_bytes(_OPENSSH, serialization.PublicFormat.OpenSSH).decode()
    pem = public.public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    made = iam.upload_ssh_public_key(UserName=ann, SSHPublicKeyBody=f"{ssh} ann@laptop")["SSHPublicKey"]
    assert made["SSHPublicKeyBody"] == f"{ssh} ann@laptop"
    assert made["Fingerprint"] == hashlib.md5(base64.b64decode(ssh.split()[1])).digest().hex(":")
    asked = {"UserName": ann, "SSHPublicKeyId": made["SSHPublicKeyId"]}
    assert iam.get_ssh_public_key(**asked, Encoding="PEM")["SSHPublicKey"]["SSHPublicKeyBody"] == pem
    assert iam.get_ssh_public_key(**asked, Encoding="SSH")["SSHPublicKey"]["SSHPublicKeyBody"].startswith(ssh)
    refused("DuplicateSSHPublicKey", iam.upload_ssh_public_key, UserName=ann, SSHPublicKeyBody=pem)
    iam.update_ssh_public_key(**asked, Status="Inactive")
    (listed,) = iam.list_ssh_public_keys(UserName=ann)["SSHPublicKeys"]
    assert (listed["SSHPublicKeyId"], listed["Status"]) == (made["SSHPublicKeyId"], "Inactive")
    iam.create_user(UserName="bob")
    refused("NoSuchEntity", iam.get_ssh_public_key, **{**asked, "UserName": "bob"}, Encoding="SSH")
    again = iam.upload_ssh_public_key(UserName="bob", SSHPublicKeyBody=pem)["SSHPublicKey"]
    got = iam.get_ssh_public_key(UserName="bob", SSHPublicKeyId=again["SSHPublicKeyId"], Encoding="SSH")
    assert got["SSHPublicKey"]["SSHPublicKeyBody"] == ssh
    assert got["SSHPublicKey"]["Fingerprint"] == made["Fingerprint"]
    iam.delete_ssh_public_key(**asked)
    refused("NoSuchEntity", iam.delete_ssh_public_key, **asked)


def test_what_no_ssh_key_is(iam: Any, ann: str) -> None:
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    for code, body in (
        ("UnrecognizedPublicKeyEncoding", "nonsense"),
        ("InvalidPublicKey", "ssh-rsa AAAA"),
        ("InvalidPublicKey", small.public_bytes(_OPENSSH, serialization.PublicFormat.OpenSSH).decode()),
        ("InvalidPublicKey", curve.public_bytes(_OPENSSH, serialization.PublicFormat.OpenSSH).decode()),
    ):
        refused(code, iam.upload_ssh_public_key, UserName=ann, SSHPublicKeyBody=body)
    assert iam.list_ssh_public_keys(UserName=ann)["SSHPublicKeys"] == []


@pytest.mark.parametrize("service", ["codecommit", "cassandra", "bedrock"])
def test_credentials_for_one_service(platform: Platform, iam: Any, account: str, ann: str, service: str) -> None:
    asked = {"UserName": ann, "ServiceName": f"{service}.amazonaws.com"}
    name, told = (
        ("ServiceCredentialAlias", "ServiceCredentialSecret")
        if service == "bedrock"
        else (
            "ServiceUserName",
            "ServicePassword",
        )
    )
    first, second = (iam.create_service_specific_credential(**asked)["ServiceSpecificCredential"] for _ in range(2))
    assert (first[name], second[name]) == (f"ann-at-{account}", f"ann+1-at-{account}")
    assert len({first[told], second[told]}) == 2
    words = refused("LimitExceeded", iam.create_service_specific_credential, **asked)
    assert words == "Cannot exceed quota for ServiceSpecificCredentialsPerUser: 2"
    which = {"UserName": ann, "ServiceSpecificCredentialId": first["ServiceSpecificCredentialId"]}
    again = iam.reset_service_specific_credential(**which)["ServiceSpecificCredential"]
    assert (again[name], again[told] == first[told]) == (first[name], False)
    iam.update_service_specific_credential(**which, Status="Inactive")
    listed = iam.list_service_specific_credentials(UserName=ann)["ServiceSpecificCredentials"]
    assert {each["Status"] for each in listed} == {"Active", "Inactive"}
    assert all(told not in each for each in listed)
    assert len(iam.list_service_specific_credentials(AllUsers=True)["ServiceSpecificCredentials"]) == 2
    iam.delete_service_specific_credential(**which)
    refused("NoSuchEntity", iam.delete_service_specific_credential, **which)
    third = iam.create_service_specific_credential(**asked)["ServiceSpecificCredential"]
    assert third[name] == first[name]


def test_credentials_that_end(platform: Platform, iam: Any, ann: str) -> None:
    refused("NotSupportedService", iam.create_service_specific_credential, UserName=ann, ServiceName="s3")
    git = {"UserName": ann, "ServiceName": "codecommit.amazonaws.com", "CredentialAgeDays": 3}
    refused("ValidationError", iam.create_service_specific_credential, **git)
    key = {**git, "ServiceName": "bedrock.amazonaws.com"}
    made = iam.create_service_specific_credential(**key)["ServiceSpecificCredential"]
    assert made["ExpirationDate"].timestamp() == pytest.approx(platform.clock.now() + 3 * DAY, abs=2)
    assert (
        iam.list_service_specific_credentials(ServiceName="codecommit.amazonaws.com", UserName=ann)[
            "ServiceSpecificCredentials"
        ]
        == []
    )


def test_what_is_a_users_goes_along_and_is_in_the_way(
    platform: Platform, iam: Any, ann: str, authority: x509.Issued
) -> None:
    ssh = RSA.public_key().public_bytes(_OPENSSH, serialization.PublicFormat.OpenSSH).decode()
    iam.upload_signing_certificate(UserName=ann, CertificateBody=leaf(platform, authority).leaf)
    iam.upload_ssh_public_key(UserName=ann, SSHPublicKeyBody=ssh)
    iam.create_service_specific_credential(UserName=ann, ServiceName="codecommit.amazonaws.com")
    iam.update_user(UserName=ann, NewUserName="anna")
    of = {"UserName": "anna"}
    certificates = iam.list_signing_certificates(**of)["Certificates"]
    keys = iam.list_ssh_public_keys(**of)["SSHPublicKeys"]
    held = iam.list_service_specific_credentials(**of)["ServiceSpecificCredentials"]
    assert [each["UserName"] for each in (*certificates, *keys, *held)] == ["anna"] * 3
    for gone in (
        lambda: iam.delete_signing_certificate(**of, CertificateId=certificates[0]["CertificateId"]),
        lambda: iam.delete_ssh_public_key(**of, SSHPublicKeyId=keys[0]["SSHPublicKeyId"]),
        lambda: iam.delete_service_specific_credential(
            **of, ServiceSpecificCredentialId=held[0]["ServiceSpecificCredentialId"]
        ),
    ):
        words = refused("DeleteConflict", iam.delete_user, **of)
        assert words == "Cannot delete entity, must remove referenced objects first."
        gone()
    iam.delete_user(**of)
