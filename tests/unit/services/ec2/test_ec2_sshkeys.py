"""SSH's keys: what EC2 reads, and how it computes fingerprints. ssh-keygen's and openssl's words are the oracle."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import textwrap

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.hazmat.primitives.serialization import load_ssh_private_key as load_ssh
from hypothesis import given
from hypothesis import strategies as st

from hatoba.services.ec2 import sshkeys

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKfuUeGSgsoXsXy4/FrSbnBdUPN6FGGjc7ogQ4absaWJ"
RSA = "ssh-rsa " + (
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQDgN4VfScGqU3puoJ1ebygeuRv2FkqDOUMaw2H63pIWXdiRPsRAL0+Hd5AEwg+cfRJNwQ3U"
    "vHD2R22ZIH4wn2yv0kBRkdzs4y5BbWcUVhNZwGWoBxQAcUb2xw8nsF/JimQtdJ3puB5QT9r5xyCc8KrQUyswjux5+jtUrk44JkK4"
    "vALEzVweFQMNr6+as2JbbiMQaac6koPyNE3DbR93pIYyZ9m2IvcaBcJmcKUdGuxR+cmjTF+zwTux1VFPs6qVXFqhtivHdCiRfUcf"
    "OEuzs4QSHllM5j7zOYMMLsNasjuujv2FzCpoaAcVtt8KvVoZmcfCghwYFNwsQHQMv2HHCFch"
)
ECDSA = "ecdsa-sha2-nistp256 " + (
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLyo9YL0r3XaY2Z92mE9I9YIpzocXqQxXdH2tvO5gARXFX/n"
    "aDFKmqrbQewDGwBVmB7nICv17uY4WYOBz/+wHlQ="
)
MD5 = "f5:47:16:8b:b4:85:aa:de:6b:d0:b6:f6:56:86:a5:e3"  # openssl rsa -pubout -outform DER | openssl md5 -c
SHA256 = "wRkxO1N+4BXhSFzuoyIsrQ0rcpMOrqF0pLwpO1m57aQ="  # ssh-keygen -l, padded


def rfc4716(header: str) -> str:
    body = "\n".join(textwrap.wrap(RSA.split()[1], 70))
    return f"---- BEGIN SSH2 PUBLIC KEY ----\n{header}{body}\n---- END SSH2 PUBLIC KEY ----\n"


def der() -> bytes:
    return sshkeys.load_ssh_public_key(RSA.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "text",
    [
        RSA,
        f"{RSA} me@home\n",
        f"  {RSA} and a comment of words ",
        rfc4716(""),
        rfc4716('Comment: "2048-bit RSA"\n'),
        rfc4716("Subject: me\nComment: a long\\\n one: of two lines\n"),
        base64.b64encode(der()).decode(),
        base64.encodebytes(der()).decode(),
    ],
)
def test_a_key_in_all_the_forms_that_people_have(text: str) -> None:
    assert sshkeys.read_public(text.encode()) == ("rsa", RSA, MD5)


def test_ed25519() -> None:
    assert sshkeys.read_public(f"{ED25519} me".encode()) == ("ed25519", ED25519, SHA256)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-rsa",
        "ssh-rsa AAAA",
        "ssh-rsa " + "A" * 400,
        ECDSA,
        RSA.replace("ssh-rsa", "ssh-ed25519"),
        RSA[:-40],
        rfc4716("").replace("END", "ENDE"),
        "---- BEGIN SSH2 PUBLIC KEY ----",
        "---- BEGIN SSH2 PUBLIC KEY ----\n!\n---- END SSH2 PUBLIC KEY ----",
        base64.b64encode(der()[:-5]).decode(),
        "schlüssel",
        "-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(sshkeys.BadKey):
        sshkeys.read_public(text.encode())


@given(st.binary(max_size=200), st.sampled_from(["", "ssh-rsa ", "---- BEGIN SSH2 PUBLIC KEY ----\n"]))
def test_nothing_else_comes_of_whatever_is_given(data: bytes, before: str) -> None:
    with pytest.raises(sshkeys.BadKey):
        sshkeys.read_public(before.encode() + data)


def test_only_lengths_that_ec2_takes() -> None:
    odd = rsa.generate_private_key(public_exponent=65537, key_size=1032).public_key()
    with pytest.raises(sshkeys.BadKey):
        sshkeys.read_public(odd.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))


def test_a_new_pair_of_rsa() -> None:
    """Its fingerprint was held against `openssl pkcs8 -topk8 -outform DER -nocrypt | openssl sha1 -c`."""
    pair = sshkeys.new_pair("rsa", "pem", "n")
    assert pair.private.startswith("-----BEGIN RSA PRIVATE KEY-----")
    key = load_pem_private_key(pair.private.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
    assert key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() == pair.public
    assert len(bytes.fromhex(pair.fingerprint.replace(":", ""))) == hashlib.sha1().digest_size
    assert sshkeys.read_public(pair.public.encode()).fingerprint != pair.fingerprint, "imported, it has another"


def test_a_new_pair_of_ed25519() -> None:
    pair = sshkeys.new_pair("ed25519", "pem", "n")
    key = load_ssh(pair.private.encode(), None)
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    assert sshkeys.read_public(pair.public.encode()) == ("ed25519", pair.public, pair.fingerprint)


def strings(blob: bytes) -> list[bytes]:
    found = []
    while blob:
        (length,) = struct.unpack(">I", blob[:4])
        found.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return found


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_for_putty(kind: sshkeys.KeyType) -> None:
    pair = sshkeys.new_pair(kind, "ppk", "my key")
    lines = pair.private.split("\r\n")
    assert lines[:3] == [f"PuTTY-User-Key-File-2: ssh-{kind}", "Encryption: none", "Comment: my key"]
    fields = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    first = 4 + int(fields["Public-Lines"])
    public = base64.b64decode("".join(lines[4:first]))
    private = base64.b64decode("".join(lines[first + 1 : first + 1 + int(fields["Private-Lines"])]))
    assert public == base64.b64decode(pair.public.split()[1])
    signed = b"".join(
        struct.pack(">I", len(part)) + part for part in (f"ssh-{kind}".encode(), b"none", b"my key", public, private)
    )
    mac = hmac.new(hashlib.sha1(b"putty-private-key-file-mac-key").digest(), signed, "sha1").hexdigest()
    assert (lines[-1], len(lines)) == (f"Private-MAC: {mac}", first + 2 + int(fields["Private-Lines"]))
    if kind == "ed25519":
        (seed,) = strings(private)
        key = ed25519.Ed25519PrivateKey.from_private_bytes(seed.ljust(32, b"\0"))
        assert key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) == strings(public)[1]
    else:
        _, e, n = (int.from_bytes(part, "big") for part in strings(public))
        d, p, q, inverse = (int.from_bytes(part, "big") for part in strings(private))
        assert (p * q, pow(pow(5, e, n), d, n), q * inverse % p) == (n, 5, 1)
