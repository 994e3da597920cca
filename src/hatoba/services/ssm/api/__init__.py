"""Parameter Store's operations, by noun."""

from hatoba.services.ssm.api import delete, describe, get, history, label, put, setting, tag
from hatoba.services.ssm.api.room import ssm

__all__ = ["delete", "describe", "get", "history", "label", "put", "setting", "ssm", "tag"]
