"""What is kept of every call, as a port: who asked for what, from where, what was decided, how long it took.

The cloudtrail room implements it. A call that writes is told of within its own transaction, so that either both are
durable or neither is; what became of it, and calls that only read, are told of when they have ended.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from hatoba.aws.models import Operation
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Access
from hatoba.store import Tx


class Asked(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One call, as far as it is known before it is carried out."""

    call: Call
    operation: Operation
    params: Mapping[str, Any]
    access: Access


class Auditor(Protocol):
    def writes(self, asked: Asked, tx: Tx) -> None:
        """The call is about to commit a transaction that changes something: may be told more than once."""
        ...

    def ended(self, asked: Asked, result: Mapping[str, Any] | None, error: AwsError | None, seconds: float) -> None:
        """With its answer or its error; neither where it failed in a way that nobody foresaw."""
        ...


class Witness:
    """One call from its beginning to its end, for an auditor. What it writes, it notes in the same transaction."""

    __slots__ = ("_asked", "_auditor", "_began")

    def __init__(self, auditor: Auditor, asked: Asked) -> None:
        self._auditor = auditor
        self._asked = asked
        asked.call.closing = functools.partial(auditor.writes, asked)
        self._began = asked.call.platform.clock.monotonic()

    @property
    def call(self) -> Call:
        return self._asked.call

    def ended(self, result: Mapping[str, Any] | None, error: AwsError | None) -> None:
        """With its answer or its error; neither where it failed in a way that nobody foresaw."""
        seconds = self.call.platform.clock.monotonic() - self._began
        self._auditor.ended(self._asked, result, error, seconds)


class NothingKept:
    def writes(self, asked: Asked, tx: Tx) -> None:
        return

    def ended(self, asked: Asked, result: Mapping[str, Any] | None, error: AwsError | None, seconds: float) -> None:
        return
