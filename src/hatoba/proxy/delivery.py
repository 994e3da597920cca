"""Load balancers' logs on their way from Envoy's files to those that are delivered.

Every five minutes what Envoy has written is put aside, Envoy is told to begin anew, and what was put aside the time
before (by then Envoy has let go of it) becomes compressed files under `AWSLogs/`, named as their objects will be. There
they wait for who takes them away (`node.balancer_logs`). Nothing is removed before what comes of it is on the disk, and
what is made twice has the same name: an agent may be killed at any moment.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from hatoba.core.files import sync_folder
from hatoba.proxy import accesslog, connectionlog, flowlog, healthlog
from hatoba.proxy.logfiles import Stem, key, whose

log = logging.getLogger(__name__)

PERIOD = 300.0
MOST_BYTES = 256 * 1024 * 1024  # that one balancer's files may have while nobody takes them; the oldest go first
PART_BYTES = 8 * 1024 * 1024  # of what Envoy has written, that become one file
_ALONE = threading.RLock()  # a thread goes on when who waits for it is cancelled, and two would make one file
NOWHERE = "0.0.0.0"  # of a balancer that is gone, and left no word of its address
_ASIDE = re.compile(r"(?P<stem>.+)\.json\.(?P<at>[0-9]+)(?:@(?P<address>[0-9a-f.:]+))?\.aside")


def place(folder: Path, stem: str) -> Path | None:
    """The file for what is noted; None for a name that could lead anywhere else."""
    return folder / "raw" / f"{stem}.json" if whose(stem) is not None else None


def prepare(folder: Path) -> None:
    (folder / "raw").mkdir(parents=True, exist_ok=True, mode=0o700)


def finish(folder: Path, only: Collection[str] | None = None) -> list[Path]:
    """What was put aside becomes files of their own: all of it, or these. Blocks; belongs into a thread."""
    made: list[Path] = []
    with _ALONE:
        for file in sorted((folder / "raw").glob("*.aside")):
            if only is not None and file.name not in only:
                continue
            found = _ASIDE.fullmatch(file.name)
            known = whose(found["stem"]) if found is not None else None
            if found is not None and known is not None and file.stat().st_size:
                made += _kept(folder, found, known, file)
            file.unlink()
    return made


def put_aside(folder: Path, now: float, addresses: Mapping[str, str]) -> frozenset[str]:
    """All that is put aside now, by an earlier agent too, which may not have come to tell Envoy: where there is any, it
    is to reopen its files. `addresses`: of the balancers, by stem."""
    found = [file for file in (folder / "raw").glob("*.json") if file.stat().st_size]
    for file in found:
        address = addresses.get(file.name.removesuffix(".json"), NOWHERE)
        file.rename(file.with_name(f"{file.name}.{int(now * 1e6)}@{address}.aside"))
    return frozenset(file.name for file in (folder / "raw").glob("*.aside"))


def settle(folder: Path, now: float, addresses: Mapping[str, str]) -> list[Path]:
    """All that is there becomes files. Only where nothing writes any more."""
    with _ALONE:
        before = finish(folder)
        put_aside(folder, now, addresses)
        return [*before, *finish(folder)]


def waiting(folder: Path) -> list[Path]:
    """The files that are to be delivered, the oldest first."""
    return [file for file, _ in _aged((folder / "AWSLogs").rglob("*.log.gz"))]


def delivered(file: Path) -> None:
    """It is where it belongs, and so are the folders that nothing else is in."""
    file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        for folder in file.parents[:7]:  # day, month, year, region, service, account, and the first
            folder.rmdir()


def _kept(folder: Path, found: re.Match[str], known: Stem, file: Path) -> Iterator[Path]:
    """Names say when it was put aside: made once more after a crash, they are the same."""
    address, aside = found["address"] or NOWHERE, int(found["at"]) / 1e6
    with file.open("rb") as raw:
        for number, lines in enumerate(_parts(raw, known)):
            final = folder / key(found["stem"], aside, address, number)
            final.parent.mkdir(parents=True, exist_ok=True)
            whole = final.with_suffix(".new")
            with whole.open("wb") as out, gzip.GzipFile("", "wb", fileobj=out, mtime=0) as packed:
                for text in lines:
                    packed.write(text.encode() + b"\n")
            with whole.open("rb") as written:
                os.fsync(written.fileno())
            whole.rename(final)
            sync_folder(final.parent)
            _prune(folder / "AWSLogs", found["stem"])
            yield final


def _parts(raw: Iterator[bytes], known: Stem) -> Iterator[Iterator[str]]:
    """The lines, in parts that are always cut at the same places. Each is to be used up before the next one."""
    first = next(raw, b"")
    while first:
        left: list[bytes] = []
        yield _lines(_part(first, raw, left), known)
        first = left[0] if left else b""


def _part(first: bytes, raw: Iterator[bytes], left: list[bytes]) -> Iterator[bytes]:
    """Up to the line that would be too much, which goes to `left`."""
    yield first
    size = len(first)
    for each in raw:
        if size + len(each) > PART_BYTES:
            left.append(each)
            return
        size += len(each)
        yield each


def _lines(raw: Iterator[bytes], known: Stem) -> Iterator[str]:
    certificates = f"arn:aws:acm:{known.region}:{known.account}:certificate/"
    for each in raw:
        with contextlib.suppress(ValueError, TypeError):  # the last line of an Envoy that was killed
            noted = json.loads(each)
            match noted.get("kind"):
                case "connection":
                    yield connectionlog.line(noted)
                case "flow":
                    yield flowlog.line(noted, certificates=certificates)
                case "check":
                    yield healthlog.line(noted)
                case _:
                    yield accesslog.line(noted, certificates=certificates)


def _prune(folder: Path, stem: str) -> None:
    total = 0
    for file, about in reversed(_aged(folder.rglob(f"{stem}_*.log.gz"))):
        total += about.st_size
        if total > MOST_BYTES:
            log.warning("%s is dropped: nobody has taken it, and newer ones need its room", file.name)
            file.unlink(missing_ok=True)


def _aged(files: Iterator[Path]) -> list[tuple[Path, os.stat_result]]:
    """The oldest first; without those that were taken away meanwhile."""
    found = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            found.append((file, file.stat()))
    return sorted(found, key=lambda each: (each[1].st_mtime, each[0]))
