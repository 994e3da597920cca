"""The names of load balancers' log files: as their objects are called in a bucket, below the prefix that was chosen.

    AWSLogs/<account>/elasticloadbalancing/<region>/<yyyy>/<mm>/<dd>/<stem>_<end>[_<address>]_<random>.log.gz

The stem says whose it is and what is in it. What is called random follows from what the file is made of: made twice, it
has the same name, so that it is there once however often it is delivered. Sources: "Access log files", "Connection log
files" and "Health check log files" in the guide for application load balancers, "Access log files" in that for network
load balancers. Pure.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import Literal, NamedTuple

Kind = Literal["access", "connection", "health"]

_BEFORE: dict[Kind, str] = {"access": "", "connection": "conn_log.", "health": "health_check_log_"}
_STEM = re.compile(
    r"(?P<before>conn_log\.|health_check_log_)?(?P<account>[0-9]{12})_elasticloadbalancing_(?P<region>[a-z0-9-]{1,32})"
    r"_(?P<type>app|net)\.(?P<name>[A-Za-z0-9-]{1,32})\.(?P<id>[0-9a-f]{16})"
)
_FILE = re.compile(
    rf"(?P<stem>{_STEM.pattern})_(?P<day>[0-9]{{8}})T[0-9]{{4}}Z(?:_[0-9a-f.:]{{2,45}})?_[0-9a-z]{{1,16}}\.log\.gz"
)


class Stem(NamedTuple):
    """`balancer`: its id, `app/<name>/<digits>`."""

    kind: Kind
    account: str
    region: str
    balancer: str


def stem(kind: Kind, account: str, region: str, balancer: str) -> str:
    return f"{_BEFORE[kind]}{account}_elasticloadbalancing_{region}_{balancer.replace('/', '.')}"


def whose(text: str) -> Stem | None:
    """What a stem says; None for what is none, and could lead anywhere."""
    return _said(_STEM.fullmatch(text))


def _said(found: re.Match[str] | None) -> Stem | None:
    if found is None:
        return None
    kind = next(kind for kind, before in _BEFORE.items() if before == (found["before"] or ""))
    return Stem(kind, found["account"], found["region"], f"{found['type']}/{found['name']}/{found['id']}")


def key(stem_: str, ended: float, address: str, number: int) -> str:
    """Of the `number`th file with what was noted until then."""
    known = whose(stem_)
    assert known is not None, stem_
    digest = hashlib.blake2b(f"{stem_} {ended!r} {address} {number}".encode(), digest_size=5).digest()
    random = base64.b32encode(digest).decode().lower()
    # Of network load balancers the documented name has no address.
    place = "" if known.balancer.startswith("net/") else f"_{address}"
    file = f"{stem_}_{datetime.fromtimestamp(ended, UTC):%Y%m%dT%H%MZ}{place}_{random}.log.gz"
    return f"{_folder(known, f'{datetime.fromtimestamp(ended, UTC):%Y%m%d}')}/{file}"


def _folder(known: Stem, day: str) -> str:
    return f"AWSLogs/{known.account}/elasticloadbalancing/{known.region}/{day[:4]}/{day[4:6]}/{day[6:]}"


def placed(file: str) -> tuple[Stem, str] | None:
    """Whose a file is, and its whole key; None for what is not such a file's name."""
    found = _FILE.fullmatch(file)
    known = _said(found)
    return None if found is None or known is None else (known, f"{_folder(known, found['day'])}/{file}")
