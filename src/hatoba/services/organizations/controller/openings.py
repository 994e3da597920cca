"""Accounts that were asked for come to be: an administrator's role that the management account can take, and a place
in the organisation's root.

What an account may be given is asked of IAM at the front door, in the new account; a crash in between finds the role
that is there already and goes on. Source: the API reference, "CreateAccount".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress

from hatoba.aws.shapes import iam as ti
from hatoba.core.keys import Key, Scope
from hatoba.core.records import replace
from hatoba.gateway.call import Platform
from hatoba.gateway.tags import set_tags
from hatoba.reconcile import Wake
from hatoba.services.organizations import model
from hatoba.services.organizations.model import Account, Creation, Organization
from hatoba.services.organizations.plan.managed import KINDS
from hatoba.store import Tx


def trust(partition: str, management: str) -> str:
    """What the role says of who may have it: whoever the management account lets."""
    principal = {"AWS": f"arn:{partition}:iam::{management}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def defaults(org: Organization) -> tuple[str, ...]:
    """The policies that whatever joins the organisation has."""
    return tuple(kind.default for type_, kind in KINDS.items() if type_ in org.enabled)


class Openings:
    name = "organizations.openings"
    wakes = (Wake(model.creations, lambda change: (change.key,)),)

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store = platform.store

    def keys(self) -> Iterable[Key]:
        return [one.key for one in self._store.all(model.creations) if one.state == "IN_PROGRESS"]

    async def reconcile(self, key: Key) -> float | None:
        creation = self._store.get(model.creations, key)
        if creation is None or creation.state != "IN_PROGRESS":
            return None
        if not self._taken(creation):
            await self._give_role(creation)
        with self._store.tx() as tx:
            self._finish(tx, key)
        return None

    def _taken(self, creation: Creation) -> bool:
        partition = creation.key.partition
        return bool(self._store.index(model.accounts, "email", (partition, creation.email.lower())))

    async def _give_role(self, creation: Creation) -> None:
        partition = creation.key.partition
        iam = self._platform.door(Scope(partition, creation.account, creation.region), "organizations").iam
        document = trust(partition, creation.key.account)
        with suppress(ti.EntityAlreadyExistsException):  # by the pass before, which did not come to its end
            await iam.create_role(RoleName=creation.role, AssumeRolePolicyDocument=document)
        policy = f"arn:{partition}:iam::aws:policy/AdministratorAccess"
        await iam.attach_role_policy(RoleName=creation.role, PolicyArn=policy)

    def _finish(self, tx: Tx, key: Key) -> None:
        """All of it at once, by what is so now."""
        creation, now = tx.get(model.creations, key), self._platform.clock.now()
        if creation is None or creation.state != "IN_PROGRESS":
            return
        org = tx.find(model.organizations, key.scope, creation.organization)
        if self._taken(creation) or org is None:
            reason = "EMAIL_ALREADY_EXISTS" if org is not None else "INTERNAL_FAILURE"
            tx.put(model.creations, replace(creation, state="FAILED", completed=now, reason=reason))
            return
        account = tx.put(
            model.accounts,
            Account(
                key=model.accounts.key(Scope(key.partition, creation.account, ""), creation.account),
                name=creation.name,
                email=creation.email,
                organization=org.id,
                management=org.management,
                parent=org.root,
                joined=now,
                method="CREATED",
                policies=defaults(org),
            ),
        )
        set_tags(tx, org.scope, account.arn, dict(creation.tags))
        tx.put(model.creations, replace(creation, state="SUCCEEDED", completed=now))
