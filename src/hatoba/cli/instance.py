"""The platform itself: up, down, status, env, node, registry trust.

Settings that `up` was given are kept beside its sockets, so that every later command finds the instance as it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
from pathlib import Path

import hatoba
from hatoba.app import pidfile, ports
from hatoba.app import places as place
from hatoba.app import settings as setting
from hatoba.app import up as app
from hatoba.app.rootkey import read_root
from hatoba.app.settings import Settings
from hatoba.core.errors import Refused
from hatoba.core.files import write_file

_TRUST = Path("/etc/containers/registries.conf.d")


def _settings(given: argparse.Namespace) -> Settings:
    return setting.load(given.data, vars(given))


def _kept(places: place.Places) -> Path:
    """The settings that `up` was given, for the processes it starts and for later commands."""
    return places.run / "settings.json"


def _running(given: argparse.Namespace) -> tuple[Settings, place.Places]:
    """An instance's settings as it runs, or as it would."""
    settings = _settings(given)
    places = app.the_instance(settings.data)
    if _kept(places).exists():
        settings = setting.load(settings.data, json.loads(_kept(places).read_text()))
    return settings, places


def _say(line: str) -> None:
    print(line, flush=True)


# --- up and down


def up(given: argparse.Namespace) -> int:
    app.need_root()
    settings = _settings(given)
    from hatoba.cli.doctor import missing

    for problem in missing():
        raise Refused(problem)
    places = place.ensure(settings.data)
    if (pid := app.running(places, "up")) is not None:
        raise _runs_already(settings, pid)
    words = {name: value for name in Settings.__struct_fields__ if (value := getattr(given, name, None)) is not None}
    write_file(_kept(places), json.dumps({name: str(value) for name, value in words.items()}).encode())
    if given.detach:
        again = [item for name, value in words.items() for item in (f"--{name.replace('_', '-')}", str(value))]
        return app.detach(places, _say, ["--keep-tasks", "--data", str(settings.data), *_without_data(again)])
    return _supervise(settings, places, keep_tasks=given.keep_tasks)


def _without_data(words: list[str]) -> list[str]:
    return [word for pair in zip(words[::2], words[1::2], strict=True) if pair[0] != "--data" for word in pair]


def _runs_already(settings: Settings, pid: int) -> Refused:
    return Refused(
        f"Hatoba runs already with {settings.data} (pid {pid}). `hatoba down --data {settings.data}` ends it."
    )


def _supervise(settings: Settings, places: place.Places, *, keep_tasks: bool) -> int:
    from hatoba.app.down import end_node, forget_run

    try:
        held = pidfile.hold(places.pid_file("up"))
    except pidfile.Taken as taken:
        raise _runs_already(settings, taken.pid) from None
    stood = (places.run / "containerd").exists()  # tasks of before, which a failure to start must not end
    ended = 1
    try:
        app.stop_processes(places, ("control", "node"))  # of a supervisor that was killed; tasks run on
        ports.refuse_taken(settings.host, settings.port)
        if settings.tls_port:
            ports.refuse_taken(settings.tls_host, settings.tls_port)
        ended = asyncio.run(app.Supervisor(settings, places, _say).run(lambda: None))
    finally:
        pidfile.let_go(places.pid_file("up"), held)
        if not keep_tasks if ended == 0 else not stood:
            asyncio.run(end_node(places))
            forget_run(places)
    return ended


def down(given: argparse.Namespace) -> int:
    app.need_root()
    settings = _settings(given)
    places = app.the_instance(settings.data)
    from hatoba.app.down import end_node, forget_run
    from hatoba.app.names import write_block

    app.stop_processes(places)
    write_block(places.instance, None)
    asyncio.run(end_node(places))
    forget_run(places)
    if given.purge:
        _registry_file(places).unlink(missing_ok=True)
        app.purge(settings.data)
    _say(f"down  {settings.data}{' (deleted)' if given.purge else ''}")
    return 0


# --- the two processes (started by the supervisor)


def control(given: argparse.Namespace) -> int:
    settings, places = _running(given)
    from hatoba.app.control import main

    return main(settings, places)


