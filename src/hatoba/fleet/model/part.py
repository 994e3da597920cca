"""What values inside records and messages have in common, and the scope of what belongs to no account."""

from __future__ import annotations

import msgspec

from hatoba.core.keys import Scope


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value inside a record or a message."""


FLEET = Scope("", "", "")  # nodes belong to the platform, not to an account
