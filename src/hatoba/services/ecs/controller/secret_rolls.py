"""Deploys a service anew when a secret that its tasks were started with changes, if it wants that.

It wants it by the tag `hatoba:roll-on-secret-change` = `true`, on the service or on its task definition (the service's
counts before). What its tasks were started with are `secrets` and `secretOptions`; files are refreshed without a
restart (`secret_files`). Which versions they have is noted when a deployment begins. Rooms tell what changed; then the
versions are asked for under the execution role, and others than those noted lead to one deployment, by UpdateService,
once nothing more has changed for a moment: a rotation, or a script, writes several times.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from hatoba.core import arn as arns
from hatoba.core.errors import AwsError
from hatoba.core.keys import Key
from hatoba.core.records import replace
from hatoba.gateway.call import Platform
from hatoba.gateway.tags import Tags, tags, tags_of
from hatoba.reconcile import Wake
from hatoba.services.ecs.controller.secrets import Reader, Unavailable
from hatoba.services.ecs.model.arns import definition_arn
from hatoba.services.ecs.model.service import Service, add_events, service_id, services
from hatoba.services.ecs.model.task_definition import Definition, definition_id, definitions
from hatoba.services.ecs.model.watch import Watch, watches
from hatoba.services.ecs.plan.rollout import words
from hatoba.services.ecs.plan.secrets import Reference, known_as, resource, wanted
from hatoba.store import Change, Tx
from hatoba.store.store import View

log = logging.getLogger(__name__)

OPTION = "hatoba:roll-on-secret-change"
QUIET = 1.0  # seconds without a further change


class SecretRolls:
    """One key for each service that wants it."""

    name = "ecs.secret_rolls"

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._store = platform.store
        self._clock = platform.clock
        self._reader = Reader(platform)
        self._started = False
        self.wakes = (Wake(services, self._deployed), Wake(tags, self._tagged))

    def keys(self) -> Iterable[Key]:
        """All at the start; then only what is under way needs the slow period."""
        if self._started:
            return [_service(watch) for watch in self._store.all(watches) if watch.since is not None]
        self._started = True
        return [service.key for service in self._store.all(services) if _wants(self._store, service)]

    def hear(self, arn: str) -> Iterable[Key]:
        return [_service(watch) for name in known_as(arn) for watch in self._store.index(watches, "reads", name)]

    def _deployed(self, change: Change[Service]) -> Iterable[Key]:
        before, after = change.before, change.after
        if before is not None and after is not None and _matters(before) == _matters(after):
            return ()
        found = self._store.find(watches, change.key.scope, change.key.id)
        return (change.key,) if found is not None or (after and _wants(self._store, after)) else ()

    def _tagged(self, change: Change[Tags]) -> Iterable[Key]:
        """The tags of a service, or of a definition, name the option, or did."""
        if not any(record is not None and OPTION in record.tags for record in (change.before, change.after)):
            return ()
        parsed, scope = arns.parse(change.key.id), change.key.scope
        kind, _, rest = (
            parsed.resource.partition("/") if parsed is not None and parsed.service == "ecs" else ("", "", "")
        )
        if kind == "service":
            cluster, _, name = rest.partition("/")
            return (services.key(scope, service_id(cluster, name)),)
        if kind == "task-definition":
            family, _, revision = rest.partition(":")
            used = (scope, definition_id(family, int(revision)))
            return [service.key for service in self._store.index(services, "definition", used)]
        return ()

    async def reconcile(self, key: Key) -> float | None:
        service = self._store.get(services, key)
        definition = _definition(self._store, service) if service is not None else None
        references = _references(definition) if definition is not None else []
        if service is None or definition is None or not references or not _wants(self._store, service):
            self._forget(key)
            return None
        reads = tuple(dict.fromkeys(resource(reference, key.scope) for reference in references))
        role = definition.content.get("executionRoleArn")
        try:
            now = await self._reader.versions(service, role, "ecs-secret-change", references)
        except Unavailable as error:
            self._unknown(service, reads, str(error))
            return None
        watch = self._noted(service, reads, now)
        if watch.since is None:
            return None
        if self._clock.now() < watch.since + QUIET:
            return watch.since + QUIET
        await self._roll(service, watch)
        return None

    def _noted(self, service: Service, reads: tuple[str, ...], now: dict[str, str]) -> Watch:
        """The watch with what was just seen. The tasks of a new deployment have read what there is."""
        with self._store.tx() as tx:
            known = tx.find(watches, service.scope, service.id)
            if known is None or known.deployment != service.primary.id or not known.versions:
                return tx.put(watches, _fresh(known, service, reads, now))
            if now == known.versions:
                after = replace(known, seen={}, since=None, told=False)
            elif now != known.seen:
                after = replace(known, seen=now, since=self._clock.now())
            else:
                after = known
            return tx.put(watches, after) if after != known else known

    def _unknown(self, service: Service, reads: tuple[str, ...], why: str) -> None:
        """They cannot be read: said once for a deployment; what is read later is what the next change is told from."""
        log.warning("%s: %s", service.arn, why)
        with self._store.tx() as tx:
            known = tx.find(watches, service.scope, service.id)
            if known is None or known.deployment != service.primary.id:
                tx.put(watches, _fresh(known, service, reads, {}))
                self._say(tx, service.key, words.not_watched(why))

    async def _roll(self, service: Service, watch: Watch) -> None:
        """Said first: should we end in between, the deployment is still made, and said once."""
        changed = sorted({_arn(source) for source, version in watch.seen.items() if watch.versions[source] != version})
        if not watch.told:
            with self._store.tx() as tx:
                watch = tx.put(watches, replace(watch, told=True))
                self._say(tx, service.key, words.rolled(changed))
        aws = self._platform.door(service.scope, "ecs")
        try:
            await aws.ecs.update_service(cluster=service.cluster, service=service.name, forceNewDeployment=True)
        except AwsError as error:
            if error.status >= 500:
                raise
            with self._store.tx() as tx:
                tx.put(watches, replace(watch, versions=watch.seen, seen={}, since=None, told=False))
                self._say(tx, service.key, words.not_rolled(changed, error.message))

    def _say(self, tx: Tx, key: Key, message: str) -> None:
        service = tx.get(services, key)
        if service is not None:
            tx.put(services, add_events(tx, service, [message], self._clock.now()))

    def _forget(self, key: Key) -> None:
        if self._store.find(watches, key.scope, key.id) is not None:
            with self._store.tx() as tx:
                tx.forget(watches, watches.key(key.scope, key.id))


def _fresh(known: Watch | None, service: Service, reads: tuple[str, ...], now: dict[str, str]) -> Watch:
    key = watches.key(service.scope, service.id)
    version = known.version if known is not None else 0
    return Watch(key=key, version=version, deployment=service.primary.id, reads=reads, versions=now)


def _service(watch: Watch) -> Key:
    return services.key(watch.scope, watch.id)


def _matters(service: Service) -> tuple[object, ...]:
    return service.status, service.controller, service.deployments[:1] and service.primary.id


def _wants(view: View, service: Service) -> bool:
    if service.status != "ACTIVE" or service.controller != "ECS" or not service.deployments:
        return False
    family, _, revision = service.primary.revision.definition.partition(":")
    arn = definition_arn(service.scope, family, int(revision))
    said = tags_of(view, service.scope, service.arn).get(OPTION) or tags_of(view, service.scope, arn).get(OPTION)
    return (said or "").lower() == "true"


def _definition(view: View, service: Service) -> Definition | None:
    return view.find(definitions, service.scope, service.primary.revision.definition) if service.deployments else None


def _references(definition: Definition) -> list[Reference]:
    return wanted(definition, {}).started_with


def _arn(source: str) -> str:
    """Without what tells a secret's version."""
    return ":".join(source.split(":")[:7]) if ":secretsmanager:" in source else source
