"""Who writes: what drivers tell of the container whose output they carry, and the tags made from it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from hatoba.node.logs import protocol
from hatoba.node.logs.options import MIN_BUFFER_BYTES, SPOOL_BYTES, BadOption, size_of

_FIELD = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")
_SHORT = 12  # characters of an id


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    image: str = ""
    image_id: str = ""
    host: str = ""  # this node's name
    files: Path = Path()  # where drivers that write files put them


def tag(template: str, writer: Writer) -> str:
    """A tag from Docker's template of one: `{{.Name}}/{{.ID}}`."""
    known = {
        "ID": writer.id[:_SHORT],
        "FullID": writer.id,
        "Name": writer.name,
        "ImageName": writer.image,
        "ImageID": writer.image_id.removeprefix("sha256:")[:_SHORT],
        "ImageFullID": writer.image_id,
        "DaemonName": "docker",
    }

    def field(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise BadOption(f"log opt 'tag': {found[0]} is not one of {', '.join(known)}")
        return known[found[1]]

    return _FIELD.sub(field, template)


def check(driver: str, options: Mapping[str, str], known: Collection[str]) -> None:
    for option in options:
        if option not in known and option not in ("mode", "max-buffer-size"):
            raise BadOption(f"unknown log opt '{option}' for {driver} log driver")


def spooling(options: Mapping[str, str]) -> tuple[str, int]:
    """What a full spool means, and how many bytes make it full. Docker's default is to make the container wait."""
    mode = options.get("mode", "blocking")
    if mode not in ("blocking", "non-blocking"):
        raise BadOption(f"logger: logging mode {mode!r} is not one of 'blocking' and 'non-blocking'")
    if mode == "blocking":
        if "max-buffer-size" in options:
            raise BadOption("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
        return protocol.BLOCK, SPOOL_BYTES
    return protocol.DROP, max(MIN_BUFFER_BYTES, size_of(options.get("max-buffer-size"), "max-buffer-size"))


def boolean(options: Mapping[str, str], option: str) -> bool:
    text = options.get(option, "false").lower()
    if text not in ("1", "t", "true", "0", "f", "false"):
        raise BadOption(f"must specify valid value for log opt '{option}': {options[option]!r} is not true or false")
    return text in ("1", "t", "true")
