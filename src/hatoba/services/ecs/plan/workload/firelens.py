"""FireLens: one container routes the logs of the others.

The router (Fluent Bit or fluentd) is given a configuration made here: it listens on a socket and a port, adds what it
knows of the task to each record, and has an output for each container that says so in its log options. The node
sends it the others' output, tagged `<container>-firelens-<task>`. Sections, their order and the paths are those that
the open agent makes, because users' own configuration files build on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hatoba.aws.shapes import ecs as t
from hatoba.core.records import replace
from hatoba.fleet.model import ContainerWanted, DependsOn, LogWanted, RouterWanted
from hatoba.services.ecs.model.task import Task
from hatoba.services.ecs.model.task_definition import Definition
from hatoba.services.ecs.plan.secrets import Injected

DRIVER = "awsfirelens"
BUFFER = "log-driver-buffer-limit"
LARGEST_BUFFER = 536_870_912
SOCKET = "/var/run/fluent.sock"
PORT = "24224"
_BIND = {"awsvpc": "127.0.0.1", "bridge": "0.0.0.0"}  # where the port is open; elsewhere there is only the socket
_HEALTH_PORT = "8877"
_HEALTH_TAG = "firelens-healthcheck"
_FILTERS = ("include-pattern", "exclude-pattern")


class _Kind(NamedTuple):
    """What tells Fluent Bit and fluentd apart."""

    output: str  # the log option that names the plugin
    config: str
    external: str
    anything: str  # matches the rest of a tag
    secret: str  # a variable of the router's environment


_KINDS = {
    "fluentbit": _Kind("Name", "/fluent-bit/etc/fluent-bit.conf", "/fluent-bit/etc/external.conf", "*", "${%s}"),
    "fluentd": _Kind("@type", "/fluentd/etc/fluent.conf", "/fluentd/etc/external.conf", "**", "\"#{ENV['%s']}\""),
}


def missing_output(kind: str, options: Mapping[str, str]) -> str | None:
    """The option that must name a plugin, when there are options for one."""
    named = _KINDS[kind].output
    more = set(options) - {named, BUFFER, *_FILTERS}
    return named if more and named not in options else None


def router(definition: Definition) -> t.ContainerDefinition | None:
    return next((c for c in definition.containers if c.get("firelensConfiguration")), None)


def routed(definition: Definition) -> list[t.ContainerDefinition]:
    return [c for c in definition.containers if sends(c)]


def sends(c: t.ContainerDefinition) -> bool:
    """Its output goes to the router."""
    log = c.get("logConfiguration")
    return log is not None and log["logDriver"] == DRIVER


# --- what the containers are told ----------------------------------------------------------------------------------


def route(
    containers: tuple[ContainerWanted, ...], task: Task, definition: Definition, injected: Injected
) -> tuple[ContainerWanted, ...]:
    """The containers of a task, with its router configured and started before those whose logs it routes."""
    found = router(definition)
    if found is None:
        return containers
    senders = {c["name"] for c in routed(definition)}
    made = []
    for container in containers:
        if container.name == found["name"]:
            container = _router(container, found, task, definition, injected)
        elif container.name in senders:
            container = _sender(container, found["name"])
        made.append(container)
    return tuple(made)


def _router(
    container: ContainerWanted, c: t.ContainerDefinition, task: Task, definition: Definition, injected: Injected
) -> ContainerWanted:
    kind = _KINDS[c["firelensConfiguration"]["type"]]
    external = {kind.external: injected.router_config} if injected.router_config is not None else {}
    wanted = RouterWanted(files={kind.config: config(task, definition)}, sealed=external)
    options = {
        _variable(definition, name, option): value
        for name, given in injected.log_options.items()
        if name in {sender["name"] for sender in routed(definition)}
        for option, value in given.items()
    }
    return replace(container, router=wanted, secrets={**container.secrets, **options})


def _sender(container: ContainerWanted, router: str) -> ContainerWanted:
    if any(need.container == router for need in container.depends_on):
        return container
    return replace(container, depends_on=(*container.depends_on, DependsOn(container=router, condition="START")))


def log(c: t.ContainerDefinition, task: Task, router: t.ContainerDefinition) -> LogWanted:
    """Output that goes to the router, in the options of the driver that speaks to it."""
    given = c["logConfiguration"].get("options") or {}
    options = {
        "tag": f"{c['name']}-firelens-{task.id}",
        "fluentd-sub-second-precision": "true",
        # fluentd's plugin for sockets acknowledges nothing.
        "fluentd-request-ack": "true" if router["firelensConfiguration"]["type"] == "fluentbit" else "false",
    }
    if BUFFER in given:
        options["fluentd-buffer-limit"] = given[BUFFER]
    return LogWanted(driver="fluentd", options=options, router=router["name"])


# --- the router's configuration ------------------------------------------------------------------------------------


class _Pipe(NamedTuple):
    """An input or an output."""

    plugin: str
    tag: str = ""
    options: tuple[tuple[str, str], ...] = ()


class _Pattern(NamedTuple):
    include: bool
    tag: str
    pattern: str


class _Config(NamedTuple):
    inputs: list[_Pipe]
    patterns: list[_Pattern]
    record: dict[str, str]
    include: str
    outputs: list[_Pipe]


def config(task: Task, definition: Definition) -> str:
    """The text of the router's configuration file."""
    found = router(definition)
    assert found is not None
    settings = found["firelensConfiguration"]
    own = settings.get("options") or {}
    kind = _KINDS[settings["type"]]
    fluentd = settings["type"] == "fluentd"
    made = _Config(
        inputs=list(_inputs(fluentd, _BIND.get(definition.network_mode))),
        patterns=[],
        record=_metadata(task, definition) if own.get("enable-ecs-log-metadata", "true").lower() != "false" else {},
        include={"file": own.get("config-file-value", ""), "s3": kind.external}.get(
            own.get("config-file-type", ""), ""
        ),
        outputs=[] if fluentd or definition.network_mode not in _BIND else [_Pipe("null", _HEALTH_TAG)],
    )
    for c in routed(definition):
        _add(made, c, kind, definition)
    return "".join(_fluentd(made) if fluentd else _fluentbit(made))


