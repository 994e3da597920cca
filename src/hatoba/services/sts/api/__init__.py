"""STS's operations, one file a noun."""

from hatoba.services.sts.api import assume, federation, identity, token
from hatoba.services.sts.api.room import sts

__all__ = ["assume", "federation", "identity", "sts", "token"]
