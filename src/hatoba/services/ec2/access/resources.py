"""What EC2's requests name, as ARNs, and the condition keys that each has by what it is.

Where something is named indirectly (an association, a public address, a group's name), it is looked up; what is not
found is needed as it was written, and refused by the operation. What is to be made is any of its kind: `vpc/*`.

Tags of resources are told for every service alike, by the ARN.

Source: the service authorisation reference, "Amazon EC2", resource types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from hatoba.aws.index import signing_name
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Keys, Params, Values, member
from hatoba.gateway.tags import tags_of
from hatoba.services.ec2.model.acl import associated, network_acls
from hatoba.services.ec2.model.address import elastics
from hatoba.services.ec2.model.arns import TYPES, arn_of
from hatoba.services.ec2.model.endpoint import vpc_endpoints
from hatoba.services.ec2.model.group import groups
from hatoba.services.ec2.model.interface import Eni, enis
from hatoba.services.ec2.model.keypair import KeyPair, by_name, key_pairs
from hatoba.services.ec2.model.network import subnets, vpcs
from hatoba.services.ec2.model.peering import Side, peerings
from hatoba.services.ec2.model.prefixlist import is_of_aws
from hatoba.services.ec2.model.routes import route_tables
from hatoba.services.ec2.views import zone_id

ANY = "*"  # of a kind: what is to be made


class Thing(NamedTuple):
    """A resource, with the keys that it has by itself."""

    kind: str
    arn: str
    keys: Keys
    made: bool = False  # it is to be


Target = Callable[[Params, Call], Iterable[Thing]]


def thing(call: Call, kind: str, id_: str) -> Thing:
    arn = arn_of(call.scope, kind, id_)
    if kind == "prefix-list" and is_of_aws(call.scope, id_):
        arn = arn_of(call.scope._replace(account="aws"), kind, id_)
    own = _OWN_KEYS.get(kind)
    return Thing(kind, arn, own(call, id_) if own is not None else {})


# --- keys ----------------------------------------------------------------------------------------------------------


def _vpc_arn(call: Call, id_: str) -> str:
    return arn_of(call.scope, "vpc", id_)


def _vpc(call: Call, id_: str) -> Keys:
    found = call.store.find(vpcs, call.scope, id_)
    return {"ec2:VpcID": id_, **({"ec2:Tenancy": found.tenancy} if found else {})}


def _subnet(call: Call, id_: str) -> Keys:
    found = call.store.find(subnets, call.scope, id_)
    if found is None:
        return {"ec2:SubnetID": id_}
    return {"ec2:SubnetID": id_, "ec2:Vpc": _vpc_arn(call, found.vpc), **_zone(found.zone)}


def _zone(zone: str) -> dict[str, Values]:
    return {"ec2:AvailabilityZone": zone, "ec2:AvailabilityZoneId": zone_id(zone)}


def _group(call: Call, id_: str) -> Keys:
    found = call.store.find(groups, call.scope, id_)
    return {"ec2:SecurityGroupID": id_, **({"ec2:Vpc": _vpc_arn(call, found.vpc)} if found else {})}


def _interface(call: Call, id_: str) -> Keys:
    found = call.store.find(enis, call.scope, id_)
    if found is None:
        return {"ec2:NetworkInterfaceID": id_}
    subnet = arn_of(call.scope, "subnet", found.subnet)
    where = {"ec2:Subnet": subnet, "ec2:Vpc": _vpc_arn(call, found.vpc), "ec2:AvailabilityZone": found.zone}
    return {"ec2:NetworkInterfaceID": id_, **where, **_operator(found)}


def _operator(eni: Eni) -> dict[str, Values]:
    """The service that has made it, if one of another room did: `ecs.amazonaws.com`."""
    role, session, room = (eni.requester or "").rpartition(":")
    return {"ec2:ManagedResourceOperator": f"{signing_name(room)}.amazonaws.com"} if role and session else {}


def _table(call: Call, id_: str) -> Keys:
    found = call.store.find(route_tables, call.scope, id_)
    return {"ec2:RouteTableID": id_, **({"ec2:Vpc": _vpc_arn(call, found.vpc)} if found else {})}


def _acl(call: Call, id_: str) -> Keys:
    """One that nobody has touched is not stored: its id tells its VPC."""
    found = call.store.find(network_acls, call.scope, id_)
    vpc = found.vpc if found else id_.replace("acl-", "vpc-", 1)
    known = found is not None or call.store.find(vpcs, call.scope, vpc) is not None
    return {"ec2:NetworkAclID": id_, **({"ec2:Vpc": _vpc_arn(call, vpc)} if known else {})}


def _elastic(call: Call, id_: str) -> Keys:
    found = call.store.find(elastics, call.scope, id_)
    public = {"ec2:PublicIpAddress": found.public} if found else {}
    return {"ec2:AllocationId": id_, "ec2:Domain": "vpc", **public}


def _peering(call: Call, id_: str) -> Keys:
    found = next(iter(call.store.index(peerings, "id", id_)), None)
    sides = _sides(call, found.requester.vpc, found.accepter) if found else {}
    return {"ec2:VpcPeeringConnectionID": id_, **sides}


def _endpoint(call: Call, id_: str) -> Keys:
    found = call.store.find(vpc_endpoints, call.scope, id_)
    return _of_service(found.service) if found else {}


def _of_service(name: str) -> Keys:
    return {"ec2:VpceServiceName": name, "ec2:VpceServiceOwner": "amazon"}


def _sides(call: Call, requester: str, accepter: Side) -> dict[str, Values]:
    far = call.scope._replace(account=accepter.account, region=accepter.region)
    return {"ec2:RequesterVpc": _vpc_arn(call, requester), "ec2:AccepterVpc": arn_of(far, "vpc", accepter.vpc)}


_OWN_KEYS: dict[str, Callable[[Call, str], Keys]] = {
    "vpc": _vpc,
    "subnet": _subnet,
    "security-group": _group,
    "network-interface": _interface,
    "route-table": _table,
    "network-acl": _acl,
    "elastic-ip": _elastic,
    "internet-gateway": lambda call, id_: {"ec2:InternetGatewayID": id_},
    "dhcp-options": lambda call, id_: {"ec2:DhcpOptionsID": id_},
    "vpc-peering-connection": _peering,
    "vpc-endpoint": _endpoint,
}


# --- of a request --------------------------------------------------------------------------------------------------


def of(kind: str, *paths: str) -> Target:
    """Those of a kind whose ids stand in these members."""

    def things(req: Params, call: Call) -> Iterator[Thing]:
        for path in paths:
            for id_ in member(req, path):
                yield thing(call, kind, id_)

    return things


def made(kind: str) -> Target:
    """What is to be made."""

    def things(req: Params, call: Call) -> Iterator[Thing]:
        yield Thing(kind, arn_of(call.scope, kind, ANY), {}, made=True)

    return things


def tagged(req: Params, call: Call) -> Iterator[Thing]:
    """What CreateTags and DeleteTags name, of whatever type."""
    for id_ in member(req, "Resources"):
        kind = TYPES.get(id_.rpartition("-")[0])
        if kind == "key-pair":
            yield from key_pair({"KeyPairId": id_}, call)
            continue
        yield Thing("", call.arn(id_), {}) if kind is None else thing(call, kind, id_)


def new_key_pair(req: Params, call: Call) -> Iterator[Thing]:
    """Its name is known before."""
    kind = {} if "PublicKeyMaterial" in req else {"ec2:KeyPairType": req.get("KeyType", "rsa")}
    yield Thing("key-pair", arn_of(call.scope, "key-pair", req.get("KeyName") or ANY), kind, made=True)


def key_pair(req: Params, call: Call) -> Iterator[Thing]:
    """By name or id; its ARN has the name, its tags are found under the id."""
    for id_ in member(req, "KeyPairId"):
        found = call.store.find(key_pairs, call.scope, id_)
        yield _key_pair(call, found) if found else thing(call, "key-pair", id_)
    for name in member(req, "KeyName"):
        found = by_name(call.store, call.scope, name)
        yield _key_pair(call, found) if found else thing(call, "key-pair", name)


def _key_pair(call: Call, pair: KeyPair) -> Thing:
    keys: dict[str, Values] = {"ec2:KeyPairName": pair.name, "ec2:KeyPairType": pair.kind}
    for key, value in tags_of(call.store, call.scope, arn_of(call.scope, "key-pair", pair.id)).items():
        keys |= {f"ec2:ResourceTag/{key}": value, f"aws:ResourceTag/{key}": value}
    return Thing("key-pair", arn_of(call.scope, "key-pair", pair.name), keys)


def group(req: Params, call: Call) -> Iterator[Thing]:
    """By id, or by name in the default VPC."""
    names = [] if req.get("GroupId") else list(member(req, "GroupName"))
    for vpc in call.store.scan(vpcs, call.scope) if names else ():
        if vpc.is_default:
            names = [each.id for name in names for each in call.store.index(groups, "name", (vpc.id, name))] or names
    for id_ in (*member(req, "GroupId"), *names):
        yield thing(call, "security-group", id_)


def vpc_of_new_group(req: Params, call: Call) -> Iterator[Thing]:
    """The one that is named, or the default VPC."""
    named = list(member(req, "VpcId"))
    for id_ in named or [vpc.id for vpc in call.store.scan(vpcs, call.scope) if vpc.is_default] or [ANY]:
        yield thing(call, "vpc", id_)


def elastic(req: Params, call: Call) -> Iterator[Thing]:
    """By its allocation, by itself, or by what it is associated with."""
    for id_ in member(req, "AllocationId"):
        yield thing(call, "elastic-ip", id_)
    for public in member(req, "PublicIp"):
        found = [each.id for each in call.store.index(elastics, "public", public) if each.scope == call.scope]
        yield thing(call, "elastic-ip", found[0] if found else public)
    for eni in call.store.index(enis, "association", req.get("AssociationId") or ""):
        for each in eni.translations if eni.scope == call.scope else ():
            if each.id == req.get("AssociationId") and each.allocation is not None:
                yield thing(call, "elastic-ip", each.allocation)


def holder(req: Params, call: Call) -> Iterator[Thing]:
    """The interface that an elastic address is, or will be, associated with."""
    yield from of("network-interface", "NetworkInterfaceId")(req, call)
    yield from of("instance", "InstanceId")(req, call)
    if not any(member(req, "AssociationId")):
        return
    for eni in call.store.index(enis, "association", req.get("AssociationId") or ""):
        if eni.scope == call.scope:
            yield thing(call, "network-interface", eni.id)


def attached(req: Params, call: Call) -> Iterator[Thing]:
    """The interface of an attachment."""
    for id_ in member(req, "AttachmentId"):
        yield thing(call, "network-interface", f"eni-{id_.rpartition('-')[2]}")


def table_of_association(req: Params, call: Call) -> Iterator[Thing]:
    for table in call.store.index(route_tables, "association", req.get("AssociationId") or ""):
        if table.scope == call.scope:
            yield thing(call, "route-table", table.id)


def subnet_of_association(req: Params, call: Call) -> Iterator[Thing]:
    """Of a route table; the main table's association has none."""
    id_ = req.get("AssociationId") or ""
    for table in call.store.index(route_tables, "association", id_):
        for association in table.associations:
            if table.scope == call.scope and association.id == id_ and association.subnet:
                yield thing(call, "subnet", association.subnet)


