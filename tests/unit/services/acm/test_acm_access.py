"""What ACM's requests need to be allowed, as the service authorisation reference has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hatoba.services.acm.access import ACCESS
from hatoba.services.acm.model import Certificate, Facts, certificates
from tests.unit.services.asked import SCOPE, Asked

ARN = f"arn:aws:acm:{SCOPE.region}:{SCOPE.account}:certificate/c1"
TAGS = [{"Key": "team", "Value": "blue"}]
PEM = {"Certificate": b"c", "PrivateKey": b"k"}


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    asked = Asked("acm", ACCESS, certificates)
    facts = Facts(
        domain="a.example", names=("a.example", "b.example"), serial="00", subject="", issuer="", not_before=0.0,
        not_after=1.0, key_algorithm="RSA_2048", signature_algorithm="SHA256WITHRSA",
    )  # fmt: skip
    key = certificates.key(SCOPE, "c1")
    asked.put(certificates, Certificate(key=key, origin="IMPORTED", facts=facts, leaf="", chain="", created_at=0.0))
    yield asked
    asked.close()


@pytest.mark.parametrize(
    ("operation", "req", "needs"),
    [
        ("DescribeCertificate", {"CertificateArn": ARN}, ["DescribeCertificate certificate/c1"]),
        ("DeleteCertificate", {"CertificateArn": ARN}, ["DeleteCertificate certificate/c1"]),
        ("ListCertificates", {}, ["ListCertificates *"]),
        ("ImportCertificate", PEM, ["ImportCertificate certificate/*"]),
        ("ImportCertificate", {**PEM, "CertificateArn": ARN}, ["ImportCertificate certificate/c1"]),
        ("ImportCertificate", {**PEM, "Tags": TAGS},
         ["ImportCertificate certificate/*", "AddTagsToCertificate certificate/*"]),
        ("RequestCertificate", {"DomainName": "a.example"}, ["RequestCertificate *"]),
        ("RequestCertificate", {"DomainName": "a.example", "Tags": TAGS},
         ["RequestCertificate *", "AddTagsToCertificate certificate/*"]),
        ("ListTagsForResource", {"ResourceArn": ARN}, ["ListTagsForResource certificate/c1"]),
    ],
)  # fmt: skip
def test_resources(asked: Asked, operation: str, req: dict[str, Any], needs: list[str]) -> None:
    assert asked.said(operation, **req) == [f"acm:{need}" for need in needs]


def test_a_request_is_allowed_by_what_it_says_and_leaves_to_its_defaults(asked: Asked) -> None:
    assert asked.keys("RequestCertificate", DomainName="Shop.example", SubjectAlternativeNames=["*.shop.example"]) == {
        "acm:CertificateTransparencyLogging": "ENABLED",
        "acm:DomainNames": ["shop.example", "*.shop.example"],
        "acm:Export": "DISABLED",
        "acm:KeyAlgorithm": "RSA_2048",
        "acm:ValidationMethod": "EMAIL",
    }
    said = {"ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1", "Options": {"Export": "ENABLED"}}
    keys = asked.keys("RequestCertificate", DomainName="shop.example", **said, Tags=TAGS)
    assert (keys["acm:ValidationMethod"], keys["acm:KeyAlgorithm"], keys["acm:Export"]) == (
        "DNS",
        "EC_prime256v1",
        "ENABLED",
    )
    assert keys["aws:RequestTag/team"] == "blue"


def test_a_private_key_is_given_away_by_the_names_of_its_certificate(asked: Asked) -> None:
    found = asked.keys("ExportCertificate", CertificateArn=ARN, Passphrase=b"abcd")
    assert found == {"acm:DomainNames": ["a.example", "b.example"]}
    assert asked.keys("ExportCertificate", CertificateArn=f"{ARN}9", Passphrase=b"abcd") == {}
