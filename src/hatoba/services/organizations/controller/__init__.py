"""What happens to accounts by themselves: they come to be, and what runs in them ends when they are closed."""

from collections.abc import Iterable

from hatoba.gateway.call import Platform
from hatoba.reconcile import Controller
from hatoba.services.organizations.controller.closings import Closings
from hatoba.services.organizations.controller.openings import Openings


def controllers(platform: Platform) -> Iterable[Controller]:
    return Openings(platform), Closings(platform)


__all__ = ["Closings", "Openings", "controllers"]
