"""The seam behind which all wire formats live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hatoba.aws import sigv4
from hatoba.aws.models import Operation, ServiceModel
from hatoba.aws.sigv4 import Credential, Verified
from hatoba.aws.sigv4.refusals import JSON, Words
from hatoba.aws.wire import WireRequest, WireResponse
from hatoba.core.errors import AwsError

Params = dict[str, Any]
FindSecret = Callable[[str], Credential | None]


class WireProtocol(Protocol):
    """One wire format. Stateless but for what it has compiled."""

    name: str
    words: Words  # how it says what is wrong with a signature
    anonymous: bool  # whether requests that nobody signed are anybody's, and not refused at once

    def addressed(self, request: WireRequest) -> WireRequest:
        """The request as the other functions read it, which may differ from what was sent, and signed."""
        ...

    def verify(self, request: WireRequest, find: FindSecret, now: float) -> Verified:
        """Who signed the request, as it was sent. Raises `AwsError`, in these words."""
        ...

    def operation_name(self, model: ServiceModel, request: WireRequest) -> str | None:
        """The operation that the request names; the model need not know it. None when it names none."""
        ...

    def parse(self, operation: Operation, request: WireRequest) -> Params:
        """The input, in the model's names and our types. Raises `AwsError` whatever the bytes are."""
        ...

    def render(self, operation: Operation, result: Params, request_id: str) -> WireResponse:
        """The answer. `result` must conform to the output's shape (`conform.output` tells)."""
        ...

    def render_error(
        self, model: ServiceModel, error: AwsError, request_id: str, *, query_mode: bool = False
    ) -> WireResponse:
        """The error as this protocol tells it. `query_mode`: the client sent `x-amzn-query-mode: true`."""
        ...


class Plain:
    """What most formats have in common: they are read as they were sent."""

    words: Words = JSON
    anonymous = False

    def addressed(self, request: WireRequest) -> WireRequest:
        return request

    def verify(self, request: WireRequest, find: FindSecret, now: float) -> Verified:
        return sigv4.verify(request, find, now, words=self.words)


def unknown_operation(protocol: str, name: str | None, version: str = "") -> AwsError:
    """What AWS says of an operation that the service does not have."""
    if protocol in ("query", "ec2"):
        if name is None:
            return AwsError("The request must contain the parameter Action.", code="MissingAction", status=400)
        return AwsError(
            f"The action {name} is not valid for this web service."
            if protocol == "ec2"
            else f"Could not find operation {name} for version {version}",
            code="InvalidAction",
            status=400,
        )
    said = f"The service has no operation {name}." if name else "The request names no operation."
    if protocol in ("rest-json", "rest-xml"):
        return AwsError(said, code="UnknownOperationException", status=404)
    return AwsError(said, code="UnknownOperationException", status=400)


def not_implemented(operation: Operation) -> AwsError:
    """What we say of an operation that AWS has and Hatoba has not yet. The status is one that no SDK retries."""
    return AwsError(
        f"{operation.service}.{operation.name} is an operation of AWS that Hatoba does not implement yet.",
        code="NotImplementedException",
        status=400,
    )
