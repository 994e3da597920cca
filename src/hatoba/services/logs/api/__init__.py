"""CloudWatch Logs' operations, by noun."""

from hatoba.services.logs.api import event, group, live, pattern, search, stream, tag
from hatoba.services.logs.api.room import logs

__all__ = ["event", "group", "live", "logs", "pattern", "search", "stream", "tag"]
