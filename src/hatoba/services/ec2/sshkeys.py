"""Keys for SSH: new pairs, public keys as people have them, and fingerprints as EC2 computes them.

A fingerprint says how EC2 came to a key: of an RSA pair that it made, SHA-1 of the private key in PKCS #8; of an RSA
key that was imported, MD5 of the public DER; of an ED25519 key, SHA-256 as OpenSSH has it, padded.

Sources: the EC2 user guide, "Verify the fingerprint of your key pair", "Create a key pair"; RFC 4716; PuTTY's manual,
"PPK file format" (version 2, unencrypted).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from typing import Literal, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_ssh_public_key,
)

KeyType = Literal["rsa", "ed25519"]
BITS = 2048  # of a new RSA key
LENGTHS = (1024, 2048, 4096)  # of imported ones
_BEGIN, _END = "---- BEGIN SSH2 PUBLIC KEY ----", "---- END SSH2 PUBLIC KEY ----"

_Private = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_Public = rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class BadKey(ValueError):
    """Not a public key in any of the formats that EC2 reads, or not of a kind or length that it takes."""


class Pair(NamedTuple):
    public: str  # as OpenSSH writes it, without a comment
    private: str  # as it was asked for
    fingerprint: str


class Public(NamedTuple):
    kind: KeyType
    public: str
    fingerprint: str


def new_pair(kind: KeyType, form: str, name: str) -> Pair:
    """`form`: `pem` or `ppk`; `name` is the comment of the latter. Takes a tenth of a second of CPU for RSA."""
    if kind == "ed25519":
        made: _Private = ed25519.Ed25519PrivateKey.generate()
    else:
        made = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    public = _openssh(made.public_key())
    private = _ppk(made, public, name) if form == "ppk" else _pem(made)
    return Pair(public, private, _sha256(public) if kind == "ed25519" else _sha1(made))


def read_public(material: bytes) -> Public:
    """OpenSSH's format, RFC 4716's, or DER in base64. Raises BadKey."""
    try:
        text = material.decode("ascii").strip()
        if text.startswith(_BEGIN):
            text = _of_rfc4716(text)
        first = text.split(None, 1)[0] if text else ""
        found = load_ssh_public_key(text.encode()) if first.startswith(("ssh-", "ecdsa-", "sk-")) else _of_der(text)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(str(error)) from None
    if isinstance(found, ed25519.Ed25519PublicKey):
        public = _openssh(found)
        return Public("ed25519", public, _sha256(public))
    if isinstance(found, rsa.RSAPublicKey) and found.key_size in LENGTHS:
        der = found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Public("rsa", _openssh(found), _colons(hashlib.md5(der, usedforsecurity=False).digest()))
    raise BadKey("neither ED25519 nor RSA of 1024, 2048 or 4096 bits")


def _of_der(text: str) -> object:
    try:
        return load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _of_rfc4716(text: str) -> str:
    """Headers (`Comment: …`, which go on after a backslash) and base64 between two marks → OpenSSH's one line."""
    lines = text.splitlines()
    if lines[-1].strip() != _END:
        raise ValueError("the end is missing")
    body, header = "", False
    for line in lines[1:-1]:
        header = header or ":" in line
        if not header:
            body += line.strip()
        header = header and line.endswith("\\")
    blob = base64.b64decode(body, validate=True)
    (length,) = struct.unpack(">I", blob[:4].ljust(4, b"\0"))
    return f"{blob[4 : 4 + length].decode('ascii')} {body}"


# --- written


def _openssh(public: _Public) -> str:
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _pem(private: _Private) -> str:
    form = PrivateFormat.TraditionalOpenSSL if isinstance(private, rsa.RSAPrivateKey) else PrivateFormat.OpenSSH
    return private.private_bytes(Encoding.PEM, form, NoEncryption()).decode().rstrip("\n")


def _ppk(private: _Private, public: str, comment: str) -> str:
    algorithm, encoded = public.split()
    shown, hidden = base64.b64decode(encoded), _private_blob(private)
    signed = b"".join(map(_string, (algorithm.encode(), b"none", comment.encode(), shown, hidden)))
    mac = hmac.new(hashlib.sha1(b"putty-private-key-file-mac-key").digest(), signed, "sha1").hexdigest()
    return "\r\n".join(
        (
            f"PuTTY-User-Key-File-2: {algorithm}",
            "Encryption: none",
            f"Comment: {comment}",
            *_lines("Public", shown),
            *_lines("Private", hidden),
            f"Private-MAC: {mac}",
        )
    )


def _private_blob(private: _Private) -> bytes:
    if isinstance(private, rsa.RSAPrivateKey):
        numbers = private.private_numbers()
        return b"".join(map(_mpint, (numbers.d, numbers.p, numbers.q, numbers.iqmp)))
    seed = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return _string(seed.rstrip(b"\0"))  # a number, its lowest byte first


def _lines(what: str, blob: bytes) -> list[str]:
    text = base64.b64encode(blob).decode()
    found = [text[start : start + 64] for start in range(0, len(text), 64)]
    return [f"{what}-Lines: {len(found)}", *found]


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _mpint(number: int) -> bytes:
    return _string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


# --- fingerprints


def _sha256(public: str) -> str:
    return base64.b64encode(hashlib.sha256(base64.b64decode(public.split()[1])).digest()).decode()


def _sha1(private: _Private) -> str:
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _colons(hashlib.sha1(der, usedforsecurity=False).digest())


def _colons(digest: bytes) -> str:
    return digest.hex(":")
