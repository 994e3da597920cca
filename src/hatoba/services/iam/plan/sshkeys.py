"""SSH public keys of users: RSA, as OpenSSH writes them or in PEM. Pure.

Sources: the references of UploadSSHPublicKey and GetSSHPublicKey.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

LEAST = 2048  # bits
_PEM = "-----BEGIN "


class Unrecognized(ValueError):
    """Neither OpenSSH's encoding nor PEM."""


class Invalid(ValueError):
    """No RSA key, or too short a one."""


def read(body: str) -> str:
    """As OpenSSH writes it, without a comment. Raises `Unrecognized`, `Invalid`."""
    text = body.strip()
    if not text.startswith((_PEM, "ssh-", "ecdsa-", "sk-")):
        raise Unrecognized("The public key is encoded neither as OpenSSH does nor in PEM.")
    try:
        found = load_pem_public_key(text.encode()) if text.startswith(_PEM) else load_ssh_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("The public key is malformed.") from None
    if not isinstance(found, rsa.RSAPublicKey) or found.key_size < LEAST:
        raise Invalid(f"The public key must be an RSA key of {LEAST} bits at least.")
    return found.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def shown(body: str, public: str, encoding: str) -> str:
    """As it was uploaded where that is the encoding, else written anew. `encoding`: `SSH` or `PEM`."""
    if body.strip().startswith(_PEM) == (encoding == "PEM"):
        return body
    if encoding == "SSH":
        return public
    found = load_ssh_public_key(public.encode())
    return found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def fingerprint(public: str) -> str:
    """MD5, as `ssh-keygen -l -E md5` shows it."""
    return hashlib.md5(base64.b64decode(public.split()[1]), usedforsecurity=False).digest().hex(":")
