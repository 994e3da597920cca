"""The request path, as one visible list of steps: `Path._carry_out`.

    request id ─ route ─ body ─ signature ─ operation ─ parse ─┐
                                                               ├─ validate ─ authorise ─ handler ─ audit ─ durable
    answer ◀────────────────────────────────────────── render ─┘  (operations)

Whatever goes wrong is an `AwsError`, rendered as the request's protocol tells errors. What nobody foresaw is logged
with the request's id, counted, and answered as InternalFailure: the one place in the gateway that catches everything.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import cast

import msgspec
from msgspec.structs import replace

from hatoba.aws import models, protocols, sigv4
from hatoba.aws.models import Operation, ServiceModel
from hatoba.aws.protocols import WireProtocol, unknown_operation
from hatoba.aws.sigv4 import chunks
from hatoba.aws.wire import WireRequest, WireResponse
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway import access, routing
from hatoba.gateway.access import Identities
from hatoba.gateway.bodies import FORM, cut, form_field, too_large, unpacked, unsigned, whole
from hatoba.gateway.call import Call, Platform, Principal
from hatoba.gateway.http import BodyCut, BodyTooLarge, Request, Response
from hatoba.gateway.metrics import Metrics
from hatoba.gateway.operations import Bound, Operations
from hatoba.gateway.room import BODY_BYTES
from hatoba.gateway.unrouted import render_unrouted

log = logging.getLogger(__name__)

_HOST = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?")
_SIGNED = re.compile(r"(?i)(X-Amz-(Algorithm|Signature|Credential)|AWSAccessKeyId|Signature)=")
_REST = frozenset(("rest-json", "rest-xml"))  # the path names the operation, whose body may be a stream


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    auth: bool = True  # False: any key is root, and no signature is looked at
    account: str = "123456789012"
    region: str = "us-east-1"


class _Passing:
    """One request on its way, with what the steps have found out so far."""

    __slots__ = ("bound", "model", "name", "protocol", "request", "request_id", "route", "way", "wire")

    def __init__(self, request: Request, request_id: str) -> None:
        self.request = request
        self.request_id = request_id
        self.wire: WireRequest
        self.route: routing.Route
        self.model: ServiceModel
        self.protocol: WireProtocol | None = None
        self.name: str | None = None  # of the operation, as the client says it
        self.bound: Bound | None = None
        self.way = request.way


class Path:
    """Made once; called with every request that is for AWS."""

    def __init__(
        self, platform: Platform, operations: Operations, identities: Identities, metrics: Metrics, settings: Settings
    ) -> None:
        self._platform = platform
        self._operations = operations
        self._identities = identities
        self._metrics = metrics
        self._settings = settings

    async def __call__(self, request: Request) -> Response:
        began = self._platform.clock.monotonic()
        passing = _Passing(request, self._platform.ids.uuid())
        failure: AwsError | None = None
        try:
            response = await self._carry_out(passing)
        except AwsError as error:
            failure = error
        except BodyCut as error:
            failure = cut(error)
        except BodyTooLarge as error:
            failure = too_large(error)
        except Exception:  # the gateway must not die of a room's mistake
            log.exception("request %s failed: %s %s", passing.request_id, request.method, _said(passing))
            failure = AwsError(f"An internal error occurred; the log has it under {passing.request_id}.", status=500)
            if passing.bound is not None:
                passing.bound.metrics.failures += 1
        if failure is not None:
            response = self._refuse(passing, failure)
        code = "ok" if failure is None else failure.code
        if passing.bound is None:
            self._metrics.refuse(code)
        else:
            seconds = self._platform.clock.monotonic() - began
            passing.bound.metrics.observe("client", code, seconds)
            log.debug("%s %s %s %.1f ms", passing.request_id, _said(passing), code, 1000 * seconds)
        return response

    async def _carry_out(self, passing: _Passing) -> Response:
        await self._route(passing)
        self._find_way(passing)
        principal = self._identify(passing)
        bound = self._operation(passing)
        call = self._call(passing, bound, principal)
        assert passing.protocol is not None
        wire = passing.wire
        if not isinstance(wire.body, bytes) and not _takes_stream(bound.operation):
            wire = replace(wire, body=await whole(wire.body, BODY_BYTES))  # in chunks that were signed one by one
        params = passing.protocol.parse(bound.operation, unpacked(passing.protocol.addressed(wire)))
        result = await self._operations.perform(bound, params, call)
        return _answer(passing.protocol.render(bound.operation, result, passing.request_id), passing.request_id)

    # --- the steps

    async def _route(self, passing: _Passing) -> None:
        """Service, protocol and operation; and the body, read whole unless the operation takes a stream."""
        request = passing.request
        path, _, query = request.target.partition("?")
        head = WireRequest(method=request.method, path=path, query=query, headers=request.headers)
        if request.method == "POST" and request.headers.get("content-type", "").startswith(FORM):
            # Which of several services it is stands in the form.
            passing.wire = wire = replace(head, body=await request.body.read(BODY_BYTES))
            version = form_field(wire.whole_body(), b"Version")
        else:
            wire = head
            version = form_field(query.encode(), b"Version") if "Version=" in query else None
        served, stranger = self._operations.services, partial(self._stranger, head)
        route = passing.route = routing.route(head, version, served=served, stranger=stranger)
        if route.service not in served and stranger():
            raise AwsError(
                "The security token included in the request is invalid.", code="UnrecognizedClientException", status=403
            )
        model = passing.model = models.load(route.service)
        protocol = passing.protocol = protocols.detect(model, head)
        if wire is head:
            streams = protocol.name in _REST and self._streams(protocol, model, head)
            body = request.body if streams else await request.body.read(self._operations.body_bytes(model.name))
            passing.wire = replace(head, body=body)
        passing.name = protocol.operation_name(model, protocol.addressed(passing.wire))

    def _stranger(self, head: WireRequest) -> bool:
        """Whether the request does not even name a key that we know. Strangers cannot make us read the models of
        services that have no room, each of which costs memory for good."""
        if not self._settings.auth:
            return False
        claim = sigv4.signing_scope(head)
        return claim is None or self._identities.find(claim[0]) is None

    def _streams(self, protocol: WireProtocol, model: ServiceModel, head: WireRequest) -> bool:
        operation = model.operation(protocol.operation_name(model, protocol.addressed(head)) or "")
        return operation is not None and _takes_stream(operation)

    def _find_way(self, passing: _Passing) -> None:
        """By which endpoint it has come: that shows at a gate only now."""
        _check_way(passing)
        gate = passing.request.gate
        if gate is not None:
            passing.way = gate(passing.model.endpoint_prefix, self._region(passing.route))

    def _identify(self, passing: _Passing) -> Principal:
        """Who asks: by the signature, unless there is none and none is needed."""
        settings, route = self._settings, passing.route
        if not settings.auth:
            return self._believe(passing)
        assert passing.protocol is not None
        if route.access_key_id is None and self._may_be_nobodys(passing):
            passing.wire = unsigned(passing.wire)
            return access.anonymous(settings.account)
        verified = passing.protocol.verify(passing.wire, self._identities.find, self._platform.clock.now())
        if verified.service != passing.model.signing_name:
            raise passing.protocol.words.another_service(passing.model.signing_name)
        if not isinstance(passing.wire.body, bytes) or verified.payload.startswith("STREAMING-"):
            passing.wire = replace(passing.wire, body=chunks.content(passing.wire, verified))
        return cast(Principal, verified.credential.principal)

    def _believe(self, passing: _Passing) -> Principal:
        """Who asks, with `--auth off`: whose key it is, else the root of the account that the key names."""
        if access.foreign_page(passing.request.headers):
            raise AwsError(
                "A page of another site may not call a platform that asks nobody who they are.",
                code="AccessDenied",
                status=403,
            )
        passing.wire = unsigned(passing.wire)
        key = passing.route.access_key_id
        known = self._identities.find(key) if key is not None else None
        if known is not None:
            return cast(Principal, known.principal)
        return access.root(self._partition(passing.route), access.account_of(key, self._settings.account), key)

    def _may_be_nobodys(self, passing: _Passing) -> bool:
        """The operation is answered unsigned, or it is decided like any other whether anybody may do it: then nothing
        must be there that looks like a signature."""
        operation, request = passing.model.operation(passing.name or ""), passing.request
        if operation is not None and not operation.wants_signature:
            return True
        assert passing.protocol is not None
        return (
            passing.protocol.anonymous and "authorization" not in request.headers and not _SIGNED.search(request.query)
        )

    def _operation(self, passing: _Passing) -> Bound:
        assert passing.protocol is not None
        bound = self._operations.find(passing.model, passing.name) if passing.name is not None else None
        if bound is None:
            raise unknown_operation(passing.protocol.name, passing.name, passing.model.api_version)
        passing.bound = bound
        return bound

    def _call(self, passing: _Passing, bound: Bound, principal: Principal) -> Call:
        request, way = passing.request, passing.way
        return Call(
            self._platform,
            scope=Scope(self._partition(passing.route), principal.account, self._region(passing.route)),
            service=passing.model.name,
            operation=bound.operation.name,
            principal=principal,
            request_id=passing.request_id,
            source_ip=(way.client if way is not None else "") or request.peer,
            user_agent=request.headers.get("user-agent", ""),
            host=_host(request.headers.get("host", "")),
            secure=request.secure,
            way=way,
        )

    def _region(self, route: routing.Route) -> str:
        return route.region if route.region not in (None, "aws-global") else self._settings.region

    def _partition(self, route: routing.Route) -> str:
        return routing.partition(self._region(route))

    def _refuse(self, passing: _Passing, error: AwsError) -> Response:
        headers = passing.request.headers
        if passing.protocol is None:
            return _answer(render_unrouted(error, headers, passing.request_id), passing.request_id)
        query_mode = headers.get("x-amzn-query-mode") == "true"
        rendered = passing.protocol.render_error(passing.model, error, passing.request_id, query_mode=query_mode)
        return _answer(rendered, passing.request_id)


def _check_way(passing: _Passing) -> None:
    """Whose endpoint a request has come through takes none for another service, as each service's own does."""
    way = passing.request.way
    if way is not None and not way.leads_to(passing.model.endpoint_prefix):
        assert passing.protocol is not None
        raise passing.protocol.words.another_service(way.service.partition(".")[0])


def _takes_stream(operation: Operation) -> bool:
    return (operation.streaming_input or operation.event_input) is not None


def _answer(wire: WireResponse, request_id: str) -> Response:
    headers = wire.headers
    headers.setdefault("x-amzn-requestid", request_id)
    if headers.get("content-type") == "application/xml":
        headers["x-amz-request-id"] = request_id  # as S3 and its kin call it
    return Response(status=wire.status, headers=headers, body=wire.body)


def _host(said: str) -> str:
    """What can stand in a URL; "" for anything else."""
    return said if _HOST.fullmatch(said) else ""


def _said(passing: _Passing) -> str:
    """What the log calls the request: nothing of its content, which may be secret."""
    if passing.bound is not None:
        return f"{passing.model.name}.{passing.bound.operation.name}"
    return passing.request.path[:256]
