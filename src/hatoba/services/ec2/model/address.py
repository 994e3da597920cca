"""Public addresses: those that come and go with an interface, and elastic ones that stay until they are released.

Both are of the instance's host-side pool, which all accounts and regions share. Which interface an elastic address is
associated with stands at the interface alone, so that neither outlives the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from hatoba.core.ids import Ids, resource_id
from hatoba.core.keys import Scope
from hatoba.core.records import Record, replace
from hatoba.fleet.model import FLEET
from hatoba.network import addresses
from hatoba.services.ec2.model.errors import invalid, not_found
from hatoba.services.ec2.model.interface import Eni, PublicPool, Translation, enis, put_eni
from hatoba.services.ec2.model.routes import internet_gateways
from hatoba.store import Index, Table, Tx
from hatoba.store.store import View


class Elastic(Record, frozen=True, kw_only=True):
    """An elastic address; the id is its allocation's (`eipalloc-…`)."""

    public: str


class Cursor(Record, frozen=True, kw_only=True):
    """The pool's address given out last: the next one is sought behind it, so that one given back rests a while."""

    last: str


class Released(Record, frozen=True, kw_only=True):
    """An elastic address that was released, and that nobody has been given since: its id is the address."""


elastics = Table(
    "ec2.elastic_addresses",
    Elastic,
    indexes=(Index("public", lambda elastic: elastic.public), Index("all", lambda elastic: True)),
)
cursors = Table("ec2.pool_cursors", Cursor)
released = Table("ec2.released_addresses", Released, indexes=(Index("public", lambda one: one.id),))


class _Taken:
    """The pool's addresses in use, asked one by one."""

    def __init__(self, view: View) -> None:
        self._view = view

    def __contains__(self, address: object) -> bool:
        text = str(address)
        return self._view.count(enis, "public", text) > 0 or self._view.count(elastics, "public", text) > 0

    def __len__(self) -> int:
        """At most so many: an associated elastic address counts twice."""
        return self._view.count(enis, "has_public", True) + self._view.count(elastics, "all", True)

    def __iter__(self) -> Iterator[IPv4Address]:
        of_enis = {eni.public for eni in self._view.index(enis, "has_public", True)}
        of_elastics = {elastic.public for elastic in self._view.index(elastics, "all", True)}
        return (IPv4Address(address) for address in of_enis | of_elastics if address is not None)


def _next(tx: Tx, pool: PublicPool) -> str:
    """Raises InsufficientAddressCapacity."""
    key = cursors.key(FLEET, "public")
    cursor = tx.get(cursors, key) or Cursor(key=key, last=pool.transit.partition("/")[0])
    network, transit = IPv4Network(pool.network), IPv4Network(pool.transit)
    address = addresses.next_public(network, _Taken(tx), IPv4Address(cursor.last), excluded=transit)
    if address is None:
        raise invalid(
            f"There are no free public addresses left in the pool {pool.network}.", "InsufficientAddressCapacity"
        )
    tx.put(cursors, replace(cursor, last=str(address)))
    _given(tx, str(address))
    return str(address)


def _given(tx: Tx, public: str) -> None:
    """From now on nobody can have it back."""
    for one in tx.index(released, "public", public):
        tx.forget(released, one.key)


# --- of an interface


def give_public(tx: Tx, ids: Ids, eni: Eni, pool: PublicPool) -> Eni:
    """A public address of the pool; nothing when it has one. Raises InsufficientAddressCapacity."""
    if eni.public is not None:
        return eni
    return put_eni(tx, replace(eni, public=_next(tx, pool), association=resource_id(ids, "eipassoc")))


def take_public(tx: Tx, eni: Eni) -> Eni:
    """Nothing when it has none, or an elastic one: that is its owner's to disassociate."""
    if eni.public is None or eni.allocation is not None:
        return eni
    return disassociate(tx, eni)


# --- elastic


def the_elastic(view: View, scope: Scope, allocation: str) -> Elastic:
    elastic = view.find(elastics, scope, allocation)
    if elastic is None:
        raise not_found(allocation, "eipalloc")
    return elastic


def holder(view: View, elastic: Elastic) -> Eni | None:
    """The interface that it is associated with."""
    return next(iter(view.index(enis, "allocation", elastic.id)), None)


def allocate(tx: Tx, ids: Ids, scope: Scope, pool: PublicPool) -> Elastic:
    """Raises InsufficientAddressCapacity."""
    key = elastics.key(scope, resource_id(ids, "eipalloc"))
    return tx.put(elastics, Elastic(key=key, public=_next(tx, pool)))


def release(tx: Tx, elastic: Elastic) -> None:
    tx.forget(elastics, elastic.key)
    tx.put(released, Released(key=released.key(elastic.scope, elastic.public)))


def recover(tx: Tx, ids: Ids, scope: Scope, public: str) -> Elastic:
    """One that was released here, as long as nobody has been given it since. Raises InvalidAddress.NotFound."""
    if tx.find(released, scope, public) is None:
        raise invalid(f"Address '{public}' not found.", "InvalidAddress.NotFound")
    _given(tx, public)
    return tx.put(elastics, Elastic(key=elastics.key(scope, resource_id(ids, "eipalloc")), public=public))


def translation_of(eni: Eni, elastic: Elastic) -> Translation:
    """What an elastic address stands for at the interface that holds it."""
    return next(each for each in eni.translations if each.allocation == elastic.id)


def associate(tx: Tx, ids: Ids, elastic: Elastic, eni: Eni, private: str | None = None) -> str:
    """The association's id. In the place of whatever public address there was. Raises Gateway.NotAttached.

    `private`: a secondary address of the interface's; None: its own.
    """
    before = holder(tx, elastic)
    known = translation_of(before, elastic) if before is not None else None
    same = before is not None and known is not None and (before.id, known.private) == (eni.id, private)
    if same and known is not None and known.id is not None:
        return known.id
    if not tx.count(internet_gateways, "vpc", eni.vpc):
        raise invalid(f"Network {eni.vpc} is not attached to any internet gateway", "Gateway.NotAttached")
    if before is not None and known is not None:
        before = disassociate(tx, before, known.private)
        eni = before if before.id == eni.id else eni
    made = resource_id(ids, "eipassoc")
    if private is None:
        put_eni(tx, replace(eni, public=elastic.public, association=made, allocation=elastic.id))
    else:
        new = Translation(public=elastic.public, id=made, allocation=elastic.id, private=private)
        put_eni(tx, replace(eni, further=(*_but(eni, private), new)))
    return made


def disassociate(tx: Tx, eni: Eni, private: str | None = None) -> Eni:
    """The public address of a secondary address, or (None) of the interface's own."""
    if private is None:
        return put_eni(tx, replace(eni, public=None, association=None, allocation=None))
    return put_eni(tx, replace(eni, further=_but(eni, private)))


def _but(eni: Eni, private: str) -> tuple[Translation, ...]:
    return tuple(each for each in eni.further if each.private != private)
