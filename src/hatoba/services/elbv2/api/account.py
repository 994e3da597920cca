"""What this account may have, and what it has reserved: clients that describe everything ask for it."""

from __future__ import annotations

from hatoba.aws.shapes import elbv2 as t
from hatoba.gateway.call import Call
from hatoba.services.elbv2.api.room import elbv2, page, the_balancer

# What the operations enforce. Source: "Quotas for your Application Load Balancers".
_LIMITS = {
    "listeners-per-application-load-balancer": 50,
    "rules-per-application-load-balancer": 100,
    "targets-per-application-load-balancer": 1000,
    "target-groups-per-action-on-application-load-balancer": 5,
    "condition-values-per-alb-rule": 5,
}


@elbv2.operation
async def describe_account_limits(req: t.DescribeAccountLimitsInput, call: Call) -> t.DescribeAccountLimitsOutput:
    found, more = page(call, sorted(_LIMITS), dict(req), lambda name: name)
    answer: t.DescribeAccountLimitsOutput = {"Limits": [{"Name": name, "Max": str(_LIMITS[name])} for name in found]}
    if more:
        answer["NextMarker"] = more
    return answer


@elbv2.operation
async def describe_capacity_reservation(
    req: t.DescribeCapacityReservationInput, call: Call
) -> t.DescribeCapacityReservationOutput:
    """Nothing is reserved: a load balancer has what its node has."""
    the_balancer(call.store, call, req["LoadBalancerArn"])
    return {"CapacityReservationState": []}
