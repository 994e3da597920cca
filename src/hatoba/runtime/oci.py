"""A container spec as the OCI runtime config that crun reads.

Pure and golden-tested. The defaults (mounts, masked paths, devices, name spaces) are those of Docker, because images
are written for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hatoba.runtime import capabilities, seccomp
from hatoba.runtime.base import ContainerSpec, ExecSpec, Mount, Resources, Ulimit
from hatoba.runtime.cgroups import Layout
from hatoba.runtime.machine import Machine
from hatoba.runtime.users import User

INIT = "/sbin/docker-init"  # where programs that look for it expect it

_MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
    "/sys/firmware",
)  # fmt: skip
_UNLIMITED = (1 << 64) - 1
_FILES = Ulimit(name="nofile", soft=1024, hard=524288)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_DEVICE_RULES = (  # (type, major, minor): null, zero, full, random, urandom, tty, console, ptmx, pts/*
    ("c", 1, 3), ("c", 1, 5), ("c", 1, 7), ("c", 1, 8), ("c", 1, 9), ("c", 5, 0), ("c", 5, 1), ("c", 5, 2),
    ("c", 136, None),
)  # fmt: skip


class DeviceNode(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the host as stat(2) tells it, and where the container wants it."""

    path: str
    type: str  # "c" or "b"
    major: int
    minor: int
    mode: int
    permissions: str = "rwm"


def config(
    spec: ContainerSpec,
    machine: Machine,
    user: User,
    profile: seccomp.Profile,
    netns: str = "",
    devices: Sequence[DeviceNode] = (),
) -> dict[str, Any]:
    """The config. `netns` is the spec's network namespace by a path that containerd's own mount namespace can see."""
    wanted = capabilities.resolve(spec.cap_add, spec.cap_drop, privileged=spec.privileged)
    caps = [name for name in wanted if name in machine.capabilities]
    return {
        "ociVersion": "1.0.2",
        "process": _process(spec, machine, user, caps),
        "root": {"path": "rootfs", "readonly": spec.read_only_root},
        "hostname": spec.hostname or spec.id[:12],
        "mounts": _mounts(spec, machine),
        "linux": _linux(spec, machine, caps, profile, netns, devices),
    }


def cgroup_path(machine: Machine, group: str, id: str) -> str:
    return f"{machine.cgroup_parent}/{group}/{id}" if group else f"{machine.cgroup_parent}/{id}"


def exec_process(base: Mapping[str, Any], spec: ExecSpec, user: User | None) -> dict[str, Any]:
    """The process of an exec: the container's own, with what the exec says otherwise."""
    process = {key: value for key, value in base.items() if key not in ("terminal", "consoleSize")}
    process["args"] = list(spec.args)
    if spec.env:
        named = {entry.partition("=")[0]: entry for entry in (*base["env"], *spec.env)}
        process["env"] = list(named.values())
    if spec.cwd:
        process["cwd"] = spec.cwd
    if user is not None:
        process["user"] = _user(user)
    if spec.terminal:
        process["terminal"] = True
        process["consoleSize"] = {"width": spec.columns, "height": spec.rows}
    return process


def _process(spec: ContainerSpec, machine: Machine, user: User, caps: Sequence[str]) -> dict[str, Any]:
    env = list(spec.env)
    if not any(entry.startswith("HOME=") for entry in env):
        env.append(f"HOME={user.home}")
    if spec.stdio.terminal and not any(entry.startswith("TERM=") for entry in env):
        env.append("TERM=xterm")
    # Like execve: another user than root starts with none in effect, but may gain them from set-uid programs.
    in_effect = list(caps) if user.uid == 0 else []
    return {
        "terminal": spec.stdio.terminal,
        "user": _user(user),
        "args": [*_init(spec), *spec.args],
        "env": env,
        "cwd": spec.cwd or "/",
        "capabilities": {"bounding": list(caps), "effective": in_effect, "permitted": in_effect},
        "rlimits": _rlimits(spec, machine),
        "noNewPrivileges": spec.no_new_privileges,
        "oomScoreAdj": machine.oom_score,  # containerd's own is far below, and would be inherited
    }


def _init(spec: ContainerSpec) -> list[str]:
    """Where it is not pid 1, orphans come to the init process only because it asks for them."""
    if not spec.init:
        return []
    return [INIT, "-s", "--"] if spec.pidns else [INIT, "--"]


def _user(user: User) -> dict[str, Any]:
    return {"uid": user.uid, "gid": user.gid, "umask": 0o022, "additionalGids": list(user.groups)}


def _rlimits(spec: ContainerSpec, machine: Machine) -> list[dict[str, Any]]:
    """What is asked for, and a sane number of files, as far as this machine lets us give it."""
    limits = {"nofile": _FILES} | {limit.name: limit for limit in spec.ulimits}
    found = []
    for name, limit in sorted(limits.items()):
        ceiling = machine.rlimits.get(name, _UNLIMITED)
        hard, soft = (min(_UNLIMITED if value < 0 else value, ceiling) for value in (limit.hard, limit.soft))
        found.append({"type": f"RLIMIT_{name.upper()}", "soft": soft, "hard": hard})
    return found


