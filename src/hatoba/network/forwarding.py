"""The one setting of the host that the fabric may have to change, remembered and put back.

Packets from our uplinks are forwarded because the uplinks' own flags say so. The answers come in by the device that
leads outside, and are forwarded only if *its* flag is on. When it is off, it is turned on; what was found is written
down first, in one file for all instances on the machine, and the last instance that needs it turns it off again,
unless forwarding was turned on for the whole host meanwhile. `hostrules` keeps such a device closed for all others.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hatoba.core.files import swap_file
from hatoba.network.namespace import sysctl


class Forwarding:
    """Used from jobs in the host's namespace."""

    def __init__(self, file: Path, instance: str) -> None:
        self._file = file
        self._instance = instance

    def turn_on(self, devices: tuple[str, ...]) -> tuple[str, ...]:
        """Answers those of the devices that forward only because of us."""
        ours = []
        with self._state() as state:
            for device in devices:
                holders = state.get(_key(device))
                if holders is None and _read(device) == "1":
                    continue
                state[_key(device)] = sorted({*(holders or ()), self._instance})
                self._write(state)
                sysctl(f"net/ipv4/conf/{device}/forwarding", "1")
                ours.append(device)
        return tuple(ours)

    def restore(self) -> None:
        namespace = _key("")
        with self._state() as state:
            for key in [key for key in state if key.startswith(namespace)]:
                holders = [holder for holder in state[key] if holder != self._instance]
                device = key.removeprefix(namespace)
                if holders:
                    state[key] = holders
                    continue
                if _read("all") == "0" and _read(device) == "1":
                    sysctl(f"net/ipv4/conf/{device}/forwarding", "0")
                del state[key]
            self._write(state)

    @contextlib.contextmanager
    def _state(self) -> Iterator[dict[str, list[str]]]:
        """Device → the instances that need it, for devices that did not forward before. Held alone meanwhile."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield self._read()
        finally:
            os.close(folder)

    def _read(self) -> dict[str, list[str]]:
        try:
            state = msgspec.json.decode(self._file.read_bytes(), type=dict[str, list[str]])
        except FileNotFoundError:
            return {}
        # A folder that is not on a tmpfs keeps what counted before the machine was started anew.
        return {key: holders for key, holders in state.items() if key.startswith(_boot())}

    def _write(self, state: dict[str, list[str]]) -> None:
        if not state:
            self._file.unlink(missing_ok=True)
            return
        swap_file(self._file, msgspec.json.encode(state))


def _key(device: str) -> str:
    """A device's name counts within one host namespace only."""
    return f"{_boot()}/{os.stat('/proc/thread-self/ns/net').st_ino}/{device}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _read(device: str) -> str:
    """The device's flag; "" when there is no such device any more."""
    try:
        return Path("/proc/sys/net/ipv4/conf", device, "forwarding").read_text().strip()
    except FileNotFoundError:
        return ""
