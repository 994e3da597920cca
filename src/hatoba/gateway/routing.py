"""Which service a request means, and in which region: pure, from the request's head and, for forms, its `Version`.

What is asked, in this order, until one service is left:

    signature     the credential scope's signing name, in the header or a presigned query   …/us-east-1/ecs/aws4_request
    target        X-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters
    rpc path      /service/GraniteServiceVersion20100801/operation/PutMetricData
    host          api.ecr.eu-west-1.amazonaws.com, elbv2.localhost, data-servicediscovery.us-east-1.amazonaws.com
    version       Version=2015-12-01 of the query protocols: tells elbv2 from elb
    path          of services that share a signing name, the one with an operation there; rooms first
    user agent    `api/ecs` as the SDKs say it: a last hint

The operation's own name is the protocol's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from functools import lru_cache

import msgspec

from hatoba.aws import index, models, protocols
from hatoba.aws.sigv4 import signing_scope
from hatoba.aws.wire import WireRequest
from hatoba.core.errors import AwsError

Candidates = tuple[index.Service, ...]

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
_SUFFIXES = (".amazonaws.com.cn", ".amazonaws.com", ".api.aws", ".on.aws", ".localhost")
_PREFIX = re.compile(r"[a-z]+-")  # data-servicediscovery, stream-…, sync-…, streaming-logs
_RPC = re.compile(r"/service/([^/]+)/operation/[^/]+/?")
_AGENT = re.compile(r"\bapi/([A-Za-z0-9_.-]+)")
_QUERY = frozenset(("query", "ec2"))
_LONGEST_REGION = 32
_LONGEST = 255  # of what strangers say and is remembered: no name of a host, a target or a service is longer


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """`region` is None when the request says none; `access_key_id` is claimed, not verified."""

    service: str  # botocore's name
    region: str | None
    access_key_id: str | None


def partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def route(
    request: WireRequest, version: str | None = None, *, served: Container[str], stranger: Callable[[], bool]
) -> Route:
    """`version`: the form's `Version`, when the body is a form; `served`: the services that have rooms. For a
    `stranger`, which is asked where it matters, no other service's model is read. Raises `AwsError` for a service that
    is not known."""
    claim = signing_scope(request)
    access_key_id, region, signing_name = claim if claim is not None else (None, None, None)
    host = request.headers.get("host", "")
    if region is None:
        region = of_host(host)[1]
    elif not valid_region(region):
        raise AwsError(
            f"Credential should be scoped to a valid region, not '{region[:64]}'.",
            code="InvalidSignatureException",
            status=403,
        )
    target = request.headers.get("x-amz-target", "").rpartition(".")[0] or None
    rpc = _RPC.fullmatch(request.path) if request.path.startswith("/service/") else None
    said = (signing_name, target, rpc and rpc[1], version)
    service = _settled(*said) if all(len(each or "") <= _LONGEST for each in said) else None
    if service is None:
        candidates = _by_head(signing_name, target, rpc and rpc[1], host, version)
        service = _of_several(candidates, request, served, stranger)
    if service is None:
        service = _by_agent(request.headers.get("user-agent", ""))
    if service is None:
        raise _unknown(signing_name, target, host)
    return Route(service=service.name, region=region, access_key_id=access_key_id)


def valid_region(region: str) -> bool:
    return (len(region) <= _LONGEST_REGION and _REGION.fullmatch(region) is not None) or region == "aws-global"


@lru_cache(maxsize=4096)
def _settled(
    signing_name: str | None, target: str | None, rpc: str | None, version: str | None
) -> index.Service | None:
    """The service, when what is short and repeats in every request of a client suffices to tell."""
    if signing_name is None:
        return None
    candidates = _by_head(signing_name, target, rpc, "", version)
    return candidates[0] if len(candidates) == 1 else None


def _by_head(
    signing_name: str | None, target: str | None, rpc: str | None, host: str, version: str | None
) -> Candidates:
    """The services that fit everything that is said. What contradicts all of them is not believed."""
    found: Candidates = ()
    if signing_name is not None:
        found = index.by_signing_name(signing_name) or index.by_endpoint_prefix(signing_name)
    for named in (target, rpc):
        if named is not None:
            found = _narrow(found, index.by_target_prefix(named))
    if len(found) != 1 and host:
        found = _narrow(found, of_host(host)[0])
    if len(found) != 1 and version is not None:
        pool = found or index.services()
        found = _narrow(found, tuple(s for s in pool if s.api_version == version and _QUERY & set(s.protocols)))
    return found


def _narrow(found: Candidates, said: Candidates) -> Candidates:
    if not found:
        return said
    return tuple(service for service in found if service in said) or found


def _of_several(
    candidates: Candidates, request: WireRequest, served: Container[str], stranger: Callable[[], bool]
) -> index.Service | None:
    """Of those that have rooms, or else of all, the only one or the first with an operation at this path; else the one
    that gives them all its name."""
    rooms = [service for service in candidates if service.name in served]
    if len(rooms) == 1:
        return rooms[0]
    for service in rooms or (() if len(candidates) < 2 or stranger() else candidates):
        model = models.load(service.name)
        name = protocols.detect(model, request).operation_name(model, request)
        if name is not None and model.operation(name) is not None:
            return service
    return index.choose(candidates)


def _by_agent(agent: str) -> index.Service | None:
    said = _AGENT.search(agent)
    if said is None:
        return None
    wanted = said[1].replace("_", "-").lower()
    return index.by_name(wanted) or next(
        (service for service in index.services() if service.service_id.replace(" ", "-").lower() == wanted), None
    )


def of_host(host: str) -> tuple[Candidates, str | None]:
    """The services and the region that a host name tells, if any."""
    return _of_host(host) if len(host) <= _LONGEST else ((), None)


@lru_cache(maxsize=4096)
def _of_host(host: str) -> tuple[Candidates, str | None]:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    name = name.lower()
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), None)
    if suffix is None:
        return (), None
    labels = name[: -len(suffix)].split(".")
    region = next((label for label in labels if _REGION.fullmatch(label)), None)
    for size in (2, 1):  # `api.ecr` before `ecr`
        for start in range(len(labels) - size + 1):
            for lookup in _LOOKUPS:
                if found := lookup(".".join(labels[start : start + size])):
                    return found, region
    return (), region


def _named(label: str) -> Candidates:
    service = index.by_name(label)
    return () if service is None else (service,)


def _prefixed(label: str) -> Candidates:
    """Without what the SDKs put before a host: `data-servicediscovery`."""
    rest = _PREFIX.sub("", label, count=1)
    return () if rest == label else index.by_endpoint_prefix(rest) or _named(rest)


_LOOKUPS: tuple[Callable[[str], Candidates], ...] = (
    index.by_endpoint_prefix,
    _named,
    index.by_signing_name,
    _prefixed,
)


def _unknown(signing_name: str | None, target: str | None, host: str) -> AwsError:
    if signing_name is not None:
        said = f"is signed for the service '{signing_name[:64]}'"
    elif target is not None:
        said = f"has the target '{target[:64]}'"
    else:
        said = f"has no signature, no X-Amz-Target, and '{host[:128]}' names no service"
    return AwsError(
        f"Which AWS service this request is for cannot be told: it {said}.", code="UnknownServiceException", status=404
    )
