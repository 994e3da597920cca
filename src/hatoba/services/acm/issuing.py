"""Issuing certificates, and writing them: here, and in the fleet's words for the nodes that show them."""

from __future__ import annotations

import asyncio

from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Platform
from hatoba.services.acm import x509
from hatoba.services.acm.model import VALID_FOR, Authority, Certificate, authorities, certificates
from hatoba.store import Tx
from hatoba.store.store import View


def write(tx: Tx, record: Certificate, key: str) -> Certificate:
    """With what nodes need of it."""
    where = fleet.certificates.key(record.scope, record.id)
    shown = fleet.Certificate(
        key=where,
        chain=f"{record.leaf.strip()}\n{record.chain}",
        private_key=Secret(key),
    )
    tx.write(fleet.certificates, shown)
    return tx.put(certificates, record)


def private_key(view: View, record: Certificate) -> str:
    shown = view.find(fleet.certificates, record.scope, record.id)
    assert shown is not None, "it was written with the certificate"
    return shown.private_key.reveal()


async def authority_of(platform: Platform, scope: Scope) -> Authority:
    """The account's; made when there is none yet."""
    key = authorities.key(scope._replace(region=""), "authority")
    known = platform.store.get(authorities, key)
    if known is not None:
        return known
    made = await asyncio.to_thread(x509.authority, f"Hatoba certificates of {scope.account}", platform.clock.now())
    with platform.store.tx() as tx:
        known = tx.get(authorities, key)  # somebody else may have been quicker
        return known or tx.put(authorities, Authority(key=key, certificate=made.leaf, private_key=Secret(made.key)))


async def issued(platform: Platform, scope: Scope, names: tuple[str, ...], algorithm: str) -> tuple[x509.Issued, str]:
    """A new certificate and its key, and the chain that vouches for it."""
    by = await authority_of(platform, scope)
    signer = x509.Issued(by.certificate, by.private_key.reveal())
    # A key takes its time to find: not on the loop.
    made = await asyncio.to_thread(x509.issue, signer, names, algorithm, platform.clock.now(), VALID_FOR)
    return made, by.certificate


async def renew(platform: Platform, record: Certificate) -> None:
    """A new key and a new certificate for the same names, under the same ARN."""
    made, chain = await issued(platform, record.scope, record.facts.names, record.facts.key_algorithm)
    facts = await asyncio.to_thread(x509.facts, made.leaf)
    with platform.store.tx() as tx:
        current = tx.get(certificates, record.key)
        if current is None or current.facts != record.facts:
            return  # it was deleted, or renewed, meanwhile
        after = replace(current, facts=facts, leaf=made.leaf, chain=chain, renewed_at=platform.clock.now())
        write(tx, after, made.key)
