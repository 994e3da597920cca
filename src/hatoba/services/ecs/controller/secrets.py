"""Reads what a task's configuration refers to, under its execution role, before the task is handed to its node.

Each source is asked for once per task: parameters in tens, as `ssm` takes them. What is read stays in this process
until it goes, sealed, into the task's workload. A refusal ends the task in the words of Fargate; a fault of the asked
service is none, and the task's next activation asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import NamedTuple, TypeVar

from hatoba.core.errors import AwsError, HatobaError
from hatoba.core.keys import Scope
from hatoba.core.secret import Secret
from hatoba.gateway.call import Door, Platform, Principal
from hatoba.services.ecs.acting import acting_as
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan import reasons
from hatoba.services.ecs.plan.secret_files import of_container
from hatoba.services.ecs.plan.secrets import (
    BadLogin,
    Injected,
    Object,
    Parameter,
    Read,
    Reference,
    SecretVersion,
    Unreadable,
    Unusable,
    Wanted,
    contents,
    injected,
    resource,
    wanted,
)
from hatoba.services.ecs.plan.workload import execution_role

T = TypeVar("T")


class Answer(NamedTuple):
    """`version` tells one value from the next."""

    value: Secret
    version: str
    text: bool = True  # it is no binary value


Values = dict[Parameter | SecretVersion, Answer]

AT_ONCE = 10  # parameters that GetParameters takes
LONGEST_FILE = 1 << 20


class Unavailable(HatobaError):
    """The task cannot start without it. The text is the task's `stoppedReason`."""


class Reader:
    """Asks `ssm`, `secretsmanager` and `s3` at the front door."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def read(self, task: Task, definition: Definition) -> Injected:
        """Raises `Unavailable`, or the `AwsError` of a service that may answer later."""
        sources = self.sources(task, definition)
        if not sources:
            return Injected()
        principal = await self._assume(task.scope, execution_role(task, definition), task.id, task.arn)
        logins = await self._logins(task.scope, principal, sources)
        values = await self._values(task.scope, principal, sources.references())
        objects = await self._objects(task.scope, principal, sources)
        _refuse_binary(sources, values)
        found = {source: answer.value for source, answer in values.items()}
        try:
            return injected(sources, Read(values=found | logins, objects=objects))
        except BadLogin as error:
            raise Unavailable(reasons.login(str(error))) from error
        except Unusable as error:
            raise Unavailable(reasons.secret(str(error))) from error

    def sources(self, task: Task, definition: Definition) -> Wanted:
        """All that a task reads. Raises `Unavailable`."""
        try:
            placed = {c["name"]: of_container(c, task.file_tags, task.scope) for c in definition.containers}
        except Unreadable as error:
            raise Unavailable(reasons.secret_file(str(error))) from error
        return wanted(definition, task.overrides, placed)

    def reads(self, task: Task, definition: Definition) -> tuple[str, ...]:
        """ARNs of what its files in memory are made of."""
        try:
            placed = self.sources(task, definition).placed
        except Unavailable:  # it will not start
            return ()
        found = (resource(reference, task.scope) for files in placed.values() for reference in files.values())
        return tuple(dict.fromkeys(found))

    async def files(self, task: Task, definition: Definition) -> dict[str, dict[str, Secret]]:
        """The files in memory alone, as they would be now. Raises as `read`."""
        principal = await self._assume(task.scope, execution_role(task, definition), task.id, task.arn)
        only = Wanted(placed=self.sources(task, definition).placed)
        values = await self._values(task.scope, principal, only.references())
        _refuse_binary(only, values)
        try:
            return contents(only, Read(values={source: answer.value for source, answer in values.items()}))
        except Unusable as error:
            raise Unavailable(reasons.secret(str(error))) from error

    async def versions(
        self, service: Service, role: str | None, session: str, asked: list[Reference]
    ) -> dict[str, str]:
        """Which version each source is of now, by its ARN and what else tells it. Raises as `read`."""
        scope = service.scope
        principal = await self._assume(scope, role, session, service.arn)
        values = await self._values(scope, principal, asked)
        return {_named(reference, scope): values[reference.source].version for reference in asked}

    async def _assume(self, scope: Scope, role: str | None, session: str, source: str) -> Principal:
        """The execution role, in a session that has the task's name. `source`: the ARN of what it is for."""
        if not role:
            raise Unavailable(reasons.secret_file("secret files need an execution role, and the task has none."))
        try:
            return await acting_as(self._platform, scope, role, session, source=source)
        except AwsError as error:
            raise _told(error, reasons.role(role)) from error

    def _door(self, scope: Scope, region: str, principal: Principal) -> Door:
        return self._platform.door(scope._replace(region=region), "ecs", principal)

    # --- parameters and secrets

    async def _values(self, scope: Scope, principal: Principal, references: Iterable[Reference]) -> Values:
        found = dict.fromkeys(reference.source for reference in references)
        secrets = [source for source in found if isinstance(source, SecretVersion)]
        parameters: dict[str, list[Parameter]] = {}
        for source in found:
            if isinstance(source, Parameter):
                parameters.setdefault(source.region, []).append(source)
        asked = [self._secret(self._door(scope, s.region, principal), s) for s in secrets]
        for region, named in parameters.items():
            tens = (named[first : first + AT_ONCE] for first in range(0, len(named), AT_ONCE))
            asked += [self._parameters(self._door(scope, region, principal), ten) for ten in tens]
        answers = await _together(asked)
        return {source: value for answer in answers for source, value in answer.items()}

    async def _secret(self, aws: Door, source: SecretVersion) -> Values:
        try:
            return {source: await _secret_value(aws, source)}
        except AwsError as error:
            said = f"failed to fetch secret {source.secret} from secrets manager: "
            raise _told(
                error, reasons.secret(said + reasons.api("Secrets Manager", "GetSecretValue", error))
            ) from error

    async def _parameters(self, aws: Door, named: list[Parameter]) -> Values:
        try:
            answer = await aws.ssm.get_parameters(Names=[p.name for p in named], WithDecryption=True)
        except AwsError as error:
            raise _told(error, reasons.parameter(reasons.api("SSM", "GetParameters", error))) from error
        if invalid := answer.get("InvalidParameters"):
            raise Unavailable(reasons.parameter(f"invalid ssm parameters: {','.join(invalid)}"))
        # A parameter that is asked for by its ARN is answered by its name.
        values = {name: p for p in answer["Parameters"] for name in (p["Name"], p.get("ARN", ""))}
        found = {source: values[source.name] for source in named}
        return {source: Answer(Secret(p["Value"]), str(p.get("Version", ""))) for source, p in found.items()}

    # --- registries' logins

    async def _logins(
        self, scope: Scope, principal: Principal, sources: Wanted
    ) -> dict[Parameter | SecretVersion, Secret]:
        kept = list(dict.fromkeys(sources.logins.values()))
        found = await _together(self._login(self._door(scope, s.region, principal), s) for s in kept)
        return dict(zip(kept, found, strict=True))

    async def _login(self, aws: Door, source: SecretVersion) -> Secret:
        try:
            return (await _secret_value(aws, source)).value
        except AwsError as error:
            said = f"asm fetching secret from the service for {source.secret}: "
            raise _told(error, reasons.login(said + reasons.api("Secrets Manager", "GetSecretValue", error))) from error

    # --- files

    async def _objects(self, scope: Scope, principal: Principal, sources: Wanted) -> dict[Object, Secret]:
        aws = self._door(scope, scope.region, principal)
        listed = list(dict.fromkeys(sources.objects()))
        texts = await _together(self._object(aws, file, sources) for file in listed)
        return dict(zip(listed, texts, strict=True))

    async def _object(self, aws: Door, file: Object, sources: Wanted) -> Secret:
        reason = reasons.router_file if file == sources.router_config else reasons.file
        try:
            answer = await aws.s3.get_object(Bucket=file.bucket, Key=file.key)
        except AwsError as error:
            raise _told(error, reason(reasons.api("S3", "GetObject", error))) from error
        body = await _whole(answer["Body"])
        if len(body) > LONGEST_FILE:
            raise Unavailable(reason(f"{file.bucket}/{file.key} has more than {LONGEST_FILE} bytes"))
        return Secret(body.decode("utf-8", "replace"))


