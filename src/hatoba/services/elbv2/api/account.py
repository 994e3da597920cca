"""What this account may have, and what it has reserved: clients that describe everything ask for it.

Nobody keeps capacity free for a load balancer, and no room keeps pools of addresses: to let go of either is done, to
ask for some is refused.
"""

from __future__ import annotations

from hatoba.aws.shapes import elbv2 as t
from hatoba.gateway.call import Call
from hatoba.services.elbv2.api.room import elbv2, next_marker, page, the_balancer
from hatoba.services.elbv2.plan.errors import invalid
from hatoba.services.elbv2.plan.quotas import LIMITS


@elbv2.operation
async def describe_account_limits(req: t.DescribeAccountLimitsInput, call: Call) -> t.DescribeAccountLimitsOutput:
    found, more = page(call, sorted(LIMITS), dict(req), lambda name: name)
    return {"Limits": [{"Name": name, "Max": str(LIMITS[name])} for name in found], **next_marker(more)}


@elbv2.operation
async def describe_capacity_reservation(
    req: t.DescribeCapacityReservationInput, call: Call
) -> t.DescribeCapacityReservationOutput:
    """Nothing is reserved: a load balancer has what its node has."""
    the_balancer(call.store, call, req["LoadBalancerArn"])
    return {"CapacityReservationState": []}


@elbv2.operation
async def modify_capacity_reservation(
    req: t.ModifyCapacityReservationInput, call: Call
) -> t.ModifyCapacityReservationOutput:
    balancer = the_balancer(call.store, call, req["LoadBalancerArn"])
    wanted, reset = req.get("MinimumLoadBalancerCapacity"), req.get("ResetCapacityReservation")
    if (wanted is None) != bool(reset):
        raise t.InvalidConfigurationRequestException(
            "You must specify either MinimumLoadBalancerCapacity or ResetCapacityReservation"
        )
    if balancer.kind == "gateway":
        raise t.OperationNotPermittedException("Gateway Load Balancers have no capacity units")
    if wanted is not None:
        raise t.CapacityUnitsLimitExceededException(
            f"{wanted.get('CapacityUnits', 0)} capacity units cannot be reserved: the limit is 0, since a load "
            "balancer has what its node has"
        )
    return {"CapacityReservationState": []}


@elbv2.operation
async def modify_ip_pools(req: t.ModifyIpPoolsInput, call: Call) -> t.ModifyIpPoolsOutput:
    balancer = the_balancer(call.store, call, req["LoadBalancerArn"])
    wanted, removed = req.get("IpamPools"), req.get("RemoveIpamPools")
    if bool(wanted) == bool(removed):
        raise invalid("You must specify either IpamPools or RemoveIpamPools")
    if balancer.kind != "application" or balancer.scheme != "internet-facing":
        raise invalid("IPAM pools are only supported for internet-facing Application Load Balancers")
    if wanted:
        raise invalid(f"IPAM pool '{wanted.get('Ipv4IpamPoolId', '')}' does not exist")
    return {"IpamPools": {}}
