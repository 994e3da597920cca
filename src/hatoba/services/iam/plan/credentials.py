"""Credentials for one service: which services have them, and how they are named. Pure.

Git's and Cassandra's clients send a user name and a password; services with API keys an alias and a secret, which may
end after some days.

Sources: the reference of CreateServiceSpecificCredential; the IAM user guide, "API keys for AWS services".
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection

PASSWORDS = frozenset({"codecommit.amazonaws.com", "cassandra.amazonaws.com"})
API_KEYS = frozenset({"bedrock.amazonaws.com", "logs.amazonaws.com"})
SERVICES = PASSWORDS | API_KEYS


def name(user: str, account: str, taken: Collection[str]) -> str:
    """`jane-at-123456789012`, then `jane+1-at-…`."""
    number = 0
    while (found := f"{user}{f'+{number}' if number else ''}-at-{account}") in taken:
        number += 1
    return found


def secret(service: str, alias: str, chance: bytes) -> str:
    """What its holder is told, once. `chance`: 32 random bytes."""
    if service in API_KEYS:
        return "ABSK" + base64.b64encode(f"{alias}:".encode() + base64.b64encode(chance)).decode()
    return base64.b64encode(chance).decode()


def digest(told: str) -> str:
    """What is kept of it. It needs neither salt nor slowness: nobody guesses 32 random bytes."""
    return hashlib.sha256(told.encode()).hexdigest()
