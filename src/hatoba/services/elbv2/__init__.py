"""Elastic Load Balancing: application load balancers, target groups, listeners and rules.

    model/       what is stored
    plan/        pure: checks and defaults, the proxy's configuration, a target's health in ELB's words, which node
    carried      what the fleet carries, written in the transaction that changes it
    views        records → the model's shapes
    api/         the operations: check → one transaction → view
    deliveries   logs on their way into buckets
    handed       what a trust store is made of, by URL
    controller/  `load_balancer` gives each its interfaces and a node, `target_group` ends draining

The composition root takes `TABLES`, `elbv2` and `controllers(platform)`.
"""

from hatoba.services.elbv2.api import elbv2
from hatoba.services.elbv2.controller import controllers
from hatoba.services.elbv2.model import TABLES

__all__ = ["TABLES", "controllers", "elbv2"]
