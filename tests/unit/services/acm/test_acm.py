"""ACM: what is imported is checked, what is requested is issued, and what load balancers show follows both."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography import x509 as crypto
from cryptography.hazmat.primitives import serialization

from hatoba.aws.shapes import acm as t
from hatoba.core.clock import ManualClock
from hatoba.core.errors import AwsError
from hatoba.core.ids import SeededIds
from hatoba.core.keys import Scope
from hatoba.core.pages import Pager
from hatoba.core.secret import Sealer
from hatoba.fleet import model as fleet
from hatoba.gateway.access import EverythingPasses, KnownKeys
from hatoba.gateway.call import idempotent
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.tags import tags
from hatoba.reconcile import Runner
from hatoba.services.acm import TABLES, Renewals, acm, x509
from hatoba.services.acm.model import DAY, RENEW_BEFORE, VALID_FOR
from hatoba.store import Store
from hatoba.store.memory import MemoryDisk, MemoryJournal

HERE = Scope("aws", "123456789012", "us-east-1")
NOW = ManualClock().now()
ROOT = x509.authority("a test's authority", NOW)
OTHER = x509.authority("another one", NOW)
ISSUED = x509.issue(ROOT, ("shop.example", "*.shop.example"), "EC_prime256v1", NOW, 30 * DAY)
BROUGHT = {
    "Certificate": ISSUED.leaf.encode(),
    "PrivateKey": ISSUED.key.encode(),
    "CertificateChain": ROOT.leaf.encode(),
}


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = Store(MemoryJournal(MemoryDisk()), (*TABLES, *fleet.TABLES, idempotent, tags), Sealer(b"k" * 32))
        self.store.open()
        self.plane = ControlPlane(
            store=self.store,
            clock=self.clock,
            ids=SeededIds(3),
            pager=Pager(Sealer(b"k" * 32)),
            rooms=[acm],
            identities=KnownKeys(),
            authorizer=EverythingPasses(),
            strict=True,
        )
        self.renewals = Renewals(self.plane)

    @property
    def acm(self) -> Any:
        return self.plane.door(HERE, "test").acm

    async def described(self, arn: str) -> Any:
        return (await self.acm.describe_certificate(CertificateArn=arn))["Certificate"]

    def shown(self, arn: str) -> fleet.Certificate:
        found = self.store.find(fleet.certificates, HERE, arn.rpartition("/")[2])
        assert found is not None
        return found

    def show(self, arn: str) -> None:
        """A load balancer shows it."""
        with self.store.tx() as tx:
            key = fleet.balancers.key(HERE, "app/web/50dc6c495c0c9188")
            carried = fleet.Balancer(
                key=key, node="n", network="v", interfaces=(), certificates=(arn.rpartition("/")[2],)
            )
            tx.put(fleet.balancers, carried)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.store.durable()
    made.store.close()


# --- importing -------------------------------------------------------------------------------------------------------


async def test_what_is_imported_is_told_and_can_be_shown() -> None:
    async with world() as w:
        arn = (await w.acm.import_certificate(**BROUGHT, Tags=[{"Key": "team", "Value": "red"}]))["CertificateArn"]
        found = await w.described(arn)
        assert (found["Type"], found["Status"], found["DomainName"]) == ("IMPORTED", "ISSUED", "shop.example")
        assert found["SubjectAlternativeNames"] == ["shop.example", "*.shop.example"]
        assert (found["KeyAlgorithm"], found["Issuer"]) == ("EC_prime256v1", "Hatoba")
        assert found["SignatureAlgorithm"] == "SHA256withECDSA"
        assert "TLS_WEB_SERVER_AUTHENTICATION" in [usage["Name"] for usage in found["ExtendedKeyUsages"]]
        shown = w.shown(arn)
        assert shown.chain.count("BEGIN CERTIFICATE") == 2
        assert shown.private_key.reveal() == ISSUED.key
        assert ISSUED.key.splitlines()[1] not in repr(shown), "a key is never printed"
        told = await w.acm.get_certificate(CertificateArn=arn)
        assert told == {"Certificate": ISSUED.leaf, "CertificateChain": ROOT.leaf}
        assert (await w.acm.list_tags_for_certificate(CertificateArn=arn))["Tags"] == [{"Key": "team", "Value": "red"}]


MISMATCHED = x509.issue(ROOT, ("a.example",), "EC_prime256v1", NOW, DAY)
EXPIRED = x509.issue(ROOT, ("a.example",), "EC_prime256v1", NOW - 10 * DAY, DAY)
FUTURE = x509.issue(ROOT, ("a.example",), "EC_prime256v1", NOW + 10 * DAY, DAY)
LOCKED = x509.encrypted(ISSUED.key, b"secret")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"Certificate": b"nonsense"}, "certificate is not in a valid PEM format"),
        ({"Certificate": "umlaut ä".encode()}, "must be in PEM format"),
        ({"Certificate": (ISSUED.leaf + ROOT.leaf).encode()}, "more than one certificate"),
        ({"PrivateKey": b"nonsense"}, "private key is not in a valid PEM format"),
        ({"PrivateKey": LOCKED.encode()}, "private key is encrypted"),
        ({"PrivateKey": MISMATCHED.key.encode()}, "does not match the private key"),
        ({"Certificate": EXPIRED.leaf.encode(), "PrivateKey": EXPIRED.key.encode()}, "is expired"),
        ({"Certificate": FUTURE.leaf.encode(), "PrivateKey": FUTURE.key.encode()}, "not valid yet"),
        ({"CertificateChain": OTHER.leaf.encode()}, "chain does not belong"),
        ({"CertificateChain": b"-----BEGIN"}, "chain is not in a valid PEM format"),
    ],
)
async def test_what_cannot_be_served_is_refused_and_changes_nothing(changed: dict[str, bytes], why: str) -> None:
    async with world() as w:
        with pytest.raises(t.ValidationException, match=why):
            await w.acm.import_certificate(**{**BROUGHT, **changed})
        assert (await w.acm.list_certificates())["CertificateSummaryList"] == []
        assert w.store.all(fleet.certificates) == []


async def test_an_import_in_the_place_of_another_shows_the_new_one_under_the_same_arn() -> None:
    async with world() as w:
        arn = (await w.acm.import_certificate(**BROUGHT))["CertificateArn"]
        newer = x509.issue(ROOT, ("shop.example",), "EC_secp384r1", NOW, 60 * DAY)
        w.clock.advance(60)
        again = await w.acm.import_certificate(
            CertificateArn=arn,
            Certificate=newer.leaf.encode(),
            PrivateKey=newer.key.encode(),
            CertificateChain=ROOT.leaf.encode(),
        )
        assert again == {"CertificateArn": arn}
        found = await w.described(arn)
        assert found["KeyAlgorithm"] == "EC_secp384r1"
        assert found["ImportedAt"] == found["CreatedAt"] + 60
        assert w.shown(arn).private_key.reveal() == newer.key
        with pytest.raises(t.InvalidParameterException, match="not permitted on re-import"):
            await w.acm.import_certificate(CertificateArn=arn, **BROUGHT, Tags=[{"Key": "a"}])


# --- requesting ------------------------------------------------------------------------------------------------------


async def test_what_is_requested_is_issued_by_the_accounts_own_authority() -> None:
    async with world() as w:
        asked: dict[str, Any] = {
            "DomainName": "Shop.Example",
            "SubjectAlternativeNames": ["www.shop.example", "shop.example"],
            "KeyAlgorithm": "EC_prime256v1",
            "ValidationMethod": "DNS",
            "IdempotencyToken": "once",
        }
        arn = (await w.acm.request_certificate(**asked))["CertificateArn"]
        assert (await w.acm.request_certificate(**asked))["CertificateArn"] == arn
        found = await w.described(arn)
        assert (found["Type"], found["Status"]) == ("AMAZON_ISSUED", "ISSUED")
        assert found["SubjectAlternativeNames"] == ["shop.example", "www.shop.example"]
        assert {one["ValidationStatus"] for one in found["DomainValidationOptions"]} == {"SUCCESS"}
        told = await w.acm.get_certificate(CertificateArn=arn)
        leaf, root = (crypto.load_pem_x509_certificate(told[m].encode()) for m in ("Certificate", "CertificateChain"))
        leaf.verify_directly_issued_by(root)
        assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == datetime.timedelta(seconds=VALID_FOR + 3600)
        second = (await w.acm.request_certificate(DomainName="b.example"))["CertificateArn"]
        again = await w.acm.get_certificate(CertificateArn=second)
        assert again["CertificateChain"] == told["CertificateChain"], "one authority for the account"
        with pytest.raises(t.InvalidParameterException, match="idempotency token"):
            await w.acm.request_certificate(**{**asked, "DomainName": "other.example"})


@pytest.mark.parametrize(
    ("asked", "error", "why"),
    [
        ({"DomainName": "no spaces.example"}, AwsError, "domainName"),
        ({"DomainName": "a..example"}, AwsError, "domainName"),
        ({"DomainName": "*.*.example"}, AwsError, "domainName"),
        ({"DomainName": f"{'a' * 64}.example"}, AwsError, "domainName"),
        (
            {"DomainName": "a.example", "SubjectAlternativeNames": [f"n{n}.example" for n in range(10)]},
            t.LimitExceededException,
            "at most 10",
        ),
        ({"DomainName": "a.example", "KeyAlgorithm": "RSA_4096"}, t.InvalidParameterException, "only imported"),
        (
            {
                "DomainName": "a.example",
                "CertificateAuthorityArn": "arn:aws:acm-pca:us-east-1:1:certificate-authority/1",
            },
            t.InvalidParameterException,
            "not implemented yet",
        ),
    ],
)
async def test_requests_that_are_refused(asked: dict[str, Any], error: type[Exception], why: str) -> None:
    async with world() as w:
        with pytest.raises(error, match=why):
            await w.acm.request_certificate(**asked)


async def test_only_what_was_asked_to_be_exportable_leaves_and_only_under_a_passphrase() -> None:
    async with world() as w:
        kept = (await w.acm.request_certificate(DomainName="a.example", KeyAlgorithm="EC_prime256v1"))["CertificateArn"]
        with pytest.raises(t.ValidationException, match="cannot be exported"):
            await w.acm.export_certificate(CertificateArn=kept, Passphrase=b"secret")
        arn = (
            await w.acm.request_certificate(
                DomainName="a.example", KeyAlgorithm="EC_prime256v1", Options={"Export": "ENABLED"}
            )
        )["CertificateArn"]
        out = await w.acm.export_certificate(CertificateArn=arn, Passphrase=b"secret")
        key = serialization.load_pem_private_key(out["PrivateKey"].encode(), b"secret")
        leaf = crypto.load_pem_x509_certificate(out["Certificate"].encode())
        assert key.public_key() == leaf.public_key()
        with pytest.raises(t.ValidationException, match="greater than or equal to 4"):
            await w.acm.export_certificate(CertificateArn=arn, Passphrase=b"abc")


# --- in use ----------------------------------------------------------------------------------------------------------


async def test_a_certificate_that_is_shown_cannot_be_deleted() -> None:
    async with world() as w:
        arn = (await w.acm.import_certificate(**BROUGHT))["CertificateArn"]
        w.show(arn)
        assert (await w.described(arn))["InUseBy"] == [
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188"
        ]
        with pytest.raises(t.ResourceInUseException):
            await w.acm.delete_certificate(CertificateArn=arn)
        with w.store.tx() as tx:
            tx.forget(fleet.balancers, fleet.balancers.key(HERE, "app/web/50dc6c495c0c9188"))
        await w.acm.delete_certificate(CertificateArn=arn)
        assert w.store.all(fleet.certificates) == []
        with pytest.raises(t.ResourceNotFoundException):
            await w.described(arn)


async def test_what_is_shown_is_renewed_in_time_and_what_nobody_shows_is_not() -> None:
    async with world() as w:
        runner = Runner(w.store, w.clock, [w.renewals], period=None)
        shown = (await w.acm.request_certificate(DomainName="a.example", KeyAlgorithm="EC_prime256v1"))[
            "CertificateArn"
        ]
        idle = (await w.acm.request_certificate(DomainName="b.example", KeyAlgorithm="EC_prime256v1"))["CertificateArn"]
        w.show(shown)
        before = {arn: await w.described(arn) for arn in (shown, idle)}
        key = w.shown(shown).key
        own = key._replace(type="acm.certificates")
        due = await w.renewals.reconcile(own)
        assert due == before[shown]["NotAfter"] - RENEW_BEFORE
        assert await w.renewals.reconcile(own._replace(id=idle.rpartition("/")[2])) is None
        w.clock.advance(VALID_FOR - RENEW_BEFORE + 1)
        old_key = w.shown(shown).private_key.reveal()
        assert await w.renewals.reconcile(own) is None
        after = await w.described(shown)
        assert after["Serial"] != before[shown]["Serial"]
        assert after["NotAfter"] > before[shown]["NotAfter"]
        assert after["RenewalSummary"]["RenewalStatus"] == "SUCCESS"
        assert w.shown(shown).private_key.reveal() != old_key
        assert (await w.described(idle))["Serial"] == before[idle]["Serial"]
        await runner.close()


async def test_an_expired_certificate_says_so() -> None:
    async with world() as w:
        arn = (await w.acm.import_certificate(**BROUGHT))["CertificateArn"]
        w.clock.advance(31 * DAY)
        assert (await w.described(arn))["Status"] == "EXPIRED"
        listed = await w.acm.list_certificates(CertificateStatuses=["ISSUED"])
        assert listed["CertificateSummaryList"] == []


# --- finding ---------------------------------------------------------------------------------------------------------


async def test_lists_page_and_filter() -> None:
    async with world() as w:
        arns = set()
        for number in range(5):
            made = x509.issue(ROOT, (f"n{number}.example",), "EC_prime256v1", NOW, DAY)
            brought = {"Certificate": made.leaf.encode(), "PrivateKey": made.key.encode()}
            arns.add((await w.acm.import_certificate(**brought))["CertificateArn"])
        first = await w.acm.list_certificates(MaxItems=3)
        rest = await w.acm.list_certificates(MaxItems=3, NextToken=first["NextToken"])
        assert "NextToken" not in rest
        pages = [*first["CertificateSummaryList"], *rest["CertificateSummaryList"]]
        assert {one["CertificateArn"] for one in pages} == arns
        filtered = await w.acm.list_certificates(Includes={"keyTypes": ["RSA_2048"]})
        assert filtered["CertificateSummaryList"] == []


@pytest.mark.parametrize(
    ("arn", "error"),
    [
        ("nonsense-that-is-long-enough", t.ValidationException),
        ("arn:aws:iam::123456789012:role/x", t.ValidationException),
        ("arn:aws:acm:us-east-1:123456789012:certificate/none", t.ResourceNotFoundException),
        ("arn:aws:acm:eu-west-1:123456789012:certificate/none", t.ResourceNotFoundException),
    ],
)
async def test_what_is_not_there_is_not_found(arn: str, error: type[Exception]) -> None:
    async with world() as w:
        with pytest.raises(error):
            await w.acm.get_certificate(CertificateArn=arn)


async def test_another_accounts_certificate_is_out_of_reach() -> None:
    async with world() as w:
        arn = (await w.acm.import_certificate(**BROUGHT))["CertificateArn"]
        other = w.plane.door(Scope("aws", "999999999999", "us-east-1"), "test").acm
        with pytest.raises(t.ResourceNotFoundException):
            await other.get_certificate(CertificateArn=arn)


async def test_tags_of_both_generations() -> None:
    async with world() as w:
        arn = (await w.acm.import_certificate(**BROUGHT))["CertificateArn"]
        await w.acm.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        await w.acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "c", "Value": "3"}])
        await w.acm.remove_tags_from_certificate(
            CertificateArn=arn, Tags=[{"Key": "a", "Value": "other"}, {"Key": "b", "Value": "2"}]
        )
        await w.acm.untag_resource(ResourceArn=arn, TagKeys=["c"])
        assert (await w.acm.list_tags_for_resource(ResourceArn=arn))["Tags"] == [{"Key": "a", "Value": "1"}]
        with pytest.raises(t.ValidationException, match="reserved"):
            await w.acm.tag_resource(ResourceArn=arn, Tags=[{"Key": "aws:a", "Value": "1"}])
