"""KMS's operations, by noun."""

from hatoba.services.kms.api import alias, datakey, encrypt, key, tag
from hatoba.services.kms.api.room import kms

__all__ = ["alias", "datakey", "encrypt", "key", "kms", "tag"]
