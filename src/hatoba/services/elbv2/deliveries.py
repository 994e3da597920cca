"""Load balancers' logs, from the nodes that made them into the buckets of their owners.

A file is put under the name that it was made with, so that it is there once, whoever was killed on the way. Who writes
is the service that AWS documents, which comes from no account: the bucket's policy decides. A node may bring what
belongs to load balancers that it carries or has carried, and chooses neither bucket nor prefix (decision 0034).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hatoba.aws.shapes import elbv2 as t
from hatoba.core import arn as arn_words
from hatoba.core.errors import AwsError, PortError
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.fleet.messages import LogFile
from hatoba.gateway import access
from hatoba.gateway.call import Platform, Principal
from hatoba.proxy.logfiles import Kind, placed
from hatoba.services.elbv2.model.balancer import LoadBalancer
from hatoba.services.elbv2.model.log_way import LogWay, Place, log_ways, way_of
from hatoba.services.elbv2.plan import attributes as keys
from hatoba.services.elbv2.plan import log_places
from hatoba.store import Tx

# --- the way, as part of what a node carries


def follow(tx: Tx, balancer: LoadBalancer, node: str) -> None:
    """Renews the way of its logs: with the places that it has now, and the node that carries it."""
    wanted = log_places.places(keys.of_balancer(balancer))
    key = log_ways.key(balancer.scope, balancer.id)
    before = tx.get(log_ways, key)
    if before is None and not wanted:
        return
    known = before or LogWay(key=key, places={})
    nodes = known.nodes if not node or node in known.nodes else (*known.nodes, node)
    after = replace(known, places={**known.places, **wanted}, nodes=nodes)
    if after != before:
        tx.put(log_ways, after)


def end(tx: Tx, balancer: LoadBalancer, now: float) -> None:
    way = tx.find(log_ways, balancer.scope, balancer.id)
    if way is not None and way.ended is None:
        tx.put(log_ways, replace(way, ended=now))


# --- what nodes bring


async def keep(platform: Platform, node: str, file: LogFile) -> None:
    """Durable in its bucket when it returns. Raises `AwsError` for what is not the node's to bring, `PortError` when it
    may work later: a bucket may be made, and its policy changed."""
    found = placed(file.name)
    way = way_of(platform.store, found[0]) if found is not None else None
    if found is None or way is None or node not in way.nodes:
        raise AwsError("It is of no load balancer that this node has carried", code="gone")
    stem, rest = found
    place = way.places.get(stem.kind)
    if place is None:
        raise AwsError(f"The load balancer has never had {stem.kind} logs", code="gone")
    if not _open(platform):
        raise PortError("unserved", "there is no S3 here that could let anybody write")
    try:
        await _put(platform, way.scope, way.id, place, rest, file.body)
    except AwsError as error:
        raise PortError(error.code, f"{place.bucket}: {error.message}") from error


# --- the check, before logs are switched on


async def check(platform: Platform, record: LoadBalancer, wanted: LoadBalancer, asked: Iterable[str]) -> None:
    """Writes the test file wherever one of the attributes `asked` has to do with it. Raises what AWS answers when that
    fails."""
    if not _open(platform):
        return
    named = tuple(asked)
    for kind, place in log_places.places(keys.of_balancer(wanted)).items():
        if any(each.startswith(f"{log_places.ATTRIBUTES[kind]}.") for each in named):
            await _check(platform, record, kind, place)


async def _check(platform: Platform, record: LoadBalancer, kind: Kind, place: Place) -> None:
    test = log_places.test_file(kind, record.key.account)
    try:
        await _put(platform, record.scope, record.id, place, test, b"")
    except AwsError as error:
        if error.code in ("PermanentRedirect", "AuthorizationHeaderMalformed"):
            raise t.InvalidConfigurationRequestException(
                f"S3Bucket: {place.bucket} is not located in the same region with ELB: {record.name}"
            ) from error
        if error.status >= 500:
            raise t.InvalidConfigurationRequestException("S3Bucket validation transient issue") from error
        raise t.InvalidConfigurationRequestException(
            f"Access Denied for bucket: {place.bucket}. Please check S3bucket permission"
        ) from error


# --- who writes


def _open(platform: Platform) -> bool:
    """Nobody may write where there are no policies of buckets. Then files stay with the nodes."""
    return platform.serves("s3", "PutBucketPolicy")


async def _put(platform: Platform, scope: Scope, id_: str, place: Place, rest: str, body: bytes) -> None:
    """`rest`: the key below the prefix. Raises `AwsError`, where several may write that of the first."""
    refused: AwsError | None = None
    for principal, source, more in _writers(scope, id_):
        s3 = platform.door(scope, "elbv2", principal, source=source).s3
        try:
            await s3.put_object(Bucket=place.bucket, Key=place.key(rest), Body=body, **more)
            return
        except AwsError as error:
            if error.code != "AccessDenied":
                raise
            refused = refused or error
    assert refused is not None
    raise refused


def _writers(scope: Scope, id_: str) -> Iterator[tuple[Principal, str, Mapping[str, Any]]]:
    """Each with the resource for which it asks."""
    if id_.startswith("net/"):
        source = arn_words.make(scope, "logs", f"delivery:{id_}")
        more = {"ACL": "bucket-owner-full-control"}  # the documented policies demand it
        yield access.service_itself(scope.partition, log_places.NETWORK), source, more
        return
    source = arn_words.make(scope, "elasticloadbalancing", f"loadbalancer/{id_}")
    yield access.service_itself(scope.partition, log_places.APPLICATION), source, {}
    older = log_places.ACCOUNTS.get(scope.region)
    if older is not None:
        yield access.root(scope.partition, older), "", {}
