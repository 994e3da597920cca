"""VPC peering connections: who may ask, accept and end one, and what their routes are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hatoba.core.records import replace
from hatoba.fleet import model as fleet
from hatoba.services.ec2.controller.peering import PeeringController
from hatoba.services.ec2.model.peering import peerings
from tests.conformance.ec2.networks import Platform, by
from tests.conformance.serving import fresh_account, fresh_region, refused


@pytest.fixture
def far(ec2: Any) -> str:
    id_: str = ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    return id_


@pytest.fixture
def peering(ec2: Any, vpc: str, far: str) -> str:
    asked = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=far)["VpcPeeringConnection"]
    assert asked["Status"]["Code"] == "pending-acceptance"
    id_: str = asked["VpcPeeringConnectionId"]
    return id_


def status(ec2: Any, id_: str) -> str:
    (found,) = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[id_])["VpcPeeringConnections"]
    code: str = found["Status"]["Code"]
    return code


def known(platform: Platform, id_: str) -> bool:
    return any(peering.id == id_ for peering in platform.store.all(fleet.peerings))


def test_an_active_peering_is_known_to_the_nodes_and_has_routes(
    ec2: Any, platform: Platform, vpc: str, far: str, subnet: str, peering: str
) -> None:
    (table,) = ec2.describe_route_tables(Filters=by("vpc-id", vpc))["RouteTables"]
    to = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "10.2.0.0/16"}
    ec2.create_route(VpcPeeringConnectionId=peering, **to)

    def route() -> tuple[str, str, str]:
        found = ec2.describe_route_tables(Filters=by("route.vpc-peering-connection-id", peering))["RouteTables"]
        (network,) = (n for n in platform.store.all(fleet.networks) if n.id == vpc)
        ((way,),) = (subnet.routes for subnet in network.subnets)
        return found[0]["Routes"][1]["State"], way.kind, way.target

    assert route() == ("blackhole", "closed", "")
    assert not known(platform, peering)
    accepted = ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)["VpcPeeringConnection"]
    assert accepted["Status"] == {"Code": "active", "Message": "Active"}
    assert accepted["AccepterVpcInfo"]["CidrBlockSet"] == [{"CidrBlock": "10.2.0.0/16"}]
    assert route() == ("active", "peering", far)
    assert known(platform, peering)
    refused("InvalidStateTransition", ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=peering)
    refused("VpcPeeringConnectionAlreadyExists", ec2.create_vpc_peering_connection, VpcId=far, PeerVpcId=vpc)
    refused("InvalidVpc.Range", ec2.associate_vpc_cidr_block, VpcId=far, CidrBlock="10.0.0.0/20")
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    assert (status(ec2, peering), route(), known(platform, peering)) == (
        "deleted",
        ("blackhole", "closed", ""),
        False,
    )
    refused("InvalidStateTransition", ec2.delete_vpc_peering_connection, VpcPeeringConnectionId=peering)
    refused("InvalidVpcPeeringConnectionID.NotFound", ec2.replace_route, VpcPeeringConnectionId=peering, **to)


def group_in(ec2: Any, vpc: str) -> str:
    id_: str = ec2.create_security_group(GroupName="app", Description="app", VpcId=vpc)["GroupId"]
    return id_


def naming(group: str, **more: str) -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": group, **more}]}]


def stale(ec2: Any, vpc: str) -> list[tuple[str, str, str]]:
    return [
        (found["GroupId"], pair["GroupId"], pair["PeeringStatus"])
        for found in ec2.describe_stale_security_groups(VpcId=vpc)["StaleSecurityGroupSet"]
        for permission in found["StaleIpPermissions"]
        for pair in permission["UserIdGroupPairs"]
    ]


def test_rules_may_name_groups_of_peered_vpcs(ec2: Any, vpc: str, far: str, peering: str) -> None:
    ours, theirs = group_in(ec2, vpc), group_in(ec2, far)
    allow = {"GroupId": ours, "IpPermissions": naming(theirs)}
    words = refused("InvalidGroup.NotFound", ec2.authorize_security_group_ingress, **allow)
    assert words == "You have specified two resources that belong to different networks."
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    assert ec2.describe_security_group_references(GroupId=[theirs])["SecurityGroupReferenceSet"] == []
    (rule,) = ec2.authorize_security_group_ingress(**allow)["SecurityGroupRules"]
    told = {"UserId": rule["GroupOwnerId"], "VpcId": far, "VpcPeeringConnectionId": peering}
    assert rule["ReferencedGroupInfo"] == {"GroupId": theirs, "PeeringStatus": "active", **told}
    assert ec2.describe_security_group_references(GroupId=[theirs, ours])["SecurityGroupReferenceSet"] == [
        {"GroupId": theirs, "ReferencingVpcId": vpc, "VpcPeeringConnectionId": peering}
    ]
    assert stale(ec2, vpc) == []
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    (found,) = ec2.describe_security_groups(GroupIds=[ours])["SecurityGroups"]
    pair = {"GroupId": theirs, "PeeringStatus": "deleted", **told}
    assert found["IpPermissions"][0]["UserIdGroupPairs"] == [pair]
    assert stale(ec2, vpc) == [(ours, theirs, "deleted")]
    assert stale(ec2, far) == []
    assert ec2.describe_security_group_references(GroupId=[theirs])["SecurityGroupReferenceSet"] == []
    # As it was told, with all that belongs to a pair: that is how Terraform removes it.
    ec2.revoke_security_group_ingress(GroupId=ours, IpPermissions=found["IpPermissions"])
    assert stale(ec2, vpc) == []
    refused("InvalidGroup.NotFound", ec2.authorize_security_group_ingress, **allow)


def test_a_group_that_a_peered_vpc_names_can_go_and_leaves_a_stale_rule(
    ec2: Any, platform: Platform, vpc: str, far: str, peering: str
) -> None:
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    ours, theirs = group_in(ec2, vpc), group_in(ec2, far)
    (rule,) = ec2.authorize_security_group_ingress(GroupId=ours, IpPermissions=naming(theirs))["SecurityGroupRules"]
    ec2.delete_security_group(GroupId=theirs)
    assert stale(ec2, vpc) == [(ours, theirs, "active")]
    # A rule that names nobody can be described anew, but there is no second one.
    ec2.modify_security_group_rules(
        GroupId=ours,
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": rule["SecurityGroupRuleId"],
                "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 81, "ToPort": 81, "ReferencedGroupId": theirs},
            }
        ],
    )
    refused("InvalidGroup.NotFound", ec2.authorize_security_group_ingress, GroupId=ours, IpPermissions=naming(theirs))
    ec2.revoke_security_group_ingress(GroupId=ours, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    ec2.delete_security_group(GroupId=ours)


def test_rules_may_name_groups_of_another_account(platform: Platform, ec2: Any, vpc: str) -> None:
    account = fresh_account()
    theirs = platform.client("ec2", region=ec2.meta.region_name, account=account)
    far = theirs.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group, ours = group_in(theirs, far), group_in(ec2, vpc)
    allow = {"GroupId": ours, "IpPermissions": naming(group, UserId=account)}
    refused("InvalidGroup.NotFound", ec2.authorize_security_group_ingress, **allow)
    asked = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=far, PeerOwnerId=account)
    id_ = asked["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    theirs.accept_vpc_peering_connection(VpcPeeringConnectionId=id_)
    (rule,) = ec2.authorize_security_group_ingress(**allow)["SecurityGroupRules"]
    assert rule["ReferencedGroupInfo"]["UserId"] == account
    (known,) = (policy for policy in platform.store.all(fleet.policy_sets) if policy.id == ours)
    assert known.ingress[0].groups == (group,)
    (told,) = theirs.describe_security_group_references(GroupId=[group])["SecurityGroupReferenceSet"]
    assert told["ReferencingVpcId"] == vpc
    unknown = {"GroupId": ours, "IpPermissions": naming("sg-0123456789abcdef0", UserId=account)}
    refused("InvalidGroup.NotFound", ec2.authorize_security_group_ingress, **unknown)


def test_overlapping_blocks_make_a_failed_one(ec2: Any, platform: Platform, vpc: str) -> None:
    twin = ec2.create_vpc(CidrBlock="10.0.128.0/20")["Vpc"]["VpcId"]
    failed = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=twin)["VpcPeeringConnection"]
    assert failed["Status"] == {
        "Code": "failed",
        "Message": "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range",
    }
    refused(
        "InvalidStateTransition",
        ec2.accept_vpc_peering_connection,
        VpcPeeringConnectionId=failed["VpcPeeringConnectionId"],
    )
    assert not known(platform, failed["VpcPeeringConnectionId"])


def test_blocks_that_overlap_by_the_time_it_is_accepted(ec2: Any, vpc: str, far: str, peering: str) -> None:
    refused("InvalidVpc.Range", ec2.associate_vpc_cidr_block, VpcId=far, CidrBlock="10.0.0.0/20")
    assert status(ec2, peering) == "pending-acceptance"


def test_another_account_in_another_region(platform: Platform, ec2: Any, vpc: str) -> None:
    account, region = fresh_account(), fresh_region()
    theirs = platform.client("ec2", region=region, account=account)
    far = theirs.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    asked = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=far, PeerOwnerId=account, PeerRegion=region)
    id_ = asked["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    refused("OperationNotPermitted", ec2.accept_vpc_peering_connection, VpcPeeringConnectionId=id_)
    stranger = platform.client("ec2", region=region, account=fresh_account())
    refused(
        "InvalidVpcPeeringConnectionID.NotFound", stranger.accept_vpc_peering_connection, VpcPeeringConnectionId=id_
    )
    assert stranger.describe_vpc_peering_connections()["VpcPeeringConnections"] == []
    theirs.accept_vpc_peering_connection(VpcPeeringConnectionId=id_)
    for side in (ec2, theirs):
        (found,) = side.describe_vpc_peering_connections(Filters=by("status-code", "active"))["VpcPeeringConnections"]
        assert (found["AccepterVpcInfo"]["OwnerId"], found["AccepterVpcInfo"]["Region"]) == (account, region)
    assert known(platform, id_)
    theirs.delete_vpc_peering_connection(VpcPeeringConnectionId=id_)
    assert status(ec2, id_) == "deleted"


def test_options_of_either_side_are_off_and_stay_so(platform: Platform, ec2: Any, vpc: str, peering: str) -> None:
    change = {"VpcPeeringConnectionId": peering}
    off = {"AllowDnsResolutionFromRemoteVpc": False}
    both = {"AccepterPeeringConnectionOptions": off, "RequesterPeeringConnectionOptions": off}
    words = refused("OperationNotPermitted", ec2.modify_vpc_peering_connection_options, **change, **both)
    assert words == f"Peering {peering} is not active. Peering options can be added only to active peerings."
    ec2.accept_vpc_peering_connection(**change)
    told = ec2.modify_vpc_peering_connection_options(**change, **both)
    (found,) = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])["VpcPeeringConnections"]
    for side in ("Accepter", "Requester"):
        assert told[f"{side}PeeringConnectionOptions"] == found[f"{side}VpcInfo"]["PeeringOptions"]
        assert not any(found[f"{side}VpcInfo"]["PeeringOptions"].values())
        on = {f"{side}PeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": True}}
        words = refused("UnsupportedOperation", ec2.modify_vpc_peering_connection_options, **change, **on)
        assert words.startswith("AllowDnsResolutionFromRemoteVpc")
    refused("MissingParameter", ec2.modify_vpc_peering_connection_options, **change)


def test_each_side_says_what_it_allows(platform: Platform, ec2: Any, vpc: str) -> None:
    account = fresh_account()
    theirs = platform.client("ec2", region=ec2.meta.region_name, account=account)
    far = theirs.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    asked = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=far, PeerOwnerId=account)
    change = {"VpcPeeringConnectionId": asked["VpcPeeringConnection"]["VpcPeeringConnectionId"]}
    theirs.accept_vpc_peering_connection(**change)
    off = {"AllowDnsResolutionFromRemoteVpc": False}
    for own, other, side in ((ec2, theirs, "Requester"), (theirs, ec2, "Accepter")):
        options = {f"{side}PeeringConnectionOptions": off}
        assert f"{side}PeeringConnectionOptions" in own.modify_vpc_peering_connection_options(**change, **options)
        refused("OperationNotPermitted", other.modify_vpc_peering_connection_options, **change, **options)


def test_who_is_asked_may_say_no(ec2: Any, platform: Platform, vpc: str, peering: str) -> None:
    assert ec2.reject_vpc_peering_connection(VpcPeeringConnectionId=peering)["Return"]
    assert status(ec2, peering) == "rejected"
    refused("InvalidStateTransition", ec2.delete_vpc_peering_connection, VpcPeeringConnectionId=peering)


def test_a_deleted_vpc_ends_its_peerings(ec2: Any, platform: Platform, far: str, peering: str) -> None:
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    ec2.delete_vpc(VpcId=far)
    assert (status(ec2, peering), known(platform, peering)) == ("deleted", False)


def test_what_is_refused(ec2: Any, vpc: str, far: str, peering: str) -> None:
    refused("InvalidVpcID.NotFound", ec2.create_vpc_peering_connection, VpcId="vpc-0", PeerVpcId=far)
    refused("InvalidVpcID.NotFound", ec2.create_vpc_peering_connection, VpcId=vpc, PeerVpcId="vpc-0")
    refused("MissingParameter", ec2.create_vpc_peering_connection, VpcId=vpc)
    third = ec2.create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    (table,) = ec2.describe_route_tables(Filters=by("vpc-id", third))["RouteTables"]
    words = refused(
        "InvalidParameterValue",
        ec2.create_route,
        RouteTableId=table["RouteTableId"],
        VpcPeeringConnectionId=peering,
        DestinationCidrBlock="10.0.0.0/16",
    )
    assert words == (
        f"route table {table['RouteTableId']} and VPC peering connection {peering} belong to different networks"
    )
    refused(
        "InvalidParameterCombination",
        ec2.create_route,
        RouteTableId=table["RouteTableId"],
        DestinationCidrBlock="10.0.0.0/16",
    )


def test_time_ends_what_nobody_answers_and_forgets_what_has_ended(ec2: Any, platform: Platform, peering: str) -> None:
    controller = PeeringController(platform.plane)
    key = next(record.key for record in platform.store.all(peerings) if record.id == peering)

    def overdue() -> None:
        with platform.store.tx() as tx:
            record = tx.get(peerings, key)
            assert record is not None
            tx.put(peerings, replace(record, until=platform.clock.now() - 1))

    async def once() -> float | None:
        due = await controller.reconcile(key)
        await platform.store.durable()
        return due

    def passed() -> float | None:
        return asyncio.run_coroutine_threadsafe(once(), platform.loop).result(20)

    assert passed() is not None, "it waits"
    platform.run(overdue)
    passed()
    assert status(ec2, peering) == "expired"
    platform.run(overdue)
    passed()
    refused(
        "InvalidVpcPeeringConnectionID.NotFound",
        ec2.describe_vpc_peering_connections,
        VpcPeeringConnectionIds=[peering],
    )


def test_blocks_that_come_later_are_shown_and_count(ec2: Any, vpc: str, far: str, peering: str) -> None:
    """Of either side and family: peered VPCs never come to overlap."""
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    ec2.associate_vpc_cidr_block(VpcId=far, CidrBlock="10.9.0.0/16")
    given = ec2.associate_vpc_cidr_block(VpcId=far, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]

    def shown() -> Any:
        (found,) = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])["VpcPeeringConnections"]
        return found["AccepterVpcInfo"]

    assert shown()["CidrBlockSet"] == [{"CidrBlock": "10.2.0.0/16"}, {"CidrBlock": "10.9.0.0/16"}]
    assert shown()["Ipv6CidrBlockSet"] == [{"Ipv6CidrBlock": given["Ipv6CidrBlock"]}]
    found = ec2.describe_vpc_peering_connections(Filters=by("accepter-vpc-info.cidr-block", "10.9.0.0/16"))
    assert [each["VpcPeeringConnectionId"] for each in found["VpcPeeringConnections"]] == [peering]
    refused("InvalidVpc.Range", ec2.associate_vpc_cidr_block, VpcId=vpc, CidrBlock="10.9.128.0/20")
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    assert len(shown()["CidrBlockSet"]) == 1, "as it was accepted, whatever the VPCs have now"
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.9.128.0/20")
