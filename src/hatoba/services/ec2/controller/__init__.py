"""What converges: one controller per kind of thing, each woken by the feed.

nat       gives each NAT gateway to a node, and forgets those that ended some time ago
peering   ends peering connections that nobody accepted, and forgets those that ended some time ago
"""

from __future__ import annotations

from hatoba.gateway.call import Platform
from hatoba.reconcile import Controller
from hatoba.services.ec2.controller.nat import NatGatewayController
from hatoba.services.ec2.controller.peering import PeeringController


def controllers(platform: Platform) -> tuple[Controller, ...]:
    return (NatGatewayController(platform), PeeringController(platform))
