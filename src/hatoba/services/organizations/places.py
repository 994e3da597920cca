"""Accounts' places, for deciders: implements `gateway.membership.Memberships`.

A place is found anew once a table that it depends on was written to, and stays the same object if nothing about it has
changed: so deciders keep what they have compiled.
"""

from __future__ import annotations

from typing import Any

from hatoba.gateway.membership import Level, Membership
from hatoba.policy.compiler import Latest
from hatoba.services.organizations import model
from hatoba.services.organizations.model import Organization, Target
from hatoba.services.organizations.plan.managed import POLICIES, RESOURCE, SERVICE
from hatoba.store import Table
from hatoba.store.store import View

_TABLES: tuple[Table[Any], ...] = (model.organizations, model.units, model.accounts, model.policies)
_KEPT = 4096  # accounts
_CLOSED: Level = (("closed account", '{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}'),)


class AccountPlaces:
    def __init__(self, view: View) -> None:
        self._view = view
        self._known: Latest[tuple[str, str], tuple[int, Membership | None]] = Latest(_KEPT)

    def of(self, partition: str, account: str) -> Membership | None:
        changes = self._view.changes
        stamp = sum([changes(table) for table in _TABLES])  # each only grows
        known = self._known.get((partition, account))
        if known is not None and known[0] == stamp:
            return known[1]
        found = place_of(self._view, partition, account)
        if known is not None and known[1] == found:
            found = known[1]
        self._known.put((partition, account), (stamp, found))
        return found


def place_of(view: View, partition: str, number: str) -> Membership | None:
    account = model.find_account(view, partition, number)
    org = model.organization_of(view, account) if account is not None else None
    if account is not None and account.closed is not None:
        # Its keys are not known any more, but what they were good for once may outlive them: a registry's token.
        return Membership(organization=org.id if org is not None else "", path="", service_control=(_CLOSED,))
    if account is None or org is None:
        return None
    levels = model.above(view, org, account)
    path = model.path(org, levels)
    if number == org.management:  # nothing limits it
        return Membership(organization=org.id, path=path)
    return Membership(
        organization=org.id,
        path=path,
        service_control=_levels(view, org, levels, SERVICE),
        resource_control=_levels(view, org, levels, RESOURCE),
    )


def _levels(view: View, org: Organization, levels: list[Target], type_: str) -> tuple[Level, ...]:
    if type_ not in org.enabled:
        return ()
    return tuple(tuple(_policies(view, org, level, type_)) for level in levels)


def _policies(view: View, org: Organization, level: Target, type_: str) -> list[tuple[str, str]]:
    found = []
    for id_ in level.policies:
        managed = POLICIES.get(id_)
        if managed is not None:
            if managed.type == type_:
                found.append((managed.arn(org.key.partition), managed.content))
            continue
        policy = view.find(model.policies, org.scope, id_)
        if policy is not None and policy.type == type_:
            found.append((policy.arn, policy.content))
    return found
