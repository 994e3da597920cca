"""What a task's configuration is read from, and what is read, as values: parameters, secrets, files of variables.

`wanted` lists every source that a task names, each once. What was read (`Read`) becomes what its containers are given
(`Injected`). Forms and words of errors are those of the open ECS agent and of Fargate, which users search for.

    DB_HOST                                                        a parameter of this region
    arn:aws:ssm:eu-west-1:123456789012:parameter/db/host           a parameter of that region
    arn:aws:secretsmanager:…:secret:db-AbCdEf                      a whole secret, its current version
    arn:aws:secretsmanager:…:secret:db-AbCdEf:password:AWSPREVIOUS:    one key of its JSON, another version
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from hatoba.aws.shapes import ecs as t
from hatoba.core import arn as arns
from hatoba.core.errors import HatobaError
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.services.ecs.model.task import Part
from hatoba.services.ecs.model.task_definition import Definition

_PARAMETER = re.compile(r"[a-zA-Z0-9_.\-,/]{1,2048}")
_SUFFIX = re.compile(r"-[a-zA-Z0-9]{6}$")
BAD_SECRET_ARN = (
    "an invalid ARN format for the AWS Secrets Manager secret was specified. Specify a valid ARN and try again."
)


class Unreadable(HatobaError):
    """The reference has no form that can be read. The text says what is wrong with it."""


class Unusable(HatobaError):
    """What was read is not what was asked for: the key is missing, or it is no JSON."""


class BadLogin(Unusable):
    """A registry's login is not one."""


class Parameter(Part, frozen=True, kw_only=True):
    region: str
    name: str


class SecretVersion(Part, frozen=True, kw_only=True):
    region: str
    secret: str  # the ARN, without what follows the name
    stage: str = ""
    version: str = ""


class Object(Part, frozen=True, kw_only=True):
    """A file in an object store."""

    bucket: str
    key: str


class Reference(Part, frozen=True, kw_only=True):
    """Where a value comes from: `key` names one member of a secret that is a JSON object."""

    source: Parameter | SecretVersion
    key: str = ""


class Login(Part, frozen=True, kw_only=True):
    username: str
    password: Secret


class Injected(Part, frozen=True, kw_only=True):
    """What the containers of one task are given beside their definitions, by container."""

    secrets: dict[str, dict[str, Secret]] = msgspec.field(default_factory=dict)
    variables: dict[str, dict[str, Secret]] = msgspec.field(default_factory=dict)  # of environment files
    log_options: dict[str, dict[str, Secret]] = msgspec.field(default_factory=dict)
    logins: dict[str, Login] = msgspec.field(default_factory=dict)
    router_config: Secret | None = None  # the log router's own, from an object store
    placed: dict[str, dict[str, Secret]] = msgspec.field(default_factory=dict)  # files in memory, by path


# --- references ----------------------------------------------------------------------------------------------------


def reference(text: str, scope: Scope) -> Reference:
    """What a `valueFrom` refers to. Raises `Unreadable`."""
    parsed = arns.parse(text)
    if parsed is None:
        if not _PARAMETER.fullmatch(text):
            raise Unreadable("it is neither the name of a parameter nor an ARN.")
        return Reference(source=Parameter(region=scope.region, name=text))
    if parsed.service == "ssm":
        return Reference(source=Parameter(region=parsed.region, name=_parameter_name(parsed, scope)))
    if parsed.service == "secretsmanager":
        return _secret(parsed)
    raise Unreadable(f"{parsed.service} keeps no secrets.")


def _parameter_name(parsed: arns.Arn, scope: Scope) -> str:
    """A name with a hierarchy begins with a slash, which its ARN does not repeat."""
    kind, _, path = parsed.resource.partition("/")
    if kind != "parameter" or not _PARAMETER.fullmatch(path):
        raise Unreadable("it is not the ARN of a parameter.")
    if parsed.account != scope.account:
        return str(parsed)  # shared by another account: known by its ARN only
    return f"/{path}" if "/" in path else path


