"""Who a container's process is: `user[:group]`, by number or by the names in the image's /etc/passwd and /etc/group.

Pure. As container users know it: a number needs no entry; a named user brings its primary group, its supplementary
groups and its home; an explicit group replaces them all.
"""

from __future__ import annotations

import msgspec

from hatoba.runtime.failures import Failure, failure

_HIGHEST = (1 << 31) - 1


class User(msgspec.Struct, frozen=True, kw_only=True):
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    uid: int
    gid: int
    home: str


def _passwd(text: str) -> list[_Entry]:
    rows = [line.split(":") for line in text.splitlines() if line and not line.startswith("#")]
    return [
        _Entry(name=row[0], uid=int(row[2]), gid=int(row[3]), home=row[5] or "/")
        for row in rows
        if len(row) >= 6 and row[2].isdigit() and row[3].isdigit()
    ]


def _groups(text: str) -> list[tuple[str, int, list[str]]]:
    rows = [line.split(":") for line in text.splitlines() if line and not line.startswith("#")]
    return [(row[0], int(row[2]), row[3].split(",")) for row in rows if len(row) >= 4 and row[2].isdigit()]


def resolve(user: str, passwd: str, group: str) -> User:
    """Raises `PortError(CONTAINER_SPEC)` when a name is not known."""
    who, _, with_group = user.partition(":")
    entries, groups = _passwd(passwd), _groups(group)
    entry = _find_user(who or "0", entries)
    if with_group:
        return User(uid=entry.uid, gid=_find_group(with_group, groups), home=entry.home)
    more = tuple(sorted({gid for _, gid, members in groups if entry.name and entry.name in members} - {entry.gid}))
    return User(uid=entry.uid, gid=entry.gid, groups=more, home=entry.home)


def _find_user(who: str, entries: list[_Entry]) -> _Entry:
    for entry in entries:
        if entry.name == who:
            return entry
    if not who.isdigit():
        raise failure(Failure.CONTAINER_SPEC, f"unable to find user {who}: no matching entries in passwd file")
    uid = _in_range(who)
    found = [entry for entry in entries if entry.uid == uid]
    return found[0] if found else _Entry(name="", uid=uid, gid=0, home="/")


def _find_group(name: str, groups: list[tuple[str, int, list[str]]]) -> int:
    for known, gid, _ in groups:
        if known == name:
            return gid
    if not name.isdigit():
        raise failure(Failure.CONTAINER_SPEC, f"unable to find group {name}: no matching entries in group file")
    return _in_range(name)


def _in_range(text: str) -> int:
    number = int(text)
    if number > _HIGHEST:
        raise failure(Failure.CONTAINER_SPEC, f"uids and gids must be in range 0-{_HIGHEST}, not {text}")
    return number
