"""Keeps the replicas of a secret in step with it: its versions, their labels, its description, policy and tags.

Each value is decrypted in the primary's region and encrypted in the replica's, under a key of that region.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.core.keys import Key, Scope
from hatoba.core.records import replace
from hatoba.gateway.call import Platform
from hatoba.gateway.tags import forget_tags, set_tags, tags, tags_of
from hatoba.reconcile import Wake
from hatoba.services.secretsmanager import envelope, model
from hatoba.services.secretsmanager.model import Replica, StoredSecret, Version
from hatoba.store import Change, Tx


def _primary_of(change: Change[Version]) -> list[Key]:
    return [model.secrets.key(change.key.scope, change.key.id.rpartition(":")[0])]


def _tagged(change: Change[Any]) -> list[Key]:
    """A tag's record is named by its resource: `arn:…:secret:<name>-<letters>`."""
    _, secret, rest = change.key.id.partition(":secret:")
    return [model.secrets.key(change.key.scope, rest[:-7])] if secret else []


class Replicator:
    """One key for each secret that has replicas."""

    name = "secretsmanager.replicator"
    wakes = (
        Wake(model.secrets, lambda change: [change.key] if change.after and change.after.replicas else []),
        Wake(model.versions, _primary_of),
        Wake(tags, _tagged),
    )

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store = platform.store

    def keys(self) -> Iterable[Key]:
        return [secret.key for secret in self._store.index(model.secrets, "waits", "replicas")]

    async def reconcile(self, key: Key) -> float | None:
        secret = self._store.get(model.secrets, key)
        if secret is None or secret.deletion is not None:
            return None
        for replica in secret.replicas:
            if replica.status == "Failed":
                continue  # until it is asked for again
            try:
                await self._keep(secret, replica)
            except AwsError as error:
                if error.status >= 500:
                    raise
                self._note(secret, replica, replace(replica, status="Failed", message=error.message[:4096]))
            else:
                self._note(secret, replica, replace(replica, status="InSync", message=None))
        return None

    async def _keep(self, secret: StoredSecret, replica: Replica) -> None:
        scope = Scope(secret.key.partition, secret.key.account, replica.region)
        there = self._store.find(model.secrets, scope, secret.id)
        if there is not None and there.primary != secret.key.region:
            if not replica.force:
                raise AwsError(
                    f"Replication failed: Secret name {secret.id} already exists in region {replica.region}."
                )
            there = None
        copy = there or StoredSecret(
            key=model.secrets.key(scope, secret.id),
            suffix=secret.suffix,
            created=secret.created,
            changed=secret.changed,
            kms_key=replica.kms_key,
            primary=secret.key.region,
        )
        versions = model.versions_of(self._store, secret)
        new = [each for each in versions if each.has_value and not self._has(copy, each)]
        made = [await self._translated(secret, copy, each) for each in new]
        with self._store.tx() as tx:
            self._write(tx, secret, copy, made)

    def _has(self, copy: StoredSecret, version: Version) -> bool:
        found = model.find_version(self._store, copy, version.name)
        return found is not None and found.has_value and copy.version > 0

    async def _translated(self, secret: StoredSecret, copy: StoredSecret, version: Version) -> Version:
        here, there = (self._platform.door(each.scope, "secretsmanager", source=each.arn) for each in (secret, copy))
        value = await envelope.decrypted(here, secret, version)
        return await envelope.encrypted(there, copy, version.name, value, now=version.created)

    def _write(self, tx: Tx, secret: StoredSecret, copy: StoredSecret, made: list[Version]) -> None:
        """All of the replica in one transaction, by what the primary is now. A primary that changed wakes us again."""
        if copy.version == 0 and (other := tx.get(model.secrets, copy.key)) is not None:
            model.delete_secret(tx, other)
        wanted = replace(copy, description=secret.description, policy=secret.policy, changed=secret.changed)
        if wanted != copy or copy.version == 0:
            copy = tx.put(model.secrets, wanted)
        stages = model.stages_of(tx, secret)
        for version in made:
            tx.write(model.versions, replace(version, stages=stages.get(version.name, ())))
        for version in model.versions_of(tx, copy):
            if version.name not in stages:
                tx.forget(model.versions, version.key)
        model.set_stages(tx, copy, stages)
        labels = tags_of(tx, secret.scope, secret.arn)
        if labels != tags_of(tx, copy.scope, copy.arn):
            forget_tags(tx, copy.scope, copy.arn)
            set_tags(tx, copy.scope, copy.arn, labels)

    def _note(self, secret: StoredSecret, before: Replica, after: Replica) -> None:
        """What became of a replica, if it is still wanted."""
        if after == before:
            return
        with self._store.tx() as tx:
            now = tx.get(model.secrets, secret.key)
            if now is not None:
                replicas = tuple(after if each == before else each for each in now.replicas)
                if replicas != now.replicas:
                    tx.put(model.secrets, replace(now, replicas=replicas))
