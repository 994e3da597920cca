"""STS's operations, one file a noun."""

from hatoba.services.sts.api import assume, federation, identity, saml, token
from hatoba.services.sts.api.room import sts

__all__ = ["assume", "federation", "identity", "saml", "sts", "token"]
