"""How many of what there may be, under the names by which DescribeAccountLimits tells them.

What protects an Envoy is AWS's default. How many load balancers a region has can be raised there, and nobody could
raise it here: that is higher from the start. Source: the user guides, "Quotas for your Application Load Balancers" and
the same for the other two.
"""

from __future__ import annotations

from typing import Final

LOAD_BALANCERS: Final = {"application": 1000, "network": 1000, "gateway": 100}  # on AWS 50, 50 and 100
TARGET_GROUPS: Final = 3000
TARGETS: Final = {"application": 1000, "network": 3000, "gateway": 300}  # of one load balancer
TARGETS_OF_GROUP: Final = 1000
GROUPS: Final = 100  # that one application load balancer forwards to
LISTENERS: Final = 50
RULES: Final = 100  # of one load balancer, the default ones apart
REGISTRATIONS: Final = 100  # of one target with one application load balancer
CERTIFICATES: Final = 25  # of a load balancer, beside the default ones
GROUPS_OF_ACTION: Final = 5
VALUES: Final = 5  # of a rule's conditions
WILDCARDS: Final = 6

LIMITS: Final = {
    "application-load-balancers": LOAD_BALANCERS["application"],
    "certificates-per-application-load-balancer": CERTIFICATES,
    "certificates-per-network-load-balancer": CERTIFICATES,
    "condition-values-per-alb-rule": VALUES,
    "condition-wildcards-per-alb-rule": WILDCARDS,
    "gateway-load-balancers": LOAD_BALANCERS["gateway"],
    "listeners-per-application-load-balancer": LISTENERS,
    "listeners-per-network-load-balancer": LISTENERS,
    "network-load-balancers": LOAD_BALANCERS["network"],
    "rules-per-application-load-balancer": RULES,
    "target-groups": TARGET_GROUPS,
    "target-groups-per-action-on-application-load-balancer": GROUPS_OF_ACTION,
    "target-groups-per-action-on-network-load-balancer": GROUPS_OF_ACTION,
    "target-groups-per-application-load-balancer": GROUPS,
    "target-id-registrations-per-application-load-balancer": REGISTRATIONS,
    "targets-per-application-load-balancer": TARGETS["application"],
    "targets-per-network-load-balancer": TARGETS["network"],
}
