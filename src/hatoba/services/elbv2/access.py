"""What ELB's operations need to be allowed.

What describes has no resource: it is allowed as a whole. What creates is asked of the ARN that is to be (its id not yet
known), or, of what is part of something, of that: a listener of its load balancer, a rule of its listener. Tags at
creation need AddTags on what is created, with `elasticloadbalancing:CreateAction`.

Sources: the service authorisation reference, "Elastic Load Balancing V2"; the user guide, "How Elastic Load Balancing
works with IAM" and "Tag resources during creation".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hatoba.gateway.call import Call
from hatoba.gateway.needs import (
    EVERYTHING,
    Access,
    Extra,
    Keys,
    Need,
    Params,
    Resources,
    Rule,
    Values,
    member,
    named,
    on,
    tag_keys,
    untagged,
)
from hatoba.services.elbv2.model import arns

PREFIX = arns.SERVICE
ANY = "*"  # an id that is not known yet
_KINDS = {"application": "app", "network": "net", "gateway": "gwy"}


def asked(
    *resources: Resources, keys: Extra | None = None, tags: str = "Tags", creates: Resources | None = None
) -> Rule:
    """The operation's own action on each of `resources`; and AddTags on what the operation `creates`, if it is given
    tags."""

    def rule(action: str, req: Params, call: Call) -> Iterator[Need]:
        given = tag_keys(req.get(tags))
        said: dict[str, Values] = {**(keys(req, call) if keys is not None else {}), **given}
        found = dict.fromkeys(arn for each in resources for arn in each(req, call))
        for arn in found or (EVERYTHING,):
            yield Need(action=action, resource=arn, keys=said)
        if given and creates is not None:
            said = {**given, f"{PREFIX}:CreateAction": action.partition(":")[2]}
            for arn in creates(req, call):
                yield Need(action=f"{PREFIX}:AddTags", resource=arn, keys=said)

    return rule


# --- resources


def given(path: str) -> Resources:
    """These operations take nothing but whole ARNs."""
    return named(path, lambda call, name: name)


def new_balancer(req: Params, call: Call) -> Iterator[str]:
    kind = _KINDS.get(req.get("Type") or "application", ANY)
    yield arns.make(call.scope, arns.LOAD_BALANCER, f"{kind}/{req.get('Name')}/{ANY}")


def new_group(req: Params, call: Call) -> Iterator[str]:
    yield arns.make(call.scope, arns.TARGET_GROUP, f"{req.get('Name')}/{ANY}")


def new_trust_store(req: Params, call: Call) -> Iterator[str]:
    yield arns.make(call.scope, arns.TRUST_STORE, f"{req.get('Name')}/{ANY}")


def inside(path: str, kind: str) -> Resources:
    """What is created in the load balancer or listener at `path`."""

    def resources(req: Params, call: Call) -> Iterator[str]:
        for arn in member(req, path):
            parsed = arns.parse(arn)
            if parsed is not None:
                yield arns.make(parsed[0], kind, f"{parsed[2]}/{ANY}")

    return resources


BALANCER, GROUP = given("LoadBalancerArn"), given("TargetGroupArn")
LISTENER, RULE = given("ListenerArn"), given("RuleArn")
TAGGED, TRUST_STORE = given("ResourceArns"), given("TrustStoreArn")
NEW_LISTENER = inside("LoadBalancerArn", arns.LISTENER)
NEW_RULE = inside("ListenerArn", arns.RULE)


# --- condition keys


def of_new_balancer(req: Params, call: Call) -> Keys:
    """The scheme also when the request leaves it to the default: whoever may make internal ones only, may not make
    others by saying nothing."""
    gateway = req.get("Type") == "gateway"
    scheme = {} if gateway else {f"{PREFIX}:Scheme": req.get("Scheme") or "internet-facing"}
    return {**scheme, **of_groups(req, call), **of_subnets(req, call)}


def of_groups(req: Params, call: Call) -> Keys:
    return _listed("SecurityGroup", member(req, "SecurityGroups"))


def of_subnets(req: Params, call: Call) -> Keys:
    return _listed("Subnet", (*member(req, "Subnets"), *member(req, "SubnetMappings.SubnetId")))


def of_listener(req: Params, call: Call) -> Keys:
    return {
        **_listed("ListenerProtocol", member(req, "Protocol")),
        **_listed("SecurityPolicy", member(req, "SslPolicy")),
    }


def _listed(key: str, values: Any) -> Mapping[str, Values]:
    found = list(values)
    return {f"{PREFIX}:{key}": found} if found else {}


DESCRIBED = on()

ACCESS = Access(
    PREFIX,
    {
        "AddListenerCertificates": asked(LISTENER),
        "AddTags": asked(TAGGED),
        "AddTrustStoreRevocations": asked(TRUST_STORE),
        "CreateListener": asked(BALANCER, keys=of_listener, creates=NEW_LISTENER),
        "CreateLoadBalancer": asked(new_balancer, keys=of_new_balancer, creates=new_balancer),
        "CreateRule": asked(LISTENER, creates=NEW_RULE),
        "CreateTargetGroup": asked(new_group, creates=new_group),
        "CreateTrustStore": asked(new_trust_store, creates=new_trust_store),
        "DeleteListener": asked(LISTENER),
        "DeleteLoadBalancer": asked(BALANCER),
        "DeleteRule": asked(RULE),
        "DeleteSharedTrustStoreAssociation": asked(TRUST_STORE),
        "DeleteTargetGroup": asked(GROUP),
        "DeleteTrustStore": asked(TRUST_STORE),
        "DeregisterTargets": asked(GROUP),
        "DescribeAccountLimits": DESCRIBED,
        "DescribeCapacityReservation": DESCRIBED,
        "DescribeListenerAttributes": DESCRIBED,
        "DescribeListenerCertificates": DESCRIBED,
        "DescribeListeners": DESCRIBED,
        "DescribeLoadBalancerAttributes": DESCRIBED,
        "DescribeLoadBalancers": DESCRIBED,
        "DescribeRules": DESCRIBED,
        "DescribeSSLPolicies": DESCRIBED,
        "DescribeTags": DESCRIBED,
        "DescribeTargetGroupAttributes": DESCRIBED,
        "DescribeTargetGroups": DESCRIBED,
        "DescribeTargetHealth": DESCRIBED,
        "DescribeTrustStoreAssociations": DESCRIBED,
        "DescribeTrustStoreRevocations": DESCRIBED,
        "DescribeTrustStores": DESCRIBED,
        "GetResourcePolicy": asked(given("ResourceArn")),
        "GetTrustStoreCaCertificatesBundle": asked(TRUST_STORE),
        "GetTrustStoreRevocationContent": asked(TRUST_STORE),
        "ModifyCapacityReservation": asked(BALANCER),
        "ModifyIpPools": asked(BALANCER),
        "ModifyListener": asked(LISTENER, keys=of_listener),
        "ModifyListenerAttributes": asked(LISTENER),
        "ModifyLoadBalancerAttributes": asked(BALANCER),
        "ModifyRule": asked(RULE),
        "ModifyTargetGroup": asked(GROUP),
        "ModifyTargetGroupAttributes": asked(GROUP),
        "ModifyTrustStore": asked(TRUST_STORE),
        "RegisterTargets": asked(GROUP),
        "RemoveListenerCertificates": asked(LISTENER),
        "RemoveTags": asked(TAGGED, keys=untagged("TagKeys")),
        "RemoveTrustStoreRevocations": asked(TRUST_STORE),
        "SetIpAddressType": asked(BALANCER),
        "SetRulePriorities": asked(given("RulePriorities.RuleArn")),
        "SetSecurityGroups": asked(BALANCER, keys=of_groups),
        "SetSubnets": asked(BALANCER, keys=of_subnets),
    },
)
