"""What checks of targets find, written down for health check logs, beside what Envoy notes of requests.

Only of groups whose load balancer wants it. A check is a line in the file of that load balancer, which `delivery` puts
aside like Envoy's; then it begins anew. The lines are written as they come, without synchronising: like Envoy's.
"""

from __future__ import annotations

import logging
import os

import msgspec

from hatoba.proxy import healthlog
from hatoba.proxy.base import HealthCheck, TargetKey, Wanted
from hatoba.proxy.health import Result
from hatoba.proxy.snapshot import groups_of

log = logging.getLogger(__name__)

_encode = msgspec.json.encode


class CheckLog:
    def __init__(self) -> None:
        self._names: dict[str, tuple[str, str]] = {}  # by group: its name, and the file
        self._open: dict[str, int] = {}

    def follow(self, wanted: Wanted) -> None:
        """`Balancer.health_log` is the file's whole path here; "" for none."""
        named = {group.id: group.name for group in wanted.groups}
        self._names = {
            id_: (named.get(id_, id_), balancer.health_log)
            for balancer in wanted.balancers
            if balancer.health_log
            for id_ in groups_of(balancer)
        }
        files = {file for _, file in self._names.values()}
        for file in self._open.keys() - files:
            os.close(self._open.pop(file))

    def note(
        self,
        key: TargetKey,
        place: tuple[str, int],
        settings: HealthCheck,
        result: Result,
        times: tuple[float, float],
    ) -> None:
        """`place`: address and port. `times`: when it began, and the seconds that it took."""
        if (logged := self._names.get(key.group)) is None:
            return
        name, file = logged
        said = healthlog.noted(name, *place, settings, result, began=times[0], took=times[1])
        try:
            if (descriptor := self._open.get(file)) is None:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
                descriptor = self._open[file] = os.open(file, flags, 0o600)
            os.write(descriptor, _encode(said) + b"\n")
        except OSError as error:
            log.warning("%s cannot be written: %s", file, error)

    def reopen(self) -> None:
        """The files have been put aside."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
