"""Amazon Resource Names: made and read in one place.

`arn:partition:service:region:account:resource`, as the IAM user guide words it. Helpers for one room's resources live
in that room's `model`, on top of these two.
"""

from __future__ import annotations

from typing import NamedTuple

from hatoba.core.keys import Scope


class Arn(NamedTuple):
    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @property
    def scope(self) -> Scope:
        return Scope(self.partition, self.account, self.region)


def make(scope: Scope, service: str, resource: str) -> str:
    return f"arn:{scope.partition}:{service}:{scope.region}:{scope.account}:{resource}"


def parse(text: str) -> Arn | None:
    """The parts of an ARN, or None when the text is not one."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[5]:
        return None
    return Arn(*parts[1:])
