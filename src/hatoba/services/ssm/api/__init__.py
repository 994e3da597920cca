"""The operations: Parameter Store's, by noun, those of sessions and their documents, and those of managed instances."""

from hatoba.services.ssm.api import (
    activation,
    delete,
    describe,
    document,
    get,
    history,
    label,
    managed,
    put,
    session,
    session_list,
    setting,
    tag,
)
from hatoba.services.ssm.api.room import ssm

__all__ = [
    "activation",
    "delete",
    "describe",
    "document",
    "get",
    "history",
    "label",
    "managed",
    "put",
    "session",
    "session_list",
    "setting",
    "ssm",
    "tag",
]