def node(given: argparse.Namespace) -> int:
    app.need_root()
    if given.what:
        return _tell_of_nodes(given)
    if bool(given.activation_id) != bool(given.activation_code) or (given.activation_id and given.join):
        raise Refused("A node joins with --join TOKEN, or with --activation-id ID and --activation-code CODE.")
    settings = _settings(given)
    places = place.ensure(settings.data)
    local = _kept(places).exists()
    if local:
        settings, places = _running(given)
    from hatoba.app.node import NodeSettings, main

    node_settings = NodeSettings(
        name=given.name or socket.gethostname(),
        address=given.address or (settings.node_host if settings.several_nodes else ""),
        token=given.join or given.activation_code or "",
        activation=given.activation_id or "",
        token_file=given.join_file,
        local=local,
        endpoint_port=settings.port,
        task_endpoint=settings.task_endpoint == "on" and settings.auth == "on",
        entrances=settings.auth == "on",
        bridge=settings.bridge,
        metadata_file=settings.metadata_file == "on",
        elb_log_period=settings.elb_log_period,
        log_level=settings.log_level,
        attributes=_attributes(given),
    )
    return main(node_settings, places)


def _tell_of_nodes(given: argparse.Namespace) -> int:
    from hatoba.app import admin

    about_one = given.what in ("cordon", "uncordon", "remove")
    if about_one != bool(given.which):
        raise Refused(f"`hatoba node {given.what}` {'needs the name of a node' if about_one else 'takes no name'}.")
    _, places = _running(given)
    _say(admin.ask(places.admin_socket, f"node-{given.what}", given.which or "").rstrip())
    return 0


def interrupt(given: argparse.Namespace) -> int:
    from hatoba.app import admin

    _, places = _running(given)
    _say(admin.ask(places.admin_socket, "interrupt", given.task).rstrip())
    return 0


def _attributes(given: argparse.Namespace) -> dict[str, str]:
    """What the owner says of the machine: `stack=blue` or just `ssd`; the group of a capacity provider; external."""
    found = dict(word.partition("=")[::2] for word in given.attribute)
    if wrong := [name for name in found if not name or name.startswith("ecs.")]:
        raise Refused(
            f"{wrong[0] or 'An attribute without a name'} cannot be an attribute: names with ecs. are ECS's own."
        )
    if given.group:
        found["hatoba.group"] = given.group
    if given.external:
        found["ecs.capability.external"] = ""
    return found


# --- looking


def status(given: argparse.Namespace) -> int:
    settings, places = _running(given)
    found = app.health(settings) or {}
    processes = {name: app.running(places, name) for name in ("up", "control", "node")}
    report = {
        "version": hatoba.__version__,
        "data": str(settings.data),
        "endpoint": f"http://{settings.host}:{settings.port}",
        "status": found.get("status", "down"),
        "processes": processes,
        "components": found.get("components", {}),
    }
    if given.json:
        _say(json.dumps(report, indent=2))
    else:
        _say(f"hatoba {report['version']}  {report['status']}  {report['endpoint']}  {report['data']}")
        for name, pid in processes.items():
            _say(f"  {name:<12} {'pid ' + str(pid) if pid else 'not running'}")
        components = report["components"]
        for name, said in (components if isinstance(components, dict) else {}).items():
            _say(f"  {name:<12} {said}")
    return 0 if report["status"] == "ready" else 1


def env(given: argparse.Namespace) -> int:
    settings, places = _running(given)
    key, secret = read_root(places.credentials)
    host = "localhost" if settings.host == "127.0.0.1" else settings.host
    _say(f"export AWS_ENDPOINT_URL=http://{host}:{settings.port}")
    _say(f"export AWS_ACCESS_KEY_ID={key}")
    _say(f"export AWS_SECRET_ACCESS_KEY={secret}")
    _say(f"export AWS_DEFAULT_REGION={settings.region}")
    return 0


# --- the host's configuration, only when asked


def _registry_file(places: place.Places) -> Path:
    return _TRUST / f"hatoba-{places.instance}.conf"


def names(given: argparse.Namespace) -> int:
    app.need_root()
    from hatoba.app import admin

    _, places = _running(given)
    _say(admin.ask(places.admin_socket, f"names-{given.what}").rstrip())
    return 0


def registry(given: argparse.Namespace) -> int:
    app.need_root()
    settings, places = _running(given)
    file = _registry_file(places)
    if given.remove:
        file.unlink(missing_ok=True)
        _say(f"removed {file}")
        return 0
    hosts = (f"localhost:{settings.port}", f"127.0.0.1:{settings.port}")
    text = "".join(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n\n' for host in hosts)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_file(file, f"# Written by `hatoba registry trust`; `--remove` takes it away.\n{text}".encode(), 0o644)
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}.") from None
    _say(f"wrote {file}")
    return 0