def _secret(parsed: arns.Arn) -> Reference:
    kind, *parts = parsed.resource.split(":")
    if kind != "secret" or len(parts) not in (1, 4) or not parts[0]:
        raise Unreadable(BAD_SECRET_ARN)
    name, key, stage, version = (*parts, "", "", "")[:4]
    arn = str(parsed._replace(resource=f"secret:{name}"))
    return Reference(source=SecretVersion(region=parsed.region, secret=arn, stage=stage, version=version), key=key)


def login_source(text: str, scope: Scope) -> SecretVersion:
    """Where a private registry's login is kept: by ARN, or by name in the task's region."""
    if arns.parse(text) is None:
        return SecretVersion(region=scope.region, secret=text)
    source = reference(text, scope).source
    if not isinstance(source, SecretVersion):
        raise Unreadable("a registry's login is a secret of Secrets Manager.")
    return source


def object_at(arn: str) -> Object:
    """`arn:aws:s3:::bucket/folder/app.env`. Raises `Unreadable`."""
    parsed = arns.parse(arn)
    bucket, _, key = parsed.resource.partition("/") if parsed is not None and parsed.service == "s3" else ("", "", "")
    if not bucket or not key:
        raise Unreadable("Invalid arn syntax.")
    return Object(bucket=bucket, key=key)


# --- what a task names ---------------------------------------------------------------------------------------------


class Wanted(Part, frozen=True, kw_only=True):
    """By container, in order. Objects are listed for each, because the first one that names a variable decides."""

    secrets: dict[str, dict[str, Reference]] = msgspec.field(default_factory=dict)
    log_options: dict[str, dict[str, Reference]] = msgspec.field(default_factory=dict)
    files: dict[str, tuple[Object, ...]] = msgspec.field(default_factory=dict)
    logins: dict[str, SecretVersion] = msgspec.field(default_factory=dict)
    router_config: Object | None = None
    placed: dict[str, dict[str, Reference]] = msgspec.field(default_factory=dict)  # files in memory, by path

    def __bool__(self) -> bool:
        return bool(self.started_with or self.files or self.logins or self.router_config or self.placed)

    @property
    def started_with(self) -> list[Reference]:
        """What a process knows from its start on, and will not hear of again."""
        return [one for named in (*self.secrets.values(), *self.log_options.values()) for one in named.values()]

    def references(self) -> Iterator[Reference]:
        yield from self.started_with
        for placed in self.placed.values():
            yield from placed.values()

    def objects(self) -> Iterator[Object]:
        for files in self.files.values():
            yield from files
        if self.router_config is not None:
            yield self.router_config


def wanted(
    definition: Definition, overrides: Mapping[str, Any], placed: Mapping[str, Mapping[str, Reference]] | None = None
) -> Wanted:
    """Every source that a task of this definition reads. Definitions are checked, so every reference has its form.
    `placed`: its files in memory (`secret_files`)."""
    scope = definition.scope
    changed: dict[str, dict[str, Any]] = {o["name"]: o for o in overrides.get("containerOverrides") or ()}
    found = Wanted(placed={name: dict(files) for name, files in (placed or {}).items() if files})
    for c in definition.containers:
        name = c["name"]
        if named := c.get("secrets"):
            found.secrets[name] = _references(named, scope)
        if (log := c.get("logConfiguration")) and (named := log.get("secretOptions")):
            found.log_options[name] = _references(named, scope)
        if listed := changed.get(name, {}).get("environmentFiles") or c.get("environmentFiles"):
            found.files[name] = tuple(object_at(file["value"]) for file in listed)
        if credentials := c.get("repositoryCredentials"):
            found.logins[name] = login_source(credentials["credentialsParameter"], scope)
        options = router.get("options") or {} if (router := c.get("firelensConfiguration")) else {}
        if options.get("config-file-type") == "s3":
            found = replace(found, router_config=object_at(options["config-file-value"]))
    return found


def _references(named: Sequence[t.Secret], scope: Scope) -> dict[str, Reference]:
    return {secret["name"]: reference(secret["valueFrom"], scope) for secret in named}


