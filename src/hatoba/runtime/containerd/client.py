"""containerd's gRPC API: one channel, its services, and errors translated.

A `CallFailed` is a PortError that also knows the gRPC status, so that "exists already" and "not found" can be taken for
what they often are: done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from hatoba.core.errors import PortError
from hatoba.runtime.containerd.settings import NAMESPACE
from hatoba.runtime.failures import Failure
from hatoba.runtime.stubs.services.containers.v1 import containers_pb2_grpc
from hatoba.runtime.stubs.services.content.v1 import content_pb2_grpc
from hatoba.runtime.stubs.services.diff.v1 import diff_pb2_grpc
from hatoba.runtime.stubs.services.events.v1 import events_pb2_grpc
from hatoba.runtime.stubs.services.images.v1 import images_pb2_grpc
from hatoba.runtime.stubs.services.leases.v1 import leases_pb2_grpc
from hatoba.runtime.stubs.services.namespaces.v1 import namespace_pb2, namespace_pb2_grpc
from hatoba.runtime.stubs.services.snapshots.v1 import snapshots_pb2_grpc
from hatoba.runtime.stubs.services.tasks.v1 import tasks_pb2_grpc

EXISTS = grpc.StatusCode.ALREADY_EXISTS
NOT_FOUND = grpc.StatusCode.NOT_FOUND
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION

_CALL_SECONDS = 60.0
_MESSAGE_BYTES = 64 << 20  # a list of all containers, specs included
_OPTIONS = [
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.default_authority", "localhost"),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
]
_CODES = {
    grpc.StatusCode.UNAVAILABLE: Failure.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Failure.UNAVAILABLE,
    grpc.StatusCode.CANCELLED: Failure.UNAVAILABLE,
    grpc.StatusCode.NOT_FOUND: Failure.CONTAINER_NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: Failure.CONTAINER_STATE,
}


class CallFailed(PortError):
    def __init__(self, code: str, message: str, status: grpc.StatusCode) -> None:
        super().__init__(code, message)
        self.status = status


def translate(error: grpc.aio.AioRpcError) -> CallFailed:
    status, details = error.code(), error.details() or ""
    code = Failure.DISK_FULL if "no space left on device" in details else _CODES.get(status, Failure.INTERNAL)
    return CallFailed(code.value, details or status.name, status)


class Client:
    """The services, each a stub: `await client.call(client.tasks.Start, request)`."""

    def __init__(self, socket: Path) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}", options=_OPTIONS)
        self.containers = self._stub(containers_pb2_grpc.ContainersStub)
        self.content = self._stub(content_pb2_grpc.ContentStub)
        self.diff = self._stub(diff_pb2_grpc.DiffStub)
        self.events = self._stub(events_pb2_grpc.EventsStub)
        self.images = self._stub(images_pb2_grpc.ImagesStub)
        self.leases = self._stub(leases_pb2_grpc.LeasesStub)
        self.namespaces = self._stub(namespace_pb2_grpc.NamespacesStub)
        self.snapshots = self._stub(snapshots_pb2_grpc.SnapshotsStub)
        self.tasks = self._stub(tasks_pb2_grpc.TasksStub)

    def _stub(self, make: Any) -> Any:
        """grpc's generated stubs are untyped: here, and nowhere else, that is let in."""
        return make(self._channel)

    async def call(
        self, method: Callable[..., Awaitable[Any]], request: Any, *, lease: str = "", timeout: float = _CALL_SECONDS
    ) -> Any:
        """One unary call. Waits while containerd is away (it is being restarted), as long as `timeout` allows."""
        try:
            return await method(request, metadata=metadata(lease), timeout=timeout, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error

    async def ensure_gone(self, method: Callable[..., Awaitable[Any]], request: Any) -> bool:
        """A call that takes something away: what is gone already is done. Whether it was there."""
        try:
            await self.call(method, request)
        except CallFailed as error:
            if error.status is not NOT_FOUND:
                raise
            return False
        return True

    async def ensure_namespace(self) -> None:
        request = namespace_pb2.CreateNamespaceRequest(namespace=namespace_pb2.Namespace(name=NAMESPACE))
        try:
            await self.call(self.namespaces.Create, request)
        except CallFailed as error:
            if error.status is not EXISTS:
                raise

    async def close(self) -> None:
        await self._channel.close(None)


def metadata(lease: str = "") -> tuple[tuple[str, str], ...]:
    named = (("containerd-namespace", NAMESPACE),)
    return (*named, ("containerd-lease", lease)) if lease else named
