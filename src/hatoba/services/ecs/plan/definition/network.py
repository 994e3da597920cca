"""What a network mode allows: ports, links, names, and the kernel's settings that go with namespaces.

Pure: a request in, refusals (`ClientException`) in AWS's words out. Source: the model's documentation of PortMapping,
ContainerDefinition, SystemControl, and of networkMode, pidMode and ipcMode.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, cast

from hatoba.aws.shapes import ecs as t

MOST_RANGES = 100  # in one container
_PORT_NAME = re.compile(r"[a-z0-9_][a-z0-9_-]{0,63}")
_LINK = re.compile(r"[A-Za-z0-9_-]{1,255}(:[A-Za-z0-9_-]{1,255})?")
_PROTOCOLS = ("tcp", "udp")
_OF_IPC = ("kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.")
_OF_NETWORK = ("net.",)
# What a container cannot have where its network is the task's own interface.
_NOT_IN_AWSVPC = (
    ("links", "Links are not supported when networkMode=awsvpc."),
    ("hostname", "hostname is not supported on container when networkMode=awsvpc."),
    ("extraHosts", "Extra hosts are not supported on container when networkMode=awsvpc."),
    ("dnsServers", "DNS servers are not supported on container when networkMode=awsvpc."),
    ("dnsSearchDomains", "DNS search domains are not supported on container when networkMode=awsvpc."),
    ("disableNetworking", "Disable Networking is not supported on container when networkMode=awsvpc."),
)


def _refuse(message: str) -> t.ClientException:
    return t.ClientException(message)


def _setting(container: t.ContainerDefinition, message: str) -> t.ClientException:
    return _refuse(f"Invalid setting for container '{container.get('name')}'. {message}")


class Span(NamedTuple):
    """Ports of a container, from the first to the last."""

    first: int
    last: int

    def meets(self, other: Span) -> bool:
        return self.first <= other.last and other.first <= self.last


def defaults(port: t.PortMapping, mode: str | None) -> t.PortMapping:
    """As AWS tells it back. Any protocol but the two it knows means tcp."""
    full = cast(t.PortMapping, {**port})
    if full.get("protocol") not in _PROTOCOLS:
        full["protocol"] = "tcp"
    if "containerPort" in full:
        full.setdefault("hostPort", full["containerPort"] if mode in ("awsvpc", "host") else 0)
    return full


def check(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> None:
    mode = req.get("networkMode") or "bridge"
    _ports(container, mode)
    _links(container, mode)
    if mode == "awsvpc":
        for member, words in _NOT_IN_AWSVPC:
            if container.get(member):
                raise _refuse(words)
    _controls(container, req)


# --- ports


def _ports(container: t.ContainerDefinition, mode: str) -> None:
    if mode == "none" and container["portMappings"]:
        raise _refuse("Port mappings are not supported when networkMode=none.")
    spans: list[Span] = []
    for port in container["portMappings"]:
        many = port.get("containerPortRange")
        span = _single(port, mode) if many is None else _range(port, many, mode)
        for other in filter(span.meets, spans):
            if span.first < span.last or other.first < other.last:
                text = f"{min(span.first, other.first)}-{max(span.last, other.last)}"
                raise _refuse(f"Invalid 'portMappings' setting. The port ranges within '{text}' overlap.")
        spans.append(span)
        _name(port)
    if sum("containerPortRange" in port for port in container["portMappings"]) > MOST_RANGES:
        raise _refuse(f"Invalid 'portMappings' setting. A container can have at most {MOST_RANGES} port ranges.")


def _single(port: t.PortMapping, mode: str) -> Span:
    number = port.get("containerPort")
    if number is None:
        raise _refuse("Container port must be specified in port mappings.")
    host = port.get("hostPort") or 0
    if not 1 <= number <= 65535:
        raise _refuse("Container port must be between 1 and 65535.")
    if not 0 <= host <= 65535:
        raise _refuse("Host port must be between 0 and 65535.")
    if mode in ("awsvpc", "host") and host != number:
        raise _refuse(f"When networkMode={mode}, the host ports and container ports in port mappings must match.")
    return Span(number, number)


def _range(port: t.PortMapping, text: str, mode: str) -> Span:
    if port.get("containerPort") is not None or port.get("hostPort") is not None:
        raise _refuse("Invalid 'portMappings' setting. You cannot specify both single port and port range.")
    if mode == "host":
        raise _refuse("Invalid 'portMappings' setting. containerPortRange is not supported when networkMode=host.")
    span = span_of(text)
    if span is None:
        raise _refuse(f"Invalid containerPortRange '{text}': two ports from 1 to 65535, the lower first.")
    return span


def span_of(text: str) -> Span | None:
    """`8000-8010`, or None when it is no range."""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) < int(last) <= 65535):
        return None
    return Span(int(first), int(last))


def _name(port: t.PortMapping) -> None:
    if port.get("appProtocol") and not port.get("name"):
        raise _refuse("A port mapping with an appProtocol must have a name.")
    if "name" in port and not _PORT_NAME.fullmatch(port["name"]):
        raise _refuse(f"Port mapping name '{port['name']}' contains invalid characters.")


def distinct_ports(req: t.RegisterTaskDefinitionRequest) -> None:
    """Names are unique in the task; so are ports of the node, or of the network that the containers share."""
    names: set[str] = set()
    taken: list[tuple[str, Span]] = []
    shared = req.get("networkMode") in ("awsvpc", "host")
    for container in req["containerDefinitions"]:
        for port in container["portMappings"]:
            if "name" in port:
                if port["name"] in names:
                    raise _refuse(f"The port mapping name '{port['name']}' is already used. Names must be unique.")
                names.add(port["name"])
            here = (port["protocol"], span) if (span := _on_the_node(port, shared)) else None
            if here is None:
                continue
            if any(here[0] == protocol and here[1].meets(other) for protocol, other in taken):
                raise _refuse(f"The host port {here[1].first}/{here[0]} is mapped more than once.")
            taken.append(here)


def _on_the_node(port: t.PortMapping, shared: bool) -> Span | None:
    """What is taken there for certain: not what the node is to choose."""
    if "containerPortRange" in port:
        return span_of(port["containerPortRange"]) if shared else None
    return Span(port["hostPort"], port["hostPort"]) if port.get("hostPort") else None


# --- links


def _links(container: t.ContainerDefinition, mode: str) -> None:
    links = container.get("links") or ()
    if links and mode in ("host", "none"):
        raise _refuse(f"Links are not supported when networkMode={mode}.")
    for link in links:
        if not _LINK.fullmatch(link):
            raise _refuse(f"Invalid 'links' setting. '{link}' is not name or name:alias.")
        if link.partition(":")[0] == container["name"]:
            raise _refuse("Invalid 'links' setting. A container cannot be linked to itself.")


def linked(container: t.ContainerDefinition) -> Iterable[tuple[str, str]]:
    """The containers that it is linked to, and as what."""
    for link in container.get("links") or ():
        name, _, alias = link.partition(":")
        yield name, alias or name


# --- the kernel's settings


def _controls(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> None:
    """Those of no namespace, or of one that is the node's own, would be set for everybody."""
    if any(not control.get("namespace") or control.get("value") is None for control in container["systemControls"]):
        raise _setting(container, "A systemControl must have a namespace and a value.")
    names = [control["namespace"] for control in container["systemControls"]]
    if stranger := next((name for name in names if not name.startswith((*_OF_IPC, *_OF_NETWORK))), ""):
        raise _setting(container, f"The systemControl '{stranger}' is not in a separate kernel namespace.")
    if req.get("networkMode") == "host" and (name := _first(names, _OF_NETWORK)):
        raise _refuse(f"The systemControls namespace '{name}' is not supported when networkMode=host.")
    if req.get("ipcMode") == "host" and (name := _first(names, _OF_IPC)):
        raise _refuse(f"The systemControls namespace '{name}' is not supported when ipcMode=host.")


def _first(names: Iterable[str], prefixes: tuple[str, ...]) -> str:
    return next((name for name in names if name.startswith(prefixes)), "")


def modes(req: t.RegisterTaskDefinitionRequest) -> None:
    platform = req.get("runtimePlatform") or {}
    windows = platform.get("operatingSystemFamily", "LINUX") != "LINUX"
    if windows and (req.get("pidMode") or req.get("ipcMode")):
        raise _refuse("Windows containers do not support pidMode and ipcMode.")
