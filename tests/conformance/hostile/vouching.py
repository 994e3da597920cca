"""What vouches for servers and users in IAM: certificates, SSH keys, credentials for services; made, and asked for."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hatoba.services.acm import x509

GIT = {"UserName": "user", "ServiceName": "codecommit.amazonaws.com"}


def pair(now: float) -> dict[str, str]:
    made = x509.issue(x509.authority("an authority", now), ("a.example",), "EC_prime256v1", now, 86400.0)
    return {"CertificateBody": made.leaf, "PrivateKey": made.key}


def ssh_key() -> str:
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


async def vouchers(iam: Any, now: float) -> dict[str, Any]:
    """One of each. What names them, by members' names."""
    user, shown = {"UserName": "user"}, pair(now)
    await iam.upload_server_certificate(ServerCertificateName="shown", **shown)
    signing = await iam.upload_signing_certificate(**user, CertificateBody=shown["CertificateBody"])
    ssh = await iam.upload_ssh_public_key(**user, SSHPublicKeyBody=ssh_key())
    git = await iam.create_service_specific_credential(**GIT)
    return {
        "ServerCertificateName": "shown",
        "CertificateId": signing["Certificate"]["CertificateId"],
        "SSHPublicKeyId": ssh["SSHPublicKey"]["SSHPublicKeyId"],
        "ServiceSpecificCredentialId": git["ServiceSpecificCredential"]["ServiceSpecificCredentialId"],
        "another pair": pair(now),
        "another key": ssh_key(),
    }


def vouching(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Requests that pass, by operation."""
    other, tag = known["another pair"], {"Key": "a", "Value": "b"}
    signing = {"UserName": "user", "CertificateId": known["CertificateId"]}
    ssh = {"UserName": "user", "SSHPublicKeyId": known["SSHPublicKeyId"]}
    git = {"UserName": "user", "ServiceSpecificCredentialId": known["ServiceSpecificCredentialId"]}
    return {
        "UploadServerCertificate": {"ServerCertificateName": "new", **other, "Tags": [tag]},
        "UpdateServerCertificate": {"ServerCertificateName": "shown", "NewServerCertificateName": "other"},
        "UploadSigningCertificate": {"UserName": "user", "CertificateBody": other["CertificateBody"]},
        "UpdateSigningCertificate": {**signing, "Status": "Inactive"},
        "DeleteSigningCertificate": signing,
        "UploadSSHPublicKey": {"UserName": "user", "SSHPublicKeyBody": known["another key"]},
        "GetSSHPublicKey": {**ssh, "Encoding": "PEM"},
        "UpdateSSHPublicKey": {**ssh, "Status": "Inactive"},
        "DeleteSSHPublicKey": ssh,
        "CreateServiceSpecificCredential": GIT,
        "ResetServiceSpecificCredential": git,
        "UpdateServiceSpecificCredential": {**git, "Status": "Inactive"},
        "DeleteServiceSpecificCredential": git,
        "ListServiceSpecificCredentials": GIT,
        "GenerateOrganizationsAccessReport": {"EntityPath": known["EntityPath"]},
        "GetOrganizationsAccessReport": {"JobId": known["JobId"]},
    }
