"""The operations of ACM. `acm` is the room: importing this package declares all of it."""

from hatoba.services.acm.api import certificate, request, tag
from hatoba.services.acm.api.room import acm

__all__ = ["acm", "certificate", "request", "tag"]
