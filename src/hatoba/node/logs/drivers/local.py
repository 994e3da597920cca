"""The driver `json-file`: lines of JSON in files on this node, rotated, as Docker writes them.

    DIR/node/log-files/<container>/container.log          and container.log.1 … for those before it

They stay when the container is gone, for whoever wants to know why it ended: those of the newest hundred containers.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hatoba.core.errors import PortError
from hatoba.node.logs.batch import LogBatch
from hatoba.node.logs.drivers.writer import Writer, boolean, check, extra, tag
from hatoba.node.logs.options import BadOption, size_of

NAME = "container.log"
MAX_SIZE = 100 << 20  # Docker has no bound here; a node does
KEPT = 100  # containers whose files are kept
UNWRITTEN = "logs-unwritten"
_KNOWN = frozenset({"compress", "max-file", "max-size", "tag"})


class Local(msgspec.Struct, frozen=True, kw_only=True):
    folder: str
    max_size: int = MAX_SIZE
    max_file: int = 1
    attrs: dict[str, str] = msgspec.field(default_factory=dict)


def settings(options: Mapping[str, str], writer: Writer) -> Local:
    """Raises `BadOption`."""
    check("json-file", options, _KNOWN)
    if boolean(options, "compress"):
        raise BadOption("log opt 'compress': older files are not compressed on this node")
    count = options.get("max-file", "1")
    if not count.isdecimal() or int(count) < 1:
        raise BadOption("max-file cannot be less than 1")
    if int(count) > 1 and "max-size" not in options:
        raise BadOption("max-size must be set when max-file is")
    return Local(
        folder=str(writer.files / writer.id),
        max_size=size_of(options["max-size"], "max-size") if "max-size" in options else MAX_SIZE,
        max_file=int(count),
        attrs={**extra(options, writer), **({"tag": tag(options["tag"], writer)} if "tag" in options else {})},
    )


class LocalSink:
    def __init__(self, settings: Local) -> None:
        self._settings = settings

    async def send(self, batch: LogBatch) -> None:
        try:
            await asyncio.to_thread(self._write, batch)
        except OSError as error:
            raise PortError(UNWRITTEN, f"{self._settings.folder}: {error.strerror}") from error

    def _write(self, batch: LogBatch) -> None:
        folder = Path(self._settings.folder)
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            _forget_oldest(folder.parent)
        file = folder / NAME
        size, ready = file.stat().st_size if file.exists() else 0, b""
        for line in _lines(batch):
            data = self._line(*line)
            if size and size + len(data) > self._settings.max_size:
                _append(file, ready)
                self._rotate(file)
                size, ready = 0, b""
            size, ready = size + len(data), ready + data
        _append(file, ready)

    def _line(self, time: int, stream: str, text: str) -> bytes:
        at = datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
        said: dict[str, object] = {"log": text + "\n", "stream": stream, "time": at}
        if self._settings.attrs:
            said["attrs"] = self._settings.attrs
        return msgspec.json.encode(said) + b"\n"

    def _rotate(self, file: Path) -> None:
        """The file becomes `.1`, and so on; the last one goes."""
        files = [file, *(file.with_name(f"{NAME}.{number}") for number in range(1, self._settings.max_file))]
        files[-1].unlink(missing_ok=True)
        for newer, older in zip(files[-2::-1], files[:0:-1], strict=True):
            if newer.exists():
                newer.replace(older)

    async def close(self) -> None:
        """Nothing is held open."""


def _lines(batch: LogBatch) -> list[tuple[int, str, str]]:
    """(time, stream, text), in the order in which they came."""
    lines = [
        (time, part.producer.rpartition("/")[2], text)
        for part in batch.parts
        for time, text in zip(part.times, part.messages, strict=True)
    ]
    return sorted(lines, key=lambda line: line[0])


def _append(file: Path, data: bytes) -> None:
    with file.open("ab") as log:
        log.write(data)


def _forget_oldest(folder: Path) -> None:
    found = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    for old in found[: max(0, len(found) - KEPT)]:
        shutil.rmtree(old, ignore_errors=True)