# --- what was read -------------------------------------------------------------------------------------------------


class Read(Part, frozen=True, kw_only=True):
    values: dict[Parameter | SecretVersion, Secret] = msgspec.field(default_factory=dict)
    objects: dict[Object, Secret] = msgspec.field(default_factory=dict)

    def value(self, reference: Reference) -> Secret:
        whole = self.values[reference.source]
        return Secret(_member(whole.reveal(), reference.key)) if reference.key else whole


def injected(wanted: Wanted, read: Read) -> Injected:
    """Raises `Unusable`."""
    return Injected(
        secrets={c: {n: read.value(r) for n, r in named.items()} for c, named in wanted.secrets.items()},
        log_options={c: {n: read.value(r) for n, r in named.items()} for c, named in wanted.log_options.items()},
        variables={c: _variables(read.objects[file].reveal() for file in files) for c, files in wanted.files.items()},
        logins={c: login(read.values[source].reveal()) for c, source in wanted.logins.items()},
        router_config=read.objects[wanted.router_config] if wanted.router_config else None,
        placed=contents(wanted, read),
    )


def contents(wanted: Wanted, read: Read) -> dict[str, dict[str, Secret]]:
    """Of the files in memory, by container and path. Raises `Unusable`."""
    return {c: {path: read.value(r) for path, r in files.items()} for c, files in wanted.placed.items()}


def resource(reference: Reference, scope: Scope) -> str:
    """The ARN of what is referred to, as far as the reference has it: that of a secret may lack its last letters."""
    source = reference.source
    if isinstance(source, SecretVersion) or source.name.startswith("arn:"):
        return source.secret if isinstance(source, SecretVersion) else source.name
    return arns.make(scope._replace(region=source.region), "ssm", f"parameter/{source.name.removeprefix('/')}")


def known_as(arn: str) -> tuple[str, ...]:
    """By which of `resource` somebody may know what has this ARN."""
    parsed = arns.parse(arn)
    if parsed is not None and parsed.service == "secretsmanager" and _SUFFIX.search(arn):
        return arn, arn[: -len("-AbCdEf")]
    return (arn,)


def _member(text: str, key: str) -> str:
    """One member of a JSON object, as text: a string as it is, anything else as JSON."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Unusable(_no_json(text)) from None
    if not isinstance(found, dict):
        raise Unusable("json: cannot unmarshal value into Go value of type map[string]interface {}")
    if key not in found:
        raise Unusable(f"retrieved secret from Secrets Manager did not contain json key {key}")
    value = found[key]
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def _no_json(text: str) -> str:
    # One character of it, as AWS has it: the rest of a secret does not belong into a reason.
    start = text.lstrip()[:1]
    return f"invalid character '{start}' looking for beginning of value" if start else "unexpected end of JSON input"


def login(text: str) -> Login:
    """A private registry's login: a secret `{"username": …, "password": …}`. Raises `BadLogin`."""
    if not text:
        raise BadLogin("asm fetching authorization data: empty secrets value")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadLogin("asm fetching authorization data: unable to unmarshal secret value, invalid schema")
    members = {str(name).lower(): value for name, value in found.items()}
    for member in ("username", "password"):
        if not isinstance(members.get(member), str) or not members[member]:
            raise BadLogin(f"asm fetching {member}: AuthorizationData is malformed, empty field")
    return Login(username=members["username"], password=Secret(members["password"]))


def _variables(files: Iterator[str]) -> dict[str, Secret]:
    """The variables of several files: the first file that names one decides."""
    found: dict[str, Secret] = {}
    for text in files:
        found = {**{name: Secret(value) for name, value in variables(text).items()}, **found}
    return found


def variables(text: str) -> dict[str, str]:
    """One file of variables: NAME=value, quotes and spaces as they are; `#` at a line's beginning makes it a comment.
    A line without a name or a value says nothing, and the last of two lines counts."""
    found = {}
    for line in text.split("\n"):
        name, sign, value = line.removesuffix("\r").partition("=")
        if sign and name and value and not line.startswith("#"):
            found[name] = value
    return found
