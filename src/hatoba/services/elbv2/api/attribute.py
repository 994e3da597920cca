"""Attributes of load balancers, target groups and listeners."""

from __future__ import annotations

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.services.elbv2 import deliveries, views
from hatoba.services.elbv2.api.room import elbv2, the_balancer, the_group, the_listener
from hatoba.services.elbv2.carried import publish, publish_group
from hatoba.services.elbv2.model.balancer import load_balancers
from hatoba.services.elbv2.model.group import target_groups
from hatoba.services.elbv2.model.listener import balancer_of, listeners
from hatoba.services.elbv2.plan import attributes


@elbv2.operation
async def describe_load_balancer_attributes(
    req: t.DescribeLoadBalancerAttributesInput, call: Call
) -> t.DescribeLoadBalancerAttributesOutput:
    record = the_balancer(call.store, call, req["LoadBalancerArn"])
    return {"Attributes": views.balancer_attributes(attributes.of_balancer(record))}


@elbv2.operation
async def modify_load_balancer_attributes(
    req: t.ModifyLoadBalancerAttributesInput, call: Call
) -> t.ModifyLoadBalancerAttributesOutput:
    record = the_balancer(call.store, call, req["LoadBalancerArn"])
    wanted = replace(record, attributes=attributes.checked_for_balancer(req["Attributes"], record))
    await deliveries.check(call.platform, record, wanted, [each.get("Key") or "" for each in req["Attributes"]])
    with call.tx() as tx:
        record = the_balancer(tx, call, req["LoadBalancerArn"])
        changed = attributes.checked_for_balancer(req["Attributes"], record)
        record = tx.put(load_balancers, replace(record, attributes=changed))
        publish(tx, record)
    return {"Attributes": views.balancer_attributes(attributes.of_balancer(record))}


@elbv2.operation
async def describe_target_group_attributes(
    req: t.DescribeTargetGroupAttributesInput, call: Call
) -> t.DescribeTargetGroupAttributesOutput:
    record = the_group(call.store, call, req["TargetGroupArn"])
    return {"Attributes": views.group_attributes(attributes.of_group(record))}


@elbv2.operation
async def modify_target_group_attributes(
    req: t.ModifyTargetGroupAttributesInput, call: Call
) -> t.ModifyTargetGroupAttributesOutput:
    with call.tx() as tx:
        record = the_group(tx, call, req["TargetGroupArn"])
        changed = attributes.checked_for_group(req["Attributes"], record)
        record = tx.put(target_groups, replace(record, attributes=changed))
        publish_group(tx, record)
    return {"Attributes": views.group_attributes(attributes.of_group(record))}


@elbv2.operation
async def describe_listener_attributes(
    req: t.DescribeListenerAttributesInput, call: Call
) -> t.DescribeListenerAttributesOutput:
    record = the_listener(call.store, call, req["ListenerArn"])
    return {"Attributes": views.listener_attributes(attributes.of_listener(record))}


@elbv2.operation
async def modify_listener_attributes(
    req: t.ModifyListenerAttributesInput, call: Call
) -> t.ModifyListenerAttributesOutput:
    with call.tx() as tx:
        record = the_listener(tx, call, req["ListenerArn"])
        changed = attributes.checked_for_listener(req["Attributes"], record)
        record = tx.put(listeners, replace(record, attributes=changed))
        publish(tx, balancer_of(tx, record))
    return {"Attributes": views.listener_attributes(attributes.of_listener(record))}
