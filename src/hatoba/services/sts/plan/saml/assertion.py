"""What an assertion says, without the libraries that it is read with."""

from __future__ import annotations

import msgspec


class Assertion(msgspec.Struct, frozen=True, kw_only=True):
    issuer: str
    subject: str
    format: str  # of the subject's name, a URI
    recipient: str
    session: str  # the role session's name
    roles: tuple[tuple[str, ...], ...]  # ARNs: a role's and the provider's, in no order
    tags: tuple[tuple[str, str], ...]
    transitive: tuple[str, ...]
    source: str | None
    until: float | None  # the session may not last longer
    attributes: dict[str, tuple[str, ...]]  # by name