def _mounts(spec: ContainerSpec, machine: Machine) -> list[dict[str, Any]]:
    """The defaults first, the user's after them, parents before children, so that none hides another."""
    access = "rw" if spec.privileged else "ro"
    safe = ["nosuid", "noexec", "nodev"]
    mounts = [
        _mount("/proc", "proc", "proc", safe),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
        ),
        _mount("/sys", "sysfs", "sysfs", [*safe, access]),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", [*safe, "relatime", access]),
        _mount("/dev/mqueue", "mqueue", "mqueue", safe),
    ]
    if spec.ipcns == "host":
        mounts.append(_mount("/dev/shm", "bind", "/dev/shm", ["rbind", "rw"]))
    elif spec.shm_size:
        mounts.append(_mount("/dev/shm", "tmpfs", "shm", [*safe, "mode=1777", f"size={spec.shm_size}"]))
    if spec.init:
        mounts.append(_mount(INIT, "bind", machine.init_path, ["bind", "ro"]))
    theirs = sorted(spec.mounts, key=lambda mount: mount.target.rstrip("/").count("/"))
    targets = {mount.target.rstrip("/") for mount in theirs}
    return [m for m in mounts if m["destination"] not in targets] + [_their_mount(mount) for mount in theirs]


def _mount(destination: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options}


def _their_mount(mount: Mount) -> dict[str, Any]:
    access = "ro" if mount.read_only else "rw"
    if mount.kind == "bind":
        propagation = (
            [] if any("private" in o or "shared" in o or "slave" in o for o in mount.options) else ["rprivate"]
        )
        return _mount(mount.target, "bind", mount.source, ["rbind", access, *propagation, *mount.options])
    size = [] if mount.size is None else [f"size={mount.size}"]
    return _mount(mount.target, "tmpfs", "tmpfs", ["noexec", "nosuid", "nodev", access, *size, *mount.options])


def _linux(
    spec: ContainerSpec,
    machine: Machine,
    caps: Sequence[str],
    profile: seccomp.Profile,
    netns: str,
    devices: Sequence[DeviceNode],
) -> dict[str, Any]:
    linux: dict[str, Any] = {
        "cgroupsPath": cgroup_path(machine, spec.group, spec.id),
        "namespaces": _namespaces(spec, machine.layout, netns),
        "resources": resources(spec.resources, machine) | {"devices": _device_rules(spec, devices)},
        "sysctl": _sysctls(spec),
    }
    if devices:
        linux["devices"] = [
            {"path": d.path, "type": d.type, "major": d.major, "minor": d.minor, "fileMode": d.mode, "uid": 0, "gid": 0}
            for d in devices
        ]
    if not spec.privileged:
        linux["maskedPaths"] = list(_MASKED)
        linux["readonlyPaths"] = list(_READ_ONLY)
        if spec.seccomp == "default":
            linux["seccomp"] = seccomp.build(profile, tuple(caps), machine.architecture)
    return linux


def _namespaces(spec: ContainerSpec, layout: Layout, netns: str) -> list[dict[str, str]]:
    spaces: list[dict[str, str]] = [{"type": "mount"}, {"type": "uts"}]
    if layout == "v2" and not spec.privileged:
        spaces.append({"type": "cgroup"})
    wanted = {"network": netns or spec.netns, "pid": spec.pidns, "ipc": spec.ipcns}
    for kind, path in wanted.items():
        if path != "host":
            spaces.append({"type": kind, "path": path} if path else {"type": kind})
    return spaces


def _sysctls(spec: ContainerSpec) -> dict[str, str]:
    """As Docker: ports below 1024 and ping are for everyone, where the network is the container's own."""
    own = {} if spec.netns == "host" else {"net.ipv4.ip_unprivileged_port_start": "0"}
    return own | dict(spec.sysctls)


def _device_rules(spec: ContainerSpec, devices: Sequence[DeviceNode]) -> list[dict[str, Any]]:
    if spec.privileged:
        return [{"allow": True, "access": "rwm"}]
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    rules += [{"allow": True, "type": kind, "access": "m"} for kind in ("c", "b")]
    for kind, major, minor in _DEVICE_RULES:
        rule = {"allow": True, "type": kind, "major": major, "access": "rwm"}
        rules.append(rule if minor is None else rule | {"minor": minor})
    for device in devices:
        number = {"type": device.type, "major": device.major, "minor": device.minor}
        rules.append({"allow": True, **number, "access": device.permissions})
    return rules


def resources(r: Resources, machine: Machine) -> dict[str, Any]:
    """`linux.resources`, devices apart. crun turns shares into v2's weight by itself."""
    cpu: dict[str, Any] = {}
    if r.cpu_shares is not None:
        cpu["shares"] = max(2, r.cpu_shares)
    if r.cpu_quota is not None:
        cpu |= {"quota": r.cpu_quota, "period": r.cpu_period}
    if r.cpuset:
        cpu["cpus"] = r.cpuset
    memory: dict[str, Any] = {}
    if r.memory is not None:
        memory["limit"] = r.memory
        if machine.swap:
            memory["swap"] = r.memory if r.memory_swap is None else r.memory_swap
    if r.memory_reservation is not None:
        memory["reservation"] = r.memory_reservation
    if r.swappiness is not None and machine.layout != "v2":
        memory["swappiness"] = r.swappiness
    parts = {"cpu": cpu, "memory": memory, "pids": {} if r.pids is None else {"limit": r.pids}}
    return {name: part for name, part in parts.items() if part}
