"""The contents of a container's /etc/hosts, /etc/resolv.conf and /etc/hostname, by the network that it has.

On the host's network they are the host's own files, as with docker; elsewhere they begin empty.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hatoba.fleet.model import ContainerWanted, Workload
from hatoba.node.translate import Host, Place, hostname_of

_LOCAL = ("127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback")


def etc_files(workload: Workload, container: ContainerWanted, place: Place) -> Mapping[str, str]:
    name = hostname_of(workload, container, place)
    return {
        "hosts": _text(_hosts(workload, container, name, place)),
        "resolv.conf": _text(_resolv(container, place)),
        "hostname": name + "\n",
    }


def host_files() -> Host:
    """As they are now: a container has a copy of its own, which does not follow them."""
    return Host(name=os.uname().nodename, hosts=_read("/etc/hosts"), resolv=_read("/etc/resolv.conf"))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _hosts(workload: Workload, container: ContainerWanted, name: str, place: Place) -> list[str]:
    lines = place.host.hosts.splitlines() if place.host is not None else list(_LOCAL)
    if not container.offline:
        lines += [f"{address} {name}" for address in place.addresses_of(container.name)]
    lines += [line for link in container.links if (line := _link(workload, link, place))]
    return lines + [f"{address} {host}" for host, address in container.extra_hosts.items()]


def _link(workload: Workload, link: tuple[str, str], place: Place) -> str:
    """The other's address with the alias, its host name and its own name, as docker writes them."""
    other, alias = link
    wanted = next((container for container in workload.containers if container.name == other), None)
    if wanted is None or other not in place.seats:
        return ""
    names = dict.fromkeys((alias, hostname_of(workload, wanted, place), other))
    return f"{place.seats[other].address} {' '.join(names)}"


def _resolv(container: ContainerWanted, place: Place) -> list[str]:
    """What the container says replaces what it would have: servers and domains each for themselves."""
    kept = [f"search {place.domain}"] if place.domain else []
    if place.host is not None:
        kept = place.host.resolv.splitlines()
    if container.dns_search:
        kept = [line for line in kept if line.split(maxsplit=1)[:1] not in (["search"], ["domain"])]
        kept.insert(0, f"search {' '.join(container.dns_search)}")
    if container.dns_servers:
        kept = [line for line in kept if line.split(maxsplit=1)[:1] != ["nameserver"]]
    return kept + [f"nameserver {server}" for server in container.dns_servers or place.servers]


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
