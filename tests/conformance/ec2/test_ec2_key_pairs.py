"""Key pairs: made, imported, found, deleted; the private half is told once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import refused

ED25519 = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKfuUeGSgsoXsXy4/FrSbnBdUPN6FGGjc7ogQ4absaWJ me@home"


def shown(ec2: Any, **how: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ec2.describe_key_pairs(**how)["KeyPairs"]
    return found


def test_made_and_found_and_gone(ec2: Any) -> None:
    spec = [{"ResourceType": "key-pair", "Tags": [{"Key": "team", "Value": "blue"}]}]
    made = ec2.create_key_pair(KeyName="web", TagSpecifications=spec)
    assert made["KeyMaterial"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert (made["KeyName"], made["Tags"]) == ("web", [{"Key": "team", "Value": "blue"}])
    (found,) = shown(ec2)
    assert "PublicKey" not in found
    assert {name: found[name] for name in ("KeyName", "KeyPairId", "KeyType", "KeyFingerprint")} == {
        "KeyName": "web",
        "KeyPairId": made["KeyPairId"],
        "KeyType": "rsa",
        "KeyFingerprint": made["KeyFingerprint"],
    }
    assert shown(ec2, IncludePublicKey=True)[0]["PublicKey"].startswith("ssh-rsa AAAA")
    assert shown(ec2, IncludePublicKey=True)[0]["PublicKey"].endswith(" web")
    assert ec2.delete_key_pair(KeyName="web")["KeyPairId"] == made["KeyPairId"]
    refused("InvalidKeyPair.NotFound", ec2.describe_key_pairs, KeyNames=["web"])
    assert ec2.delete_key_pair(KeyName="web")["Return"], "as gone as it can be"
    assert ec2.describe_tags(Filters=by("resource-id", made["KeyPairId"]))["Tags"] == []


def test_a_private_key_is_nowhere(platform: Platform, ec2: Any) -> None:
    material = ec2.create_key_pair(KeyName="secret", KeyType="ed25519")["KeyMaterial"]
    line = material.splitlines()[2].encode()
    kept = [path.read_bytes() for path in platform.folder.rglob("*") if path.is_file()]
    assert kept
    assert not any(line in data for data in kept)
    assert line.decode() not in str(platform.trail.__dict__)


def test_imported(ec2: Any) -> None:
    made = ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=ED25519)
    assert made["KeyFingerprint"] == "wRkxO1N+4BXhSFzuoyIsrQ0rcpMOrqF0pLwpO1m57aQ="
    (found,) = shown(ec2, KeyPairIds=[made["KeyPairId"]], IncludePublicKey=True)
    assert (found["KeyType"], found["PublicKey"]) == ("ed25519", f"{ED25519.decode().removesuffix(' me@home')} mine")
    for wanted in (
        by("key-name", "mi*"),
        by("key-pair-id", made["KeyPairId"]),
        by("fingerprint", made["KeyFingerprint"]),
    ):
        assert [each["KeyName"] for each in shown(ec2, Filters=wanted)] == ["mine"]
    assert ec2.delete_key_pair(KeyPairId=made["KeyPairId"])["Return"]
    assert shown(ec2) == []


def test_what_cannot_be(ec2: Any) -> None:
    ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=ED25519)
    before = shown(ec2)
    refused("InvalidKeyPair.Duplicate", ec2.import_key_pair, KeyName="mine", PublicKeyMaterial=ED25519)
    refused("InvalidKeyPair.Duplicate", ec2.create_key_pair, KeyName="mine")
    refused("InvalidKey.Format", ec2.import_key_pair, KeyName="other", PublicKeyMaterial=b"nothing")
    refused("InvalidParameterValue", ec2.create_key_pair, KeyName=" spaces ")
    refused("InvalidParameterValue", ec2.create_key_pair, KeyName="x" * 256)
    refused("InvalidParameterValue", ec2.create_key_pair, KeyName="schlüssel")
    wrong = [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]
    refused("InvalidParameterValue", ec2.create_key_pair, KeyName="x", KeyType="ed25519", TagSpecifications=wrong)
    refused("InvalidKeyPair.NotFound", ec2.describe_key_pairs, KeyPairIds=["key-0123456789abcdef0"])
    refused("MissingParameter", ec2.delete_key_pair)
    other = ec2.import_key_pair(KeyName="other", PublicKeyMaterial=ED25519)["KeyPairId"]
    refused("InvalidParameterCombination", ec2.delete_key_pair, KeyName="mine", KeyPairId=other)
    ec2.delete_key_pair(KeyName="other", KeyPairId=other)
    assert shown(ec2) == before


@pytest.mark.parametrize("kind", ["KeyType", "KeyFormat"])
def test_kinds_that_there_are_not(ec2: Any, kind: str) -> None:
    refused("InvalidParameterValue", ec2.create_key_pair, KeyName="x", **{kind: "dsa"})
    assert shown(ec2) == []
