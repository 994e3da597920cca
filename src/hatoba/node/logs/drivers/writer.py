"""Who writes: what drivers tell of the container whose output they carry, and the tags made from it. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from hatoba.node.logs import protocol
from hatoba.node.logs.options import MIN_BUFFER_BYTES, SPOOL_BYTES, BadOption, size_of
from hatoba.node.logs.patterns import BadPattern, finder

_FIELD = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")
_SHORT = 12  # characters of an id
_ANY = ("env", "env-regex", "labels", "labels-regex", "max-buffer-size", "mode")  # options of every driver


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    image: str = ""
    image_id: str = ""
    host: str = ""  # this node's name
    guest: bool = False  # of a Fargate task: it has no business with this machine's own services and files
    files: Path = Path()  # where drivers that write files put them
    labels: Mapping[str, str] = msgspec.field(default_factory=dict)
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)  # what the definition says, no secrets


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
        if option not in known and option not in _ANY:
            raise BadOption(f"unknown log opt '{option}' for {driver} log driver")


def extra(options: Mapping[str, str], writer: Writer) -> dict[str, str]:
    """Labels and variables of the container that its log is to carry along."""
    found: dict[str, str] = {}
    for option, given in (("labels", writer.labels), ("env", writer.environment)):
        names = [name.strip() for name in options.get(option, "").split(",")]
        try:
            wanted = finder(options[f"{option}-regex"]) if f"{option}-regex" in options else None
        except BadPattern as error:
            raise BadOption(f"log opt '{option}-regex': {error}") from None
        found |= {name: text for name, text in given.items() if name in names or (wanted and wanted(name))}
    return found


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
