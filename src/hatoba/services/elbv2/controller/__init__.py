"""What converges: one controller per kind of thing, each woken by the feed.

load_balancer   its interfaces, its node, its name; takes them down when it is deleted
log_way         forgets where the logs of load balancers went that are no more
target_group    drops targets whose deregistration delay is over, and what was observed of targets that are gone
"""

from __future__ import annotations

from hatoba.gateway.call import Platform
from hatoba.reconcile import Controller
from hatoba.services.elbv2.controller.load_balancer import LoadBalancerController
from hatoba.services.elbv2.controller.log_way import LogWayController
from hatoba.services.elbv2.controller.target_group import TargetGroupController


def controllers(platform: Platform) -> tuple[Controller, ...]:
    return (LoadBalancerController(platform), TargetGroupController(platform), LogWayController(platform))
