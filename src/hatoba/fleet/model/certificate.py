"""Certificates that load balancers show to their clients."""

from __future__ import annotations

from hatoba.core.records import Record
from hatoba.core.secret import Secret
from hatoba.store import Table


class Certificate(Record, frozen=True, kw_only=True):
    """Writer: the room that manages it (`acm`; `iam` those of an account's global scope, which never change). A node
    has it while it carries a balancer that names it."""

    chain: str  # PEM: its own first, then those that vouch for it
    private_key: Secret  # PEM, PKCS #8, not encrypted


certificates = Table("fleet.certificates", Certificate)
