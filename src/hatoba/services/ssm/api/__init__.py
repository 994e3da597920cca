"""The operations: Parameter Store's, by noun, and those of sessions."""

from hatoba.services.ssm.api import delete, describe, get, history, label, put, session, setting, tag
from hatoba.services.ssm.api.room import ssm

__all__ = ["delete", "describe", "get", "history", "label", "put", "session", "setting", "ssm", "tag"]
