"""Ids and chance, handed in: every random name in the platform comes from here.

The formats are AWS's: 32 hex digits for tasks, 17 for EC2 resources (`eni-0123456789abcdef0`), 19 decimal digits for
deployments (`ecs-svc/1234567890123456789`), 16 hex digits for load balancers.
"""

from __future__ import annotations

import random
import secrets
import uuid
from typing import Protocol


class Ids(Protocol):
    def hex(self, digits: int = 32) -> str:
        """Random lower-case hexadecimal digits."""
        ...

    def digits(self, count: int = 19) -> str:
        """Random decimal digits, the first never 0."""
        ...

    def uuid(self) -> str: ...

    def choice_index(self, count: int) -> int:
        """A random number in range(count)."""
        ...


class RandomIds:
    """From the operating system: unguessable."""

    def hex(self, digits: int = 32) -> str:
        return secrets.token_hex((digits + 1) // 2)[:digits]

    def digits(self, count: int = 19) -> str:
        return str(secrets.randbelow(9 * 10 ** (count - 1)) + 10 ** (count - 1))

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def choice_index(self, count: int) -> int:
        return secrets.randbelow(count)


class SeededIds:
    """The same ids for the same seed: for tests and the simulator."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def hex(self, digits: int = 32) -> str:
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def digits(self, count: int = 19) -> str:
        return str(self._random.randrange(10 ** (count - 1), 10**count))

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def choice_index(self, count: int) -> int:
        return self._random.randrange(count)


def resource_id(ids: Ids, prefix: str) -> str:
    """An EC2-style id: `resource_id(ids, "eni")` → `eni-0123456789abcdef0`."""
    return f"{prefix}-0{ids.hex(16)}"
