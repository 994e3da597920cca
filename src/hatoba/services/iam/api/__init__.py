"""IAM's operations, one file a noun."""

from hatoba.services.iam.api import access_key, attachment, inline, policy, role, user
from hatoba.services.iam.api.room import iam

__all__ = ["access_key", "attachment", "iam", "inline", "policy", "role", "user"]
