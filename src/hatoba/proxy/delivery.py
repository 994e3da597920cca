"""Access and connection logs on their way from Envoy's files to the place where they are kept.

Every five minutes what Envoy has written is put aside, Envoy is told to begin anew, and what was put aside the time
before (by then Envoy has let go of it) becomes a compressed file under `AWSLogs/`, named as such balancers name them.
Nothing is removed before what comes of it is on the disk, and what is made twice has the same name: an agent may be
killed at any moment.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from hatoba.core.files import sync_folder
from hatoba.proxy import accesslog, connectionlog

PERIOD = 300.0
MOST_BYTES = 256 * 1024 * 1024  # that one balancer's files may have; the oldest go first
_NAME = re.compile(
    r"(?:conn_log\.)?([0-9]{12})_elasticloadbalancing_([a-z0-9-]{1,32})_app\.[A-Za-z0-9-]{1,32}\.[0-9a-f]{16}"
)
_ASIDE = ".aside"


def place(folder: Path, name: str) -> Path | None:
    """The file for Envoy; None for a name that could lead anywhere else."""
    return folder / "raw" / f"{name}.json" if _NAME.fullmatch(name) else None


def prepare(folder: Path) -> None:
    (folder / "raw").mkdir(parents=True, exist_ok=True, mode=0o700)


def finish(folder: Path, ip: str) -> list[Path]:
    """What was put aside before becomes files of their own. Blocks; belongs into a thread."""
    made = []
    for file in sorted((folder / "raw").glob(f"*{_ASIDE}")):
        name = file.name.split(".json.")[0]
        if _NAME.fullmatch(name) is not None and file.stat().st_size:
            made.append(_kept(folder, name, file, ip))
        file.unlink()
    return made


def put_aside(folder: Path, now: float) -> bool:
    """Whether there was anything: then Envoy is to reopen its files."""
    found = [file for file in (folder / "raw").glob("*.json") if file.stat().st_size]
    for file in found:
        file.rename(file.with_name(f"{file.name}.{int(now * 1e6)}{_ASIDE}"))
    return bool(found)


def _kept(folder: Path, name: str, file: Path, ip: str) -> Path:
    """Its name says when it was put aside: made once more after a crash, it is the same."""
    matched = _NAME.fullmatch(name)
    assert matched is not None
    account, region = matched[1], matched[2]
    aside = int(file.name.removesuffix(_ASIDE).rpartition(".")[2])
    at = datetime.fromtimestamp(aside / 1e6, UTC)
    of_balancer = folder / "AWSLogs" / account / "elasticloadbalancing" / region
    target = of_balancer / f"{at:%Y/%m/%d}"
    target.mkdir(parents=True, exist_ok=True)
    final = target / f"{name}_{at:%Y%m%dT%H%MZ}_{ip}_{aside:x}.log.gz"
    whole = final.with_suffix(".new")
    certificates = f"arn:aws:acm:{region}:{account}:certificate/"
    with whole.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        for text in _lines(file, certificates):
            packed.write(text.encode() + b"\n")
    with whole.open("rb") as written:
        os.fsync(written.fileno())
    whole.rename(final)
    sync_folder(target)
    _prune(of_balancer, name)
    return final


def _lines(file: Path, certificates: str) -> Iterator[str]:
    with file.open("rb") as raw:
        for each in raw:
            with contextlib.suppress(ValueError, TypeError):  # the last line of an Envoy that was killed
                noted = json.loads(each)
                connection = noted.get("kind") == "connection"
                yield connectionlog.line(noted) if connection else accesslog.line(noted, certificates=certificates)


def _prune(folder: Path, name: str) -> None:
    files = sorted(folder.rglob(f"{name}_*.log.gz"), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > MOST_BYTES:
            file.unlink(missing_ok=True)
