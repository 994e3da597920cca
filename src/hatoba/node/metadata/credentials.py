"""The credentials of a task's role, as its containers fetch them. Pure."""

from __future__ import annotations

import datetime

from hatoba.fleet.items import CredentialItem
from hatoba.node.metadata.refusal import NotThere


def told(item: CredentialItem | None, workload: str, now: float) -> dict[str, str]:
    """Only to the task whose they are. Raises `NotThere`."""
    if item is None or item.workload != workload:
        raise refused(400, "InvalidIdInRequest", "CredentialsV2Request: ID not found")
    if item.expires <= now:
        raise refused(503, "CredentialsUninitialized", "CredentialsV2Request: Credentials expired")
    expires = datetime.datetime.fromtimestamp(item.expires, datetime.UTC)
    return {
        "RoleArn": item.role,
        "AccessKeyId": item.access_key,
        "SecretAccessKey": item.secret_key.reveal(),
        "Token": item.token.reveal(),
        "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def refused(status: int, code: str, message: str) -> NotThere:
    return NotThere(status, {"code": code, "message": message, "HTTPErrorCode": status})
