"""What an instance has on the machine: to see that nothing of it is left, and that nothing of it grows.

Everything is looked for by the instance's name and its folders, so that other instances beside it do not count.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hatoba.network.names import host_prefix, host_table
from hatoba.runtime.containerd.settings import Settings
from hatoba.store.journal import Entry, keep_last

CGROUPS = Path("/sys/fs/cgroup")
_ROUNDS, _ROUND_SECONDS = 100, 0.02


def _sh(*words: str) -> list[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=20).stdout.splitlines()


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:  # it ended just now, or is a zombie
        return ""


def _files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))  # which minds nothing that goes away meanwhile


def _folders(folder: Path) -> int:
    return sum(len(folders) for _, folders, _ in os.walk(folder))


def files(folder: Path, smaller: int) -> Iterator[tuple[Path, bytes]]:
    """Every file below that has less bytes than that, with what is in it; those that go away meanwhile apart."""
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            with contextlib.suppress(OSError):
                if path.is_file() and path.stat().st_size < smaller:
                    yield path, path.read_bytes()


def pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())


class Traces:
    """Made while the instance is there, since its folder may be gone later."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.name = (data / "instance").read_text().strip()
        self.run = Path("/run/hatoba") / self.name
        pool = data / "control" / "pool"
        self.pool = pool.read_text().strip() if pool.exists() else ""

    def _ours(self, text: str) -> bool:
        return str(self.data) in text or str(self.run) in text or f"hatoba-{self.name}" in text

    # --- what must be gone after `down --purge`

    def left(self) -> dict[str, list[str]]:
        """Kind → what there is of it; kinds of which there is nothing are left out."""
        found = {
            "processes": [f"{pid} {line[:120]}" for pid, line in self.processes().items()],
            "mounts": self.mounts(),
            "loop devices": self.loops(),
            "interfaces": self.interfaces(),
            "rules": [line for line in _sh("nft", "list", "tables") if line.endswith(host_table(self.name))],
            "routes": self.routes(),
            "cgroups": self.cgroups(),
            "run": [str(self.run)] if self.run.exists() else [],
            "data": [str(self.data)] if self.data.exists() else [],
            "sockets": [line for line in Path("/proc/net/unix").read_text().splitlines() if self._ours(line)],
            "forwarding": [t for t in [_read(Path("/run/hatoba/forwarding.json"))] if f'"{self.name}"' in t],
        }
        return {kind: things for kind, things in found.items() if things}

    def processes(self) -> dict[int, str]:
        """By command line or cgroup: pid → command line. Zombies, which only their parent can end, apart."""
        found = {}
        for pid in pids():
            folder = Path(f"/proc/{pid}")
            line = _read(folder / "cmdline")
            if not self._ours(line + _read(folder / "cgroup")):
                continue
            if _read(folder / "stat").rpartition(")")[2].split()[:1] not in ([], ["Z"]):
                found[pid] = line
        return found

    def mounts(self) -> list[str]:
        """In every mount namespace that a process is in."""
        seen: dict[str, str] = {}
        for pid in pids():
            with contextlib.suppress(OSError):
                seen.setdefault(os.readlink(f"/proc/{pid}/ns/mnt"), f"/proc/{pid}/mountinfo")
        return sorted(
            f"{namespace} {line}"
            for namespace, file in seen.items()
            for line in _read(Path(file)).splitlines()
            if self._ours(line)
        )

    def loops(self) -> list[str]:
        """The kernel frees one a moment after the last mount of it has gone."""
        for _ in range(_ROUNDS):
            files = [_read(path).strip() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
            found = [file for file in files if self._ours(file)]
            if not found:
                break
            time.sleep(_ROUND_SECONDS)
        return found

    def interfaces(self) -> list[str]:
        prefix = host_prefix(self.name)
        return sorted(name for name in os.listdir("/sys/class/net") if name.startswith(prefix))

    def routes(self) -> list[str]:
        network = self.pool.split("/")[0].rsplit(".", 2)[0] if self.pool else host_prefix(self.name)
        wanted = re.compile(rf"\b{re.escape(network)}\.|{host_prefix(self.name)}")
        return [line for line in _sh("ip", "route", "show", "table", "all") if wanted.search(line)]

    def cgroups(self) -> list[str]:
        tops = [CGROUPS, *(path for path in CGROUPS.iterdir() if path.is_dir())]
        return sorted({str(p.resolve()) for top in tops for p in top.glob(f"hatoba-{self.name}")})

    def shim_sockets(self) -> list[Path]:
        """Of the containers that there are: files in a folder that all of a machine's containerds share."""
        settings = Settings(data=self.data, run=self.run / "containerd", cgroup_parent=f"/hatoba-{self.name}")
        bundles = settings.bundles
        return [settings.shim_socket(path.name) for path in bundles.iterdir()] if bundles.exists() else []

    # --- what must not grow while the same is wanted

    def counts(self) -> dict[str, int]:
        """How much there is of everything that a task, a restart or a deployment makes."""
        snapshots = self.data / "node" / "containerd/root/io.containerd.snapshotter.v1.overlayfs/snapshots"
        tops = [Path(path) for path in self.cgroups()]
        return {
            "processes": len(self.processes()),
            "interfaces": len(self.interfaces()),
            "routes": len(self.routes()),
            "namespaces": _files(self.run / "net"),
            "cgroups": sum(_folders(top) for top in tops),
            "snapshots": len(list(snapshots.glob("*"))),
            "files of proxies": _files(self.run / "proxy"),
            "open files of control": self._open_files("control"),
            "open files of node": self._open_files("node"),
            **self.of_tasks(),
        }

    def of_tasks(self) -> dict[str, int]:
        """What every task has on its node."""
        node, bundles = self.data / "node", self.run / "containerd/state/io.containerd.runtime.v2.task/hatoba"
        return {
            "bundles": len(list(bundles.glob("*"))),
            "task folders": len(list((node / "tasks").glob("*"))),
            "spools": _files(node / "output"),
            "disks and volumes": len(list((node / "containerd" / "scratch").glob("*"))),
        }

    def _open_files(self, process: str) -> int:
        pid = int((self.run / f"{process}.pid").read_text())
        return len(os.listdir(f"/proc/{pid}/fd"))

    def records(self) -> dict[str, int]:
        """Records by table, of the journal and of the node's memory."""
        found: Counter[str] = Counter()
        for name, file in (("control", self.data / "control/journal.db"), ("node", self.data / "node/state.db")):
            found.update(f"{name} {table}" for table, _ in _live(file))
        return found


def _live(journal: Path) -> set[tuple[str, bytes]]:
    """Its rows, with what stands in its log alone (`store/sqlite.py`)."""
    database = sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=10)
    try:
        database.execute("BEGIN")
        live = set(database.execute("SELECT tab, key FROM rows"))
        since = "seq > (SELECT value FROM meta WHERE name = 'applied')"
        log = database.execute(f"SELECT entry FROM log WHERE {since} ORDER BY seq").fetchall()
    finally:
        database.close()
    last = keep_last(msgspec.msgpack.decode(entry, type=Entry) for (entry,) in log)
    gone = {where for where, data in last.items() if data is None}
    return (live - gone) | (last.keys() - gone)
