"""Requests that somebody forged, kept, changed or stretched. Each is refused; without the check, each gets in.

An attack returns True when it got what it wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest
import urllib3

from hatoba.aws import sigv4
from hatoba.aws.sigv4 import canonical
from hatoba.aws.wire import WireRequest
from hatoba.core.clock import SystemClock
from tests.conformance.gateway.world import EXPIRED, ROLE, ROOT, World, world
from tests.conformance.threats.disarm import without

CREATE = "AmazonEC2ContainerServiceV20141113.CreateCluster"
LIST = "AmazonEC2ContainerServiceV20141113.ListClusters"
VERIFY = "hatoba.aws.sigv4.verify:verify"


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("threats")) as running:
        yield running


class Wire:
    """A request as it goes over the wire, signed; whoever sits there may change it."""

    def __init__(
        self,
        world: World,
        *,
        key: tuple[str, ...] = ROOT,
        region: str = "us-east-1",
        service: str = "ecs",
        target: str = LIST,
        body: bytes = b"{}",
        late: float = 0.0,
        presigned: int = 0,
        path: str = "/",
        method: str = "POST",
        unsigned: tuple[str, ...] = (),
        more: dict[str, str] | None = None,
    ) -> None:
        headers = {"host": f"localhost:{world.port}", "content-type": "application/x-amz-json-1.1"}
        headers |= {"x-amz-target": target} | (more or {})
        left_out = {name: headers.pop(name) for name in unsigned}
        secret = sigv4.Credential(access_key_id=key[0], secret=key[1], token=key[2] if len(key) > 2 else None)
        now = SystemClock().now() + late
        request = WireRequest(method=method, path=path, headers=headers, body=body)
        self.world, self.method, self.path, self.body, self.query = world, method, path, body, ""
        self.headers = headers
        if presigned:
            self.query = sigv4.presign(request, secret, region, service, now, expires=presigned)
        else:
            self.headers = dict(sigv4.sign(request, secret, region, service, now))
        self.headers |= left_out

    def send(self) -> urllib3.BaseHTTPResponse:
        url = f"{self.world.url}{self.path}" + (f"?{self.query}" if self.query else "")
        return urllib3.PoolManager().request(self.method, url, headers=self.headers, body=self.body, retries=False)

    def gets_in(self) -> bool:
        return self.send().status == 200

    def change(self, old: str, new: str) -> Wire:
        """In the header or the query that says who signed what."""
        where = self.query or self.headers["authorization"]
        assert old in where
        where = where.replace(old, new)
        if self.query:
            self.query = where
        else:
            self.headers["authorization"] = where
        return self


def forged(w: World) -> bool:
    """Signed with a secret that somebody made up."""
    return Wire(w, key=(ROOT[0], "made-up")).gets_in()


def truncated(w: World) -> bool:
    """Half of a signature."""
    wire = Wire(w)
    wire.headers["authorization"] = wire.headers["authorization"][:-32]
    return wire.gets_in()


def replayed(w: World) -> bool:
    """A true request, heard twenty minutes ago."""
    return Wire(w, late=-20 * 60).gets_in()


def from_the_future(w: World) -> bool:
    """Kept for later: signed with a clock that somebody put forward."""
    return Wire(w, late=20 * 60).gets_in()


def presigned_long_ago(w: World) -> bool:
    return Wire(w, presigned=60, late=-120).gets_in()


def presigned_and_extended(w: World) -> bool:
    """Its life made longer after it was signed."""
    return Wire(w, presigned=60, late=-120).change("X-Amz-Expires=60", "X-Amz-Expires=600").gets_in()


def presigned_for_a_month(w: World) -> bool:
    return Wire(w, presigned=30 * 24 * 3600).gets_in()


def of_a_session_that_has_ended(w: World) -> bool:
    return Wire(w, key=EXPIRED).gets_in()


def without_its_sessions_token(w: World) -> bool:
    """Who steals key and secret of a role, but not the token."""
    return Wire(w, key=ROLE[:2]).gets_in()


def made(w: World, name: str, wire: Wire) -> bool:
    """Whether the request made (another) one of that name."""
    before = w.stored(name)
    wire.send()
    return w.stored(name) > before


def with_another_body(w: World) -> bool:
    """What was signed to make one cluster makes another."""
    wire = Wire(w, target=CREATE, body=b'{"clusterName": "mine"}')
    wire.body = b'{"clusterName": "yours"}'
    return made(w, "yours", wire)


def with_another_body_than_its_hash(w: World) -> bool:
    """The hash that was signed goes along, and does not fit."""
    body = b'{"clusterName": "mine"}'
    wire = Wire(w, target=CREATE, body=body, more={"x-amz-content-sha256": sha256(body).hexdigest()})
    wire.body = b'{"clusterName": "swapped"}'
    return made(w, "swapped", wire)


def for_another_region(w: World) -> bool:
    """Signed for one region, sent to another."""
    return Wire(w, region="eu-west-1").change("/eu-west-1/", "/us-east-1/").gets_in()


def to_another_region_by_a_second_credential(w: World) -> bool:
    """What was signed for one region goes to another: whoever listens puts another scope before the true one."""
    wire = Wire(w)
    true = wire.headers["authorization"].partition("Credential=")[2].partition(",")[0]
    return wire.change("Credential=", f"Credential={true.replace('us-east-1', 'eu-west-1')}, Credential=").gets_in()


def to_another_region_by_another_field(w: World) -> bool:
    """Likewise, in a field that only looks like it."""
    wire = Wire(w)
    true = wire.headers["authorization"].partition("Credential=")[2].partition(",")[0]
    return wire.change(" Credential=", f" NoCredential={true.replace('us-east-1', 'eu-west-1')}, Credential=").gets_in()


def for_another_service(w: World) -> bool:
    """A signature for a name that is none of AWS's, on a request to ECS."""
    return Wire(w, service="anything").gets_in()


