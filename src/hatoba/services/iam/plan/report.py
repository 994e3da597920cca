"""The credential report: a line of comma-separated values for root, and one for each user. Pure.

Source: the IAM user guide, "Generate credential reports for your AWS account".
"""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable, Sequence

import msgspec

COLUMNS = (
    "user arn user_creation_time password_enabled password_last_used password_last_changed password_next_rotation "
    "mfa_active access_key_1_active access_key_1_last_rotated access_key_1_last_used_date "
    "access_key_1_last_used_region access_key_1_last_used_service access_key_2_active access_key_2_last_rotated "
    "access_key_2_last_used_date access_key_2_last_used_region access_key_2_last_used_service cert_1_active "
    "cert_1_last_rotated cert_2_active cert_2_last_rotated"
).split()
_NONE = "N/A"


class KeyLine(msgspec.Struct, frozen=True, kw_only=True):
    active: bool
    made: float
    used: float | None = None
    region: str = _NONE
    service: str = _NONE


class CertificateLine(msgspec.Struct, frozen=True, kw_only=True):
    active: bool
    made: float


class UserLine(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    arn: str
    made: float | None
    root: bool = False
    password: float | None = None  # when it was changed
    rotation: float | None = None  # when it has to be again
    factor: bool = False
    keys: Sequence[KeyLine] = ()
    certificates: Sequence[CertificateLine] = ()


def report(lines: Iterable[UserLine]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow(_row(line))
    return out.getvalue().rstrip("\n")


def _row(line: UserLine) -> list[str]:
    if line.root:
        password = ["not_supported", _NONE, "not_supported", "not_supported"]
    elif line.password is None:
        password = ["false", _NONE, _NONE, _NONE]
    else:
        password = ["true", "no_information", _time(line.password), _time(line.rotation)]
    row = [_safe(line.name), line.arn, _time(line.made), *password, _flag(line.factor)]
    for place in range(2):
        row += _key(line.keys[place]) if place < len(line.keys) else ["false", *[_NONE] * 4]
    for place in range(2):
        certificate = line.certificates[place] if place < len(line.certificates) else None
        row += ["false", _NONE] if certificate is None else [_flag(certificate.active), _time(certificate.made)]
    return row


def _key(key: KeyLine) -> list[str]:
    return [_flag(key.active), _time(key.made), _time(key.used), key.region, key.service]


def _flag(value: bool) -> str:
    return str(value).lower()


def _time(value: float | None) -> str:
    if value is None:
        return _NONE
    return datetime.datetime.fromtimestamp(int(value), datetime.UTC).isoformat()


def _safe(name: str) -> str:
    """A name that a spreadsheet would take for a formula is one that it takes for text."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@")) else name
