"""Envoy's hand-over from one process to the next ("hot restart"), as far as it goes on outside of Envoy.

The two talk through abstract sockets of their network namespace and a small piece of shared memory, both named by a
base number. A new one asks its predecessor for the listening sockets, so that no connection that waits to be accepted
is lost, and tells it to drain once it serves itself; after `PARTING` seconds it tells it to end.
"""

from __future__ import annotations

import hashlib
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

PARTING = 360.0  # seconds: Envoy's drain time, and a minute for who is slow
SOCKETS = "@hatoba-envoy"

_PAUSE, _LONGEST_PAUSE = 0.1, 600.0  # seconds

_MEMORY = Path("/dev/shm")
_BASES = 200_000_000  # Envoy multiplies by ten, within 31 bits
# The shared memory's beginning and end, as Envoy 1.40 has it (hot restart version 11): size and version, two mutexes,
# flags. The only flag says that somebody is initialising; one who died at it leaves it set, and everybody after is
# turned away.
_HEAD, _KNOWN = struct.Struct("=QQ"), (104, 11)
_FLAGS = 96


def base(directory: Path, number: int) -> int:
    """For a launch that has no predecessor. Another one for each, as an earlier one may still be leaving."""
    digest = hashlib.blake2b(f"{directory}/{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % _BASES


def options(base: int, epoch: int, parting: float) -> list[str]:
    return [
        *("--base-id", str(base), "--restart-epoch", str(epoch), "--socket-path", SOCKETS),
        *("--parent-shutdown-time-s", str(max(1, round(parting)))),
    ]


def pauses() -> Iterator[float]:
    """Seconds before the next try, after a successor came to nothing. None at first: who dies once its predecessor has
    been told to drain leaves nobody listening."""
    yield 0.0
    pause = _PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def version(program: Path) -> str:
    """Of the hand-over, as that program does it."""
    return (
        subprocess.run(
            [program, "--hot-restart-version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        .stdout.decode()
        .strip()
    )


def memory(base: int) -> Path:
    return _MEMORY / f"envoy_shared_memory_{base * 10}"


def admit_again(base: int) -> None:
    """After a successor died before it served: the next one may try."""
    try:
        with memory(base).open("r+b") as file:
            if _HEAD.unpack(file.read(_HEAD.size)) == _KNOWN:
                file.seek(_FLAGS)
                file.write(bytes(8))
    except (FileNotFoundError, struct.error):
        return


def forget(base: int | None) -> None:
    """Envoy leaves the memory behind."""
    if base is not None:
        memory(base).unlink(missing_ok=True)
