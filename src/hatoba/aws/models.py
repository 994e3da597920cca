"""Service models: every operation, shape and error of AWS, read from the data files that botocore ships.

Nothing but the files is used: no client, loader or session of botocore. A model is decoded once, straight into frozen
structs (documentation is skipped, which is what makes EC2's 4 MB cheap), and kept. `Member` is a shape used in a place,
with the traits of that place; `Shape` is the definition all its uses share.
"""

from __future__ import annotations

import gzip
import importlib.util
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import msgspec

_NAME = re.compile(r"[a-z0-9-]+")


class XmlNamespace(msgspec.Struct, frozen=True, kw_only=True):
    uri: str
    prefix: str = ""


class Member(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """A shape in a place: a structure's member, a list's element, an operation's input."""

    shape: str
    location: str | None = None
    location_name: str | None = None
    query_name: str | None = None
    result_wrapper: str | None = None
    timestamp_format: str | None = None
    xml_namespace: XmlNamespace | str | None = None
    xml_attribute: bool = False
    flattened: bool = False
    idempotency_token: bool = False
    streaming: bool = False
    jsonvalue: bool = False
    eventheader: bool = False
    eventpayload: bool = False


class ErrorTrait(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    code: str | None = None
    http_status_code: int | None = None


class Shape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: str
    name: str = ""  # the key it stands under; set by `load`
    members: dict[str, Member] = {}
    required: tuple[str, ...] = ()
    member: Member | None = None  # of a list
    key: Member | None = None  # of a map
    value: Member | None = None  # of a map
    enum: tuple[str, ...] = ()
    min: float | int | None = None
    max: float | int | None = None
    pattern: str | None = None
    payload: str | None = None
    location_name: str | None = None
    timestamp_format: str | None = None
    xml_namespace: XmlNamespace | str | None = None
    flattened: bool = False
    streaming: bool = False
    sensitive: bool = False
    sparse: bool = False
    union: bool = False
    document: bool = False
    event: bool = False
    eventstream: bool = False
    exception: bool = False
    fault: bool = False
    error: ErrorTrait | None = None

    @property
    def code(self) -> str:
        """The error code of an exception shape, as the query protocols call it."""
        return (self.error and self.error.code) or self.name

    @property
    def status(self) -> int:
        """The HTTP status of an exception shape."""
        return (self.error and self.error.http_status_code) or (500 if self.fault else 400)


class Operation(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One operation. Compared and hashed by identity: `ServiceModel.operation` returns the same one each time."""

    model: ServiceModel
    name: str
    input: Member | None
    output: Member | None
    errors: tuple[str, ...]  # names of shapes
    method: str
    uri: str  # a template: /clusters/{name}/nodes?mode=full
    status: int
    token_member: str | None  # the input's idempotency token
    streaming_input: str | None  # the member that is the raw body
    streaming_output: str | None
    event_input: str | None  # the member that is a stream of events
    event_output: str | None
    deprecated: bool
    wants_signature: bool  # False: AWS answers it unsigned too (AssumeRoleWithWebIdentity)
    host_prefix: str | None

    @property
    def service(self) -> str:
        return self.model.name

    def __repr__(self) -> str:
        return f"Operation({self.model.name}.{self.name})"


class _Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    api_version: str
    endpoint_prefix: str
    protocol: str
    service_id: str
    protocols: tuple[str, ...] = ()
    signing_name: str | None = None
    target_prefix: str | None = None
    json_version: str = "1.0"
    xml_namespace: XmlNamespace | str | None = None
    global_endpoint: str | None = None
    aws_query_compatible: dict[str, object] | None = None


class _Http(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    method: str = "POST"
    request_uri: str = "/"
    response_code: int = 200


class _Endpoint(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    host_prefix: str | None = None


class _Operation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    http: _Http = _Http()
    input: Member | None = None
    output: Member | None = None
    errors: tuple[Member, ...] = ()
    authtype: str | None = None
    deprecated: bool = False
    endpoint: _Endpoint | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True):
    metadata: _Metadata
    operations: dict[str, _Operation]
    shapes: dict[str, Shape]


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    metadata: _Metadata


class ServiceModel:
    """A service as AWS models it. Made by `load`."""

    def __init__(self, name: str, file: _File) -> None:
        meta = file.metadata
        self.name = name  # botocore's name of the service: "ecs", "elbv2", "logs"
        self.api_version = meta.api_version
        self.protocols = meta.protocols or (meta.protocol,)
        self.protocol = self.protocols[0]
        self.target_prefix = meta.target_prefix
        self.json_version = meta.json_version
        self.endpoint_prefix = meta.endpoint_prefix
        self.signing_name = meta.signing_name or meta.endpoint_prefix
        self.service_id = meta.service_id
        self.global_endpoint = meta.global_endpoint
        self.query_compatible = meta.aws_query_compatible is not None
        namespace = meta.xml_namespace
        self.xml_namespace = namespace.uri if isinstance(namespace, XmlNamespace) else namespace
        self.shapes = file.shapes
        self._raw = file.operations
        self._operations: dict[str, Operation] = {}
        self._by_code: dict[str, Shape] | None = None
        for shape_name, shape in file.shapes.items():
            msgspec.structs.force_setattr(shape, "name", shape_name)

    @property
    def operations(self) -> Iterable[str]:
        return self._raw.keys()

    def operation(self, name: str) -> Operation | None:
        found = self._operations.get(name)
        if found is None and (raw := self._raw.get(name)) is not None:
            found = self._operations[name] = self._build(name, raw)
        return found

    def shape(self, member: Member) -> Shape:
        return self.shapes[member.shape]

    def errors(self) -> list[Shape]:
        return [shape for shape in self.shapes.values() if shape.exception]

    def error(self, code: str) -> Shape | None:
        """The exception shape of that name or, failing that, of that query error code."""
        shape = self.shapes.get(code)
        if shape is not None and shape.exception:
            return shape
        if self._by_code is None:
            self._by_code = {shape.code: shape for shape in self.errors()}
        return self._by_code.get(code)

    def _build(self, name: str, raw: _Operation) -> Operation:
        return Operation(
            model=self,
            name=name,
            input=raw.input,
            output=raw.output,
            errors=tuple(error.shape for error in raw.errors),
            method=raw.http.method,
            uri=raw.http.request_uri,
            status=raw.http.response_code,
            token_member=self._first(raw.input, lambda member, _: member.idempotency_token),
            streaming_input=self._payload(raw.input, events=False),
            streaming_output=self._payload(raw.output, events=False),
            event_input=self._payload(raw.input, events=True),
            event_output=self._payload(raw.output, events=True),
            deprecated=raw.deprecated,
            wants_signature=raw.authtype != "none",
            host_prefix=raw.endpoint.host_prefix if raw.endpoint else None,
        )

    def _first(self, use: Member | None, test: Callable[[Member, Shape], bool]) -> str | None:
        if use is None:
            return None
        members = self.shapes[use.shape].members.items()
        return next((name for name, member in members if test(member, self.shapes[member.shape])), None)

    def _payload(self, use: Member | None, *, events: bool) -> str | None:
        if events:
            return self._first(use, lambda _, shape: shape.eventstream)
        return self._first(use, lambda member, shape: member.streaming or (shape.type == "blob" and shape.streaming))

    def __repr__(self) -> str:
        return f"ServiceModel({self.name})"


class UnknownService(LookupError):
    """botocore has no model of that name."""


@cache
def load(service: str) -> ServiceModel:
    """The model of a service, by botocore's name of it. Raises `UnknownService`."""
    return ServiceModel(service, msgspec.json.decode(_read(service), type=_File))


def metadata(service: str) -> _Metadata:
    """Only the head of a model, for the index."""
    return msgspec.json.decode(_read(service), type=_Head).metadata


def services() -> list[str]:
    """All services that botocore has a model of."""
    return sorted(path.name for path in _data().iterdir() if path.is_dir() and any(path.glob("*/service-2.json*")))


def _data() -> Path:
    # find_spec of a top-level package finds its folder without importing it.
    spec = importlib.util.find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise UnknownService("botocore, whose service models Hatoba reads, is not installed")
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(service: str) -> bytes:
    """The file of the service's newest version."""
    files = sorted(_data().glob(f"{service}/*/service-2.json*")) if _NAME.fullmatch(service) else []
    if not files:
        raise UnknownService(service)
    data = files[-1].read_bytes()
    return gzip.decompress(data) if files[-1].suffix == ".gz" else data
