"""Scalars between their wire forms and ours: timestamps, numbers, blobs, names of errors."""

from __future__ import annotations

import base64
import binascii
import math
from datetime import UTC, datetime, timedelta
from email.utils import formatdate, parsedate_to_datetime

from hatoba.aws.models import Member, Shape
from hatoba.aws.wire import malformed

_INT32 = 2**31
_INT64 = 2**63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Year 1 to year 9999: what ISO 8601 and HTTP dates can say.
_FIRST, _LAST = -62135596800, 253402300799


def timestamp_format(use: Member, shape: Shape, default: str) -> str:
    return use.timestamp_format or shape.timestamp_format or default


def write_timestamp(value: float, form: str) -> str | float:
    """`form`: unixTimestamp, iso8601 or rfc822 (HTTP's own)."""
    if form == "unixTimestamp":
        return value
    if form == "rfc822":
        return formatdate(int(value), usegmt=True)
    return iso8601(value)


def iso8601(value: float) -> str:
    """With milliseconds, as AWS writes it: 2024-01-02T03:04:05.678Z."""
    whole, millis = divmod(round(value * 1000), 1000)
    return f"{(_EPOCH + timedelta(seconds=whole)).isoformat()[:19]}.{millis:03d}Z"


def read_timestamp(text: str) -> float:
    """Any of the three forms, whichever it is: clients are not always right about the format."""
    try:
        value = float(text)
    except ValueError:
        value = _read_date(text)
    if not _FIRST <= value <= _LAST:
        raise malformed(f"The timestamp {text} is out of range.")
    return value


def _read_date(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            raise malformed(f"{text} is not a timestamp.") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # Not `moment.timestamp()`: a date near year 1 with an offset overflows there.
    return (moment - _EPOCH).total_seconds()


def check_timestamp(value: float) -> float:
    if not _FIRST <= value <= _LAST:  # NaN fails too
        raise malformed(f"The timestamp {value} is out of range.")
    return float(value)


def read_integer(text: str, type_: str) -> int:
    try:
        value = int(text) if len(text) <= 20 and text.isascii() and "_" not in text else None
    except ValueError:
        value = None
    if value is None:
        raise malformed(f"{text[:64]} is not {'an Integer' if type_ == 'integer' else 'a Long'}.")
    return check_range(value, type_)


def check_range(value: int, type_: str) -> int:
    bound = _INT32 if type_ == "integer" else _INT64
    if not -bound <= value < bound:
        raise malformed(f"The number is out of range for {'an Integer' if type_ == 'integer' else 'a Long'}.")
    return value


def read_float(text: str) -> float:
    try:
        return float(text.replace("Infinity", "inf"))
    except ValueError:
        raise malformed(f"{text[:64]} is not a number.") from None


def write_float(value: float) -> str:
    """As text: `NaN`, `Infinity`, `-Infinity`, else the shortest digits that read back the same."""
    if math.isfinite(value):
        return repr(value)
    return special_float(value)


def special_float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def read_boolean(text: str) -> bool:
    match text.lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            raise malformed(f"{text[:64]} is not a Boolean.")


def read_blob(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise malformed("A blob is not valid Base64.") from None


def write_blob(value: bytes) -> str:
    return base64.b64encode(value).decode()