def _refuse_binary(sources: Wanted, values: Values) -> None:
    """In the environment a binary value is an empty one, as on AWS; a file of it would be a trap."""
    for placed in sources.placed.values():
        for path, reference in placed.items():
            if not values[reference.source].text:
                raise Unavailable(
                    reasons.secret_file(f"{path}: its secret has a binary value, which cannot be a file.")
                )


def _named(reference: Reference, scope: Scope) -> str:
    source, arn = reference.source, resource(reference, scope)
    return f"{arn}:{source.stage}:{source.version}" if isinstance(source, SecretVersion) else arn


async def _secret_value(aws: Door, source: SecretVersion) -> Answer:
    which = {"VersionStage": source.stage, "VersionId": source.version}
    given = {name: value for name, value in which.items() if value}
    answer = await aws.secretsmanager.get_secret_value(SecretId=source.secret, **given)
    return Answer(Secret(answer.get("SecretString") or ""), answer.get("VersionId", ""), "SecretBinary" not in answer)


async def _whole(body: bytes | AsyncIterator[bytes]) -> bytes:
    """A body, whole or in pieces, up to a little more than is taken."""
    if isinstance(body, bytes):
        return body
    read = b""
    async for piece in body:
        read += piece
        if len(read) > LONGEST_FILE:
            break
    return read


async def _together(work: Iterable[Awaitable[T]]) -> list[T]:
    """All answers; of several errors the first one in order, so that the same task fails for the same reason."""
    answers = await asyncio.gather(*work, return_exceptions=True)
    found: list[T] = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        found.append(answer)
    return found


def _told(error: AwsError, reason: str) -> HatobaError:
    """A refusal is the task's end, for a reason; a fault is the asked service's, and may pass."""
    return error if error.status >= 500 else Unavailable(reason)
