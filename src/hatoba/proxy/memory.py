"""What is known about targets, kept beside the proxy, so that an agent that comes back goes on where it was.

Without it a restarted agent would take every target for new, and requests would be refused until each had answered.
Written whole and renamed into place, not synchronised: it describes running processes and need not outlive the machine.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import msgspec

from hatoba.proxy.base import Health, TargetKey

log = logging.getLogger(__name__)


class _Remembered(msgspec.Struct, frozen=True, kw_only=True):
    group: str
    target: str
    health: Health


def save(path: Path, health: Mapping[TargetKey, Health]) -> None:
    remembered = [_Remembered(group=key.group, target=key.target, health=each) for key, each in health.items()]
    partial = path.with_suffix(".new")
    try:
        partial.write_bytes(msgspec.json.encode(remembered))
        partial.rename(path)
    except OSError as error:
        log.warning("%s cannot be written: %s", path, error)


def load(path: Path) -> dict[TargetKey, Health]:
    """Empty when there is nothing, or nothing readable."""
    try:
        remembered = msgspec.json.decode(path.read_bytes(), type=list[_Remembered])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        log.warning("%s is not readable, targets are asked anew: %s", path, error)
        return {}
    return {TargetKey(each.group, each.target): each.health for each in remembered}