def subnet_of_acl_association(req: Params, call: Call) -> Iterator[Thing]:
    try:
        yield thing(call, "subnet", associated(call.store, call.scope, req.get("AssociationId") or "").id)
    except AwsError:
        return


def vpc_of_block(req: Params, call: Call) -> Iterator[Thing]:
    id_ = req.get("AssociationId") or ""
    found = [vpc.id for vpc in call.store.index(vpcs, "block", id_) if vpc.scope == call.scope]
    yield thing(call, "vpc", found[0] if found else id_.replace("vpc-cidr-assoc-", "vpc-", 1))


def subnet_of_block(req: Params, call: Call) -> Iterator[Thing]:
    for found in call.store.index(subnets, "block", req.get("AssociationId") or ""):
        if found.scope == call.scope:
            yield thing(call, "subnet", found.id)


def new_peering(req: Params, call: Call) -> Iterator[Thing]:
    """With the VPCs of both sides."""
    far = Side(
        vpc=req.get("PeerVpcId") or "",
        account=req.get("PeerOwnerId") or call.scope.account,
        region=req.get("PeerRegion") or call.scope.region,
    )
    kind = "vpc-peering-connection"
    yield Thing(kind, arn_of(call.scope, kind, ANY), _sides(call, req.get("VpcId") or "", far), made=True)


def new_endpoint(req: Params, call: Call) -> Iterator[Thing]:
    kind, service = "vpc-endpoint", req.get("ServiceName")
    yield Thing(kind, arn_of(call.scope, kind, ANY), _of_service(service) if service else {}, made=True)


def accepter_of_peering(req: Params, call: Call) -> Iterator[Thing]:
    for found in call.store.index(peerings, "id", req.get("VpcPeeringConnectionId") or ""):
        yield thing(call, "vpc", found.accepter.vpc)
