"""What a service's secrets were when its tasks last began: for services that deploy anew when one changes."""

from __future__ import annotations

import msgspec

from hatoba.core.records import Record
from hatoba.store import Index, Table


class Watch(Record, frozen=True, kw_only=True):
    """The id is the service's. Writer: the controller of secret rolls."""

    deployment: str  # `ecs-svc/…`: the one whose tasks have these versions
    reads: tuple[str, ...]  # ARNs
    versions: dict[str, str]  # by source
    seen: dict[str, str] = msgspec.field(default_factory=dict)  # other versions, which it waits to be the last ones
    since: float | None = None  # when they were first seen
    told: bool = False  # that there will be a deployment


watches = Table("ecs.watches", Watch, indexes=(Index("reads", lambda watch: watch.reads, many=True),))
