"""Names that resolvers answer."""

from __future__ import annotations

from hatoba.core.records import Record
from hatoba.store import Index, Table


class Zone(Record, frozen=True, kw_only=True):
    """Names that the resolvers of some networks answer; network "" is everybody. Writers: `elbv2` and DNS rooms.

    The id is the name, lower case, without a trailing dot.
    """

    network: str = ""
    addresses: tuple[str, ...] = ()
    ttl: int = 60


zones = Table("fleet.zones", Zone, indexes=(Index("network", lambda z: z.network),))
