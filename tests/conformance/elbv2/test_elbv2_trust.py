"""Certificates of clients: trust stores, their revocations, and what nodes are told of both."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from cryptography import x509 as crypto
from cryptography.hazmat.primitives import hashes, serialization

from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.proxy.base import Clients
from hatoba.services.acm import x509
from tests.conformance.elbv2.test_elbv2_api import ARN, refused
from tests.conformance.elbv2.test_elbv2_tls import certificate, secured
from tests.conformance.elbv2.world import World, world

NOW = 1_700_000_000.0
OURS, OTHERS = x509.authority("ours", NOW), x509.authority("others", NOW)


def revoked(*serials: int) -> str:
    issuer = crypto.load_pem_x509_certificate(OURS.leaf.encode())
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    made = crypto.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(now).next_update(now)
    for serial in serials:
        one = crypto.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
        made = made.add_revoked_certificate(one)
    key = serialization.load_pem_private_key(OURS.key.encode(), None)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()  # type: ignore[arg-type]


def bucket(objects: dict[str, str]) -> Service:
    """S3, as far as it matters here."""
    s3 = Service("s3")

    @s3.operation
    async def get_object(req: Any, call: Call) -> Any:
        assert req["Bucket"] == "pki"
        assert "ElasticLoadBalancing" not in call.principal.arn, "whoever asks must be allowed to read"
        if req["Key"] not in objects:
            raise AwsError("The specified key does not exist.", code="NoSuchKey", status=404)
        return {"Body": objects[req["Key"]].encode()}

    return s3


FILES = {
    "ours.pem": OURS.leaf,
    "both.pem": f"# two of them\n{OURS.leaf}\n{OTHERS.leaf}",
    "leaf.pem": x509.issue(OURS, ("a.example",), "EC_prime256v1", NOW, 3600.0).leaf,
    "crl.pem": revoked(1, 2, 3),
    "more.pem": revoked(4),
    "nonsense": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


async def store(w: World, key: str = "ours.pem", name: str = "clients", **params: Any) -> str:
    made = await w.elb.create_trust_store(
        Name=name, CaCertificatesBundleS3Bucket="pki", CaCertificatesBundleS3Key=key, **params
    )
    (shape,) = made["TrustStores"]
    arn: str = shape["TrustStoreArn"]
    return arn


def clients(w: World) -> Clients | None:
    tls = w.wanted().balancers[0].listeners[0].tls
    assert tls is not None
    return tls.clients


async def test_a_listener_verifies_by_a_trust_store_that_may_change(tmp_path: Path) -> None:
    async with world(tmp_path, further=(bucket(FILES),)) as w:
        trust = await store(w, Tags=[{"Key": "team", "Value": "blue"}])
        assert trust.startswith(f"{ARN}:truststore/clients/")
        asked = {"Mode": "verify", "TrustStoreArn": trust, "AdvertiseTrustStoreCaNames": "on"}
        arn = await certificate(w, "shop.example")
        balancer, listener, shape = await secured(w, Certificates=[{"CertificateArn": arn}], MutualAuthentication=asked)
        assert shape["MutualAuthentication"] == {
            **asked,
            "IgnoreClientCertificateExpiry": False,
            "TrustStoreAssociationStatus": "active",
        }
        assert clients(w) == Clients(authorities=OURS.leaf)
        users = await w.elb.describe_trust_store_associations(TrustStoreArn=trust)
        assert users["TrustStoreAssociations"] == [{"ResourceArn": balancer}]
        await refused("TrustStoreInUse", "in use", w.elb.delete_trust_store(TrustStoreArn=trust))
        added = await w.elb.add_trust_store_revocations(
            TrustStoreArn=trust,
            RevocationContents=[
                {"S3Bucket": "pki", "S3Key": key, "RevocationType": "CRL"} for key in ("crl.pem", "more.pem")
            ],
        )
        assert [(each["RevocationId"], each["NumberOfRevokedEntries"]) for each in added["TrustStoreRevocations"]] == [
            (1, 3),
            (2, 1),
        ]
        assert clients(w) == Clients(authorities=OURS.leaf, revocations=FILES["crl.pem"] + FILES["more.pem"])
        await w.elb.remove_trust_store_revocations(TrustStoreArn=trust, RevocationIds=[1])
        assert clients(w) == Clients(authorities=OURS.leaf, revocations=FILES["more.pem"])
        await w.elb.modify_trust_store(
            TrustStoreArn=trust, CaCertificatesBundleS3Bucket="pki", CaCertificatesBundleS3Key="both.pem"
        )
        (shown,) = (await w.elb.describe_trust_stores(Names=["clients"]))["TrustStores"]
        assert (shown["Status"], shown["NumberOfCaCertificates"], shown["TotalRevokedEntries"]) == ("ACTIVE", 2, 1)
        assert clients(w) == Clients(authorities=OURS.leaf + OTHERS.leaf, revocations=FILES["more.pem"])
        # What is not said stays.
        await w.elb.modify_listener(ListenerArn=listener, Port=8443)
        assert clients(w) is not None
        await w.elb.modify_listener(ListenerArn=listener, MutualAuthentication={"Mode": "passthrough"})
        assert clients(w) == Clients()
        await w.elb.delete_trust_store(TrustStoreArn=trust)
        assert (await w.elb.describe_trust_stores())["TrustStores"] == []
        await w.elb.modify_listener(ListenerArn=listener, MutualAuthentication={"Mode": "off"})
        assert clients(w) is None


async def test_what_trust_stores_and_listeners_refuse(tmp_path: Path) -> None:
    async with world(tmp_path, further=(bucket(FILES),)) as w:
        await refused("CaCertificatesBundleNotFound", "s3://pki/none.pem", store(w, "none.pem"))
        for key in ("leaf.pem", "nonsense", "crl.pem"):
            await refused("InvalidCaCertificatesBundle", "invalid format", store(w, key))
        trust = await store(w)
        await refused("DuplicateTrustStoreName", "already exists", store(w))

        def adds(key: str) -> Any:
            contents = [{"S3Bucket": "pki", "S3Key": key}]
            return w.elb.add_trust_store_revocations(TrustStoreArn=trust, RevocationContents=contents)

        await refused("RevocationContentNotFound", "does not exist", adds("none"))
        await refused("InvalidRevocationContent", "invalid format", adds("ours.pem"))
        await refused(
            "RevocationIdNotFound",
            "[7]",
            w.elb.describe_trust_store_revocations(TrustStoreArn=trust, RevocationIds=[7]),
        )
        assert (await w.elb.describe_trust_store_revocations(TrustStoreArn=trust))["TrustStoreRevocations"] == []
        gone = f"{ARN}:truststore/gone/0123456789abcdef"
        await refused("TrustStoreNotFound", gone, w.elb.describe_trust_stores(TrustStoreArns=[gone]))
        balancer, group = await w.balancer(), await w.group()
        arn = await certificate(w, "shop.example")
        for mutual, code, words in (
            ({"Mode": "sometimes"}, "ValidationError", "must be one of"),
            ({"Mode": "verify"}, "ValidationError", "TrustStoreArn must be specified"),
            ({"Mode": "verify", "TrustStoreArn": gone}, "TrustStoreNotFound", gone),
            ({"Mode": "passthrough", "TrustStoreArn": trust}, "ValidationError", "is 'verify'"),
            ({"IgnoreClientCertificateExpiry": True}, "ValidationError", "is 'verify'"),
        ):
            making = w.elb.create_listener(
                LoadBalancerArn=balancer,
                Port=443,
                Protocol="HTTPS",
                Certificates=[{"CertificateArn": arn}],
                MutualAuthentication=mutual,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
            )
            await refused(code, words, making)
        assert (await w.elb.describe_listeners(LoadBalancerArn=balancer))["Listeners"] == []


async def test_without_s3_a_bundle_cannot_be_read_and_it_is_said(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await refused("CaCertificatesBundleNotFound", "not", store(w))