def of_a_derived_key_of_another_day(w: World) -> bool:
    """Derived keys are good for a day: one that leaked long ago signs a request of now."""
    wire = Wire(w)
    headers, scope = wire.headers, "20200101/us-east-1/ecs/aws4_request"
    names = ";".join(sorted(name for name in headers if name != "authorization"))
    text = canonical.canonical_request("POST", "/", "", headers, names, sha256(wire.body).hexdigest())
    key = canonical.signing_key(ROOT[1], "20200101", "us-east-1", "ecs")
    signature = canonical.signature(key, canonical.string_to_sign(headers["x-amz-date"], scope, text))
    wire.headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={ROOT[0]}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return wire.gets_in()


def with_another_operation(w: World) -> bool:
    """A header that says which operation, outside of what was signed: whoever listens may choose another one."""
    wire = Wire(w, body=b'{"clusterName": "chosen"}', unsigned=("x-amz-target",))
    wire.headers["x-amz-target"] = CREATE
    return made(w, "chosen", wire)


def by_a_host_that_was_not_signed(w: World) -> bool:
    """A request that was signed for no host in particular, sent to us."""
    return Wire(w, unsigned=("host",)).gets_in()


def unsigned(w: World) -> bool:
    wire = Wire(w)
    del wire.headers["authorization"]
    return wire.gets_in()


Attack = Callable[[World], bool]
COMPARED = (VERIFY, "if not hmac.compare_digest(expected.encode(), canonical.encoded(claim.signature)):", "if False:")
TWICE = (VERIFY, "if signing_scope(request) != (claim.access_key_id, claim.region, claim.service):", "if False:")
TIME = "hatoba.aws.sigv4.verify:_check_time"

THREATS: list[tuple[Attack, tuple[str, str, str]]] = [
    (forged, COMPARED),
    (truncated, COMPARED),
    (for_another_region, COMPARED),
    (to_another_region_by_a_second_credential, TWICE),
    (to_another_region_by_another_field, TWICE),
    (replayed, (TIME, "elif time < now - SKEW:", "elif False:")),
    (from_the_future, (TIME, "if time > now + SKEW:", "if False:")),
    (presigned_long_ago, (TIME, "if time + claim.expires < now:", "if False:")),
    (presigned_and_extended, COMPARED),
    (presigned_for_a_month, ("hatoba.aws.sigv4.verify:_query_claim", "and int(expires) <= _LONGEST", "")),
    (of_a_session_that_has_ended, (VERIFY, "credential.expires <= now", "False")),
    (without_its_sessions_token, (VERIFY, "if (claim.token or None) != credential.token:", "if False:")),
    (with_another_body, COMPARED),
    (with_another_body_than_its_hash, (VERIFY, "_check_payload(request, payload, claim.service, words)", "pass")),
    (
        for_another_service,
        ("hatoba.gateway.path:Path._identify", "if verified.service != passing.model.signing_name:", "if False:"),
    ),
    (of_a_derived_key_of_another_day, (TIME, "if claim.date != claim.time[:8]:", "if False:")),
    (
        by_a_host_that_was_not_signed,
        ("hatoba.aws.sigv4.verify:_header_claim", '"host" not in (names', '"" in (names'),
    ),
    (with_another_operation, (VERIFY, "_check_signed(request, claim.signed, words)", "pass")),
    (
        unsigned,
        (
            "hatoba.gateway.path:Path._identify",
            "if route.access_key_id is None and self._may_be_nobodys(passing):",
            "if True:",
        ),
    ),
]


@pytest.mark.parametrize(("attack", "check"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
def test_refused_by_a_check_that_is_needed(signed: World, attack: Attack, check: tuple[str, str, str]) -> None:
    assert not attack(signed)
    with without(*check):
        assert attack(signed), "it is not this check that refuses it"
    assert not attack(signed)


def test_the_requests_are_good_otherwise(signed: World) -> None:
    for given in ({}, {"key": ROLE}, {"presigned": 60}, {"region": "eu-west-1"}):
        assert Wire(signed, **given).gets_in()  # type: ignore[arg-type]
    assert Wire(signed, service="eks", method="GET", path="/clusters/mine", body=b"").gets_in()


def test_every_refusal_is_a_forbidden_one(signed: World) -> None:
    answers: list[Any] = [Wire(signed, key=(ROOT[0], "x")), Wire(signed, late=-1200), Wire(signed, key=EXPIRED)]
    assert {wire.send().status for wire in answers} <= {400, 403}
