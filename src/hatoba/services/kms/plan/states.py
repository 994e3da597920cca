"""What a key's state allows, as the developer guide's table has it ("Key states of KMS keys"). Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from hatoba.aws.shapes import kms as t
from hatoba.core.errors import AwsError

State = Literal["Enabled", "Disabled", "PendingDeletion", "PendingImport", "PendingReplicaDeletion"]

_SAID: dict[State, str] = {
    "Disabled": "is disabled.",
    "PendingDeletion": "is pending deletion.",
    "PendingImport": "is pending import.",
    "PendingReplicaDeletion": "is pending replica deletion.",
}


def check_usable(arn: str, state: State) -> None:
    """For what is done with a key. Raises DisabledException, KMSInvalidStateException."""
    if state == "Disabled":
        raise t.DisabledException(f"{arn} {_SAID[state]}")
    if state != "Enabled":
        raise t.KMSInvalidStateException(f"{arn} {_SAID[state]}")


def check_kept(arn: str, state: State) -> None:
    """For changes of a key: one that is about to be deleted takes none."""
    if state in ("PendingDeletion", "PendingReplicaDeletion"):
        raise t.KMSInvalidStateException(f"{arn} {_SAID[state]}")


def check_switchable(arn: str, state: State) -> None:
    """For EnableKey and DisableKey."""
    if state not in ("Enabled", "Disabled"):
        raise t.KMSInvalidStateException(f"{arn} {_SAID[state]}")


def wrong_usage(arn: str, usage: str, operation: str) -> AwsError:
    return t.InvalidKeyUsageException(f"{arn} key usage is {usage} which is not valid for {operation}.")


def unsupported(arn: str, what: str) -> AwsError:
    return t.UnsupportedOperationException(f"{arn} {what}")


Check = Callable[[str, State], None]
