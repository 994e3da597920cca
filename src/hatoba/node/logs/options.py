"""The `awslogs` driver's options, as a container's `logConfiguration` gives them. Pure.

Source: the container platform's guide, "Send logs to CloudWatch", and the driver's reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from hatoba.core.errors import HatobaError
from hatoba.node.logs import protocol
from hatoba.node.logs.patterns import BadPattern, finder

SPOOL_BYTES = 16 << 20  # a container may be this far ahead in blocking mode
MAX_BUFFER_BYTES = 10 << 20  # `max-buffer-size` when it is not given
MIN_BUFFER_BYTES = 1 << 20  # less would not always hold one event of several lines, and the spool would stand still

_KNOWN = {
    "awslogs-create-group",
    "awslogs-datetime-format",
    "awslogs-endpoint",
    "awslogs-force-flush-interval-seconds",
    "awslogs-format",
    "awslogs-group",
    "awslogs-max-buffered-events",
    "awslogs-multiline-pattern",
    "awslogs-region",
    "awslogs-stream",
    "awslogs-stream-prefix",
    "max-buffer-size",
    "mode",
}
# How the original collects events before it sends them; ours are sent within a fraction of a second in any case.
_COLLECTING = ("awslogs-force-flush-interval-seconds", "awslogs-max-buffered-events")
_SIZE = re.compile(r"(\d+)\s*([kmgtKMGT]?)(?:i?[bB])?")
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


class BadOption(HatobaError):
    """An option that the driver does not take. The container does not start; the text says why."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`new_event` finds the beginning of an event of several lines. Another driver than `awslogs` keeps what it needs
    in `settings`, and does not keep an ended container waiting for more than `patience` seconds."""

    driver: str = "awslogs"
    group: str = ""
    stream: str = ""
    region: str | None = None
    create_group: bool = False
    mode: str = protocol.BLOCK
    limit: int = SPOOL_BYTES
    new_event: str | None = None
    settings: bytes = b""
    patience: float | None = None


def parse(options: Mapping[str, str], *, container: str, container_id: str, task_id: str, blocking: bool) -> Options:
    """`blocking` is the account's default for `mode`. Raises `BadOption`."""
    for option in options:
        if option not in _KNOWN:
            raise BadOption(f"unknown log opt '{option}' for awslogs log driver")
    if not (group := options.get("awslogs-group")):
        raise BadOption("must specify a value for log opt 'awslogs-group'")
    _check_ignored(options)
    mode = options.get("mode", "blocking" if blocking else "non-blocking")
    if mode not in ("blocking", "non-blocking"):
        raise BadOption(f"logger: logging mode {mode!r} is not one of 'blocking' and 'non-blocking'")
    if "max-buffer-size" in options and mode == "blocking":
        raise BadOption("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
    drops = mode == "non-blocking"
    return Options(
        group=group,
        stream=_stream(options, container, container_id, task_id),
        region=options.get("awslogs-region"),
        create_group=_boolean(options, "awslogs-create-group"),
        mode=protocol.DROP if drops else protocol.BLOCK,
        limit=max(MIN_BUFFER_BYTES, size_of(options.get("max-buffer-size"), "max-buffer-size"))
        if drops
        else SPOOL_BYTES,
        new_event=_new_event(options),
    )


def _check_ignored(options: Mapping[str, str]) -> None:
    for option in _COLLECTING:
        if not options.get(option, "1").isdecimal() or int(options.get(option, "1")) < 1:
            raise BadOption(f"must specify a positive integer for log opt '{option}': {options[option]}")
    if options.get("awslogs-format", "json/emf") != "json/emf":
        raise BadOption(f"unsupported log format '{options['awslogs-format']}'")


def _stream(options: Mapping[str, str], container: str, container_id: str, task_id: str) -> str:
    if prefix := options.get("awslogs-stream-prefix"):
        return f"{prefix}/{container}/{task_id}"
    return options.get("awslogs-stream") or container_id


def _boolean(options: Mapping[str, str], option: str) -> bool:
    text = options.get(option, "false").lower()
    if text in ("1", "t", "true"):
        return True
    if text in ("0", "f", "false"):
        return False
    raise BadOption(f"must specify valid value for log opt '{option}': {options[option]!r} is not true or false")


def size_of(text: str | None, option: str) -> int:
    """Bytes of a size as Docker writes it: `4096`, `4k`, `10m`."""
    if text is None:
        return MAX_BUFFER_BYTES
    found = _SIZE.fullmatch(text.strip())
    size = int(found[1]) << _UNITS[found[2].lower()] if found else 0
    if size < 1:
        raise BadOption(f"error parsing option {option}: invalid size: '{text}'")
    return size


def _new_event(options: Mapping[str, str]) -> str | None:
    pattern, format_ = options.get("awslogs-multiline-pattern"), options.get("awslogs-datetime-format")
    if pattern and format_:
        raise BadOption(
            "you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' together"
        )
    if format_:
        return datetime_pattern(format_)
    if pattern:
        try:
            finder(pattern)
        except BadPattern as error:
            raise BadOption(f"awslogs could not parse multiline pattern key {pattern!r}: {error}") from None
    return pattern or None


_DIRECTIVES = {
    "a": r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
    "A": r"(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
    "w": r"[0-6]",
    "d": r"(?:0[1-9]|[12][0-9]|3[01])",
    "b": r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "B": r"(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    "m": r"(?:0[1-9]|1[0-2])",
    "Y": r"\d{4}",
    "y": r"\d{2}",
    "H": r"(?:[01][0-9]|2[0-3])",
    "I": r"(?:0[1-9]|1[0-2])",
    "p": r"[AaPp][Mm]",
    "M": r"[0-5][0-9]",
    "S": r"[0-5][0-9]",
    "f": r"\d{6}",
    "L": r"\.\d{3}",
    "Z": r"[A-Z]{1,4}T?",
    "z": r"[+-]\d{4}",
    "j": r"(?:00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])",
    "%": "%",
}


def datetime_pattern(format_: str) -> str:
    """The pattern of a time in a `strftime` format: `%Y-%m-%d` → `\\d{4}\\-(?:0[1-9]|…`."""
    pattern, rest = "", iter(format_)
    for letter in rest:
        if letter != "%":
            pattern += re.escape(letter)
        elif (directive := next(rest, "")) in _DIRECTIVES:
            pattern += _DIRECTIVES[directive]
        else:
            raise BadOption(f"awslogs-datetime-format: '%{directive}' is not a directive that is supported")
    return pattern