def _inputs(fluentd: bool, bind: str | None) -> Iterator[_Pipe]:
    yield _Pipe("unix", options=(("path", SOCKET),)) if fluentd else _Pipe("forward", options=(("unix_path", SOCKET),))
    if bind is None:
        return
    if fluentd:
        yield _Pipe("forward", options=(("bind", bind), ("port", PORT)))
        return
    yield _Pipe("forward", options=(("Listen", bind), ("Port", PORT)))
    yield _Pipe("tcp", _HEALTH_TAG, (("Listen", "127.0.0.1"), ("Port", _HEALTH_PORT)))


def _metadata(task: Task, definition: Definition) -> dict[str, str]:
    instance = {} if task.launch_type == "FARGATE" else {"ec2_instance_id": task.node}
    return {
        **instance,
        "ecs_cluster": task.cluster,
        "ecs_task_arn": task.arn,
        "ecs_task_definition": f"{definition.family}:{definition.revision}",
    }


def _add(made: _Config, c: t.ContainerDefinition, kind: _Kind, definition: Definition) -> None:
    """A container's output, and what it leaves out."""
    log = c["logConfiguration"]
    secret = {
        s["name"]: kind.secret % _variable(definition, c["name"], s["name"]) for s in log.get("secretOptions") or ()
    }
    options = {**(log.get("options") or {}), **secret}
    tag = f"{c['name']}-firelens{kind.anything}"
    for option in _FILTERS:
        if option in options:
            made.patterns.append(_Pattern(option == "include-pattern", tag, options[option]))
    if kind.output in options:
        rest = {name: value for name, value in options.items() if name not in (kind.output, BUFFER, *_FILTERS)}
        made.outputs.append(_Pipe(options[kind.output], tag, tuple(sorted(rest.items()))))


def _variable(definition: Definition, container: str, option: str) -> str:
    """The router's environment variable that holds a secret option of a container's log driver."""
    number = [c["name"] for c in definition.containers].index(container)
    return f"{option}_{number}"


def _fluentbit(made: _Config) -> Iterator[str]:
    for pipe in made.inputs:
        tag = f"    Tag {pipe.tag}\n" if pipe.tag else ""
        yield f"\n[INPUT]\n    Name {pipe.plugin}\n{tag}{_lines(pipe.options)}"
    for found in sorted(made.patterns, key=lambda pattern: not pattern.include):
        keep = "Regex  log" if found.include else "Exclude log"
        yield f"\n[FILTER]\n    Name   grep\n    Match {found.tag}\n    {keep} {found.pattern}\n"
    if made.record:
        fields = "".join(f"    Record {name} {value}\n" for name, value in made.record.items())
        yield f"\n[FILTER]\n    Name record_modifier\n    Match *\n{fields}"
    if made.include:
        yield f"\n@INCLUDE {made.include}\n"
    for pipe in made.outputs:
        yield f"\n[OUTPUT]\n    Name {pipe.plugin}\n    Match {pipe.tag}\n{_lines(pipe.options)}"


def _fluentd(made: _Config) -> Iterator[str]:
    for pipe in made.inputs:
        yield f"\n<source>\n    @type {pipe.plugin}\n{_lines(pipe.options)}</source>\n"
    for found in sorted(made.patterns, key=lambda pattern: not pattern.include):
        keep = "regexp" if found.include else "exclude"
        rule = f"    <{keep}>\n        key log\n        pattern {found.pattern}\n    </{keep}>\n"
        yield f"\n<filter {found.tag}>\n    @type  grep\n{rule}</filter>\n"
    if made.record:
        fields = "".join(f"        {name} {value}\n" for name, value in made.record.items())
        yield f"\n<filter **>\n    @type record_transformer\n    <record>\n{fields}    </record>\n</filter>\n"
    if made.include:
        yield f"\n@include {made.include}\n"
    for pipe in made.outputs:
        yield f"\n<match {pipe.tag}>\n    @type {pipe.plugin}\n{_lines(pipe.options)}</match>\n"


def _lines(options: tuple[tuple[str, str], ...]) -> str:
    return "".join(f"    {name} {value}\n" for name, value in options)
