"""What happens to secrets by themselves: deletion in time, replicas in step (in other accounts, too), rotation."""

from collections.abc import Iterable

from hatoba.gateway.call import Platform
from hatoba.reconcile import Controller
from hatoba.services.secretsmanager.controller.deletion import Deleter
from hatoba.services.secretsmanager.controller.lending import Lender
from hatoba.services.secretsmanager.controller.replication import Replicator
from hatoba.services.secretsmanager.controller.rotation import Rotator


def controllers(platform: Platform) -> Iterable[Controller]:
    return Deleter(platform.store, platform.clock), Replicator(platform), Lender(platform), Rotator(platform)


__all__ = ["Deleter", "Lender", "Replicator", "Rotator", "controllers"]
