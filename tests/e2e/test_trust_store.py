"""Clients that show certificates: a trust store of a user's own, from a bucket to curl, and a certificate revoked."""

from __future__ import annotations

import datetime
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from cryptography import x509 as crypto
from cryptography.hazmat.primitives import hashes, serialization

from hatoba.services.acm import x509
from tools.instance import Instance, eventually

pytestmark = pytest.mark.real

NOW = time.time()
OURS, OTHERS = x509.authority("ours", NOW), x509.authority("others", NOW)
BUCKET = "client-authorities"


def client(folder: Path, name: str, authority: x509.Issued) -> Path:
    issued = x509.issue(authority, (f"{name}.example",), "EC_prime256v1", NOW, 86_400.0)
    file = folder / f"{name}.pem"
    file.write_text(issued.leaf + authority.leaf + issued.key)
    return file


def revoked(file: Path) -> bytes:
    issuer = crypto.load_pem_x509_certificate(OURS.leaf.encode())
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    serial = crypto.load_pem_x509_certificates(file.read_bytes())[0].serial_number
    one = crypto.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
    made = crypto.CertificateRevocationListBuilder().issuer_name(issuer.subject).last_update(now)
    made = made.next_update(now + datetime.timedelta(days=1)).add_revoked_certificate(one)
    key = serialization.load_pem_private_key(OURS.key.encode(), None)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


def test_who_a_trust_store_trusts_gets_in(hatoba: Instance, tmp_path: Path) -> None:
    s3, elb, acm = hatoba.client("s3"), hatoba.client("elbv2"), hatoba.client("acm")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="ours.pem", Body=OURS.leaf.encode())
    s3.put_object(Bucket=BUCKET, Key="others.pem", Body=OTHERS.leaf.encode())
    where = {"CaCertificatesBundleS3Bucket": BUCKET}
    with pytest.raises(ClientError, match="CaCertificatesBundleNotFound"):
        elb.create_trust_store(Name="clients", CaCertificatesBundleS3Key="missing.pem", **where)
    trust = elb.create_trust_store(Name="clients", CaCertificatesBundleS3Key="ours.pem", **where)["TrustStores"][0]
    store = trust["TrustStoreArn"]
    assert (trust["Status"], trust["NumberOfCaCertificates"]) == ("ACTIVE", 1)

    shown = acm.request_certificate(DomainName="inner.example", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
    (tmp_path / "root.pem").write_text(acm.get_certificate(CertificateArn=shown)["CertificateChain"])
    made = elb.create_load_balancer(Name="inner", Subnets=hatoba.subnets()[:2], SecurityGroups=[hatoba.allow(443)])
    balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
    fixed = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "come in"}
    elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": shown}],
        MutualAuthentication={"Mode": "verify", "TrustStoreArn": store},
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": fixed}],
    )
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[balancer], WaiterConfig={"Delay": 1})
    address = hatoba.interfaces(balancer)[0]["Association"]["PublicIp"]

    def enters(certificate: Path | None) -> bool:
        words = ["curl", "-sS", "-m", "20", "--cacert", str(tmp_path / "root.pem")]
        words += ["--resolve", f"inner.example:443:{address}", "https://inner.example/"]
        words += ["--cert", str(certificate)] if certificate is not None else []
        return subprocess.run(words, capture_output=True, timeout=60, check=False).stdout == b"come in"

    alice, bob, mallory = client(tmp_path, "alice", OURS), client(tmp_path, "bob", OURS), client(tmp_path, "m", OTHERS)
    assert eventually(lambda: enters(alice))
    assert [enters(each) for each in (bob, None, mallory)] == [True, False, False]

    s3.put_object(Bucket=BUCKET, Key="revoked.pem", Body=revoked(alice))
    contents = [{"S3Bucket": BUCKET, "S3Key": "revoked.pem", "RevocationType": "CRL"}]
    (added,) = elb.add_trust_store_revocations(TrustStoreArn=store, RevocationContents=contents)[
        "TrustStoreRevocations"
    ]
    assert added["NumberOfRevokedEntries"] == 1
    assert eventually(lambda: not enters(alice))
    assert enters(bob)
    elb.remove_trust_store_revocations(TrustStoreArn=store, RevocationIds=[added["RevocationId"]])
    assert eventually(lambda: enters(alice))

    elb.modify_trust_store(TrustStoreArn=store, CaCertificatesBundleS3Key="others.pem", **where)
    assert eventually(lambda: enters(mallory))
    eventually(lambda: not enters(bob))
    told = elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=store)["Location"]
    with urllib.request.urlopen(told, timeout=20) as answer:
        assert answer.read().decode() == OTHERS.leaf

    elb.delete_load_balancer(LoadBalancerArn=balancer)
    elb.delete_trust_store(TrustStoreArn=store)
    for key in ("ours.pem", "others.pem", "revoked.pem"):
        s3.delete_object(Bucket=BUCKET, Key=key)
    s3.delete_bucket(Bucket=BUCKET)
