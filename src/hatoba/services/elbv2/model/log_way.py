"""Where a load balancer's logs go, and which nodes may bring them.

It outlives the load balancer for a day: what was noted last is still on its way then.
"""

from __future__ import annotations

import msgspec

from hatoba.core.records import Record
from hatoba.proxy.logfiles import Kind, Stem
from hatoba.services.elbv2.model import arns
from hatoba.store import Index, Table
from hatoba.store.store import View

KEPT = 24 * 3600.0  # seconds after the load balancer's end


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """In S3. The prefix has no slash at its end."""

    bucket: str
    prefix: str = ""

    def key(self, rest: str) -> str:
        return f"{self.prefix}/{rest}" if self.prefix else rest


class LogWay(Record, frozen=True, kw_only=True):
    """Its id is the load balancer's. Of logs that were switched off the place stays that they had."""

    places: dict[Kind, Place]
    nodes: tuple[str, ...] = ()  # that have carried it since it has logs
    ended: float | None = None  # when the load balancer was deleted

    @property
    def arn(self) -> str:
        """The load balancer's."""
        return arns.make(self.scope, arns.LOAD_BALANCER, self.id)


log_ways = Table(
    "elbv2.log_ways",
    LogWay,
    indexes=(Index("whose", lambda way: (way.key.account, way.key.region, way.id)),),
)


def way_of(view: View, stem: Stem) -> LogWay | None:
    found = view.index(log_ways, "whose", (stem.account, stem.region, stem.balancer))
    return found[0] if found else None
