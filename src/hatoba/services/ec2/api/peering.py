"""VPC peering connections: asked for by one side, accepted or rejected by the other, ended by either.

Both sides see the same connection, each by its own account and region. What either may allow beyond traffic (names,
several ways) is off, and is refused by name when it is to be turned on.
"""

from __future__ import annotations

from datetime import UTC, datetime

from hatoba.aws.shapes import ec2 as t
from hatoba.core.errors import AwsError
from hatoba.core.ids import resource_id
from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.services.ec2.api.room import dry_run, ec2, own_tags, paged, refuse_unknown, tag_new
from hatoba.services.ec2.defaults import ensure_default
from hatoba.services.ec2.filters import matching
from hatoba.services.ec2.model import quotas
from hatoba.services.ec2.model.errors import invalid, missing
from hatoba.services.ec2.model.network import the_vpc
from hatoba.services.ec2.model.peering import (
    ASKED,
    Peering,
    Side,
    State,
    ended,
    found,
    overlap,
    peerings,
    peerings_of,
    present,
    put_peering,
    scope_of,
    the_peering,
)
from hatoba.services.ec2.model.ways import refresh_both_ways
from hatoba.services.ec2.views.peering import options, peering_connection
from hatoba.store import Tx

FAILED = "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range"


@ec2.operation
async def create_vpc_peering_connection(
    req: t.CreateVpcPeeringConnectionRequest, call: Call
) -> t.CreateVpcPeeringConnectionResult:
    dry_run(req)
    refuse_unknown(req, "RequesterPeeringConnectionOptions")
    if "PeerVpcId" not in req:
        raise missing("peerVpcId")
    ensure_default(call)
    far = Side(
        vpc=req["PeerVpcId"],
        account=req.get("PeerOwnerId", call.scope.account),
        region=req.get("PeerRegion", call.scope.region),
    )
    with call.tx() as tx:
        vpc = the_vpc(tx, call.scope, req["VpcId"])
        if (far.account, far.region) == (call.scope.account, call.scope.region):
            the_vpc(tx, call.scope, far.vpc)
        for known in tx.index(peerings, "vpc", vpc.id):
            if far.vpc in known.vpcs and far.vpc != vpc.id:
                raise invalid(
                    f"A VPC peering connection already exists between {vpc.id} and {far.vpc}: {known.id}",
                    "VpcPeeringConnectionAlreadyExists",
                )
        there = tx.count(peerings, "vpc", vpc.id)
        quotas.check(
            there, quotas.PEERINGS, f"peering connections of {vpc.id}", "ActiveVpcPeeringConnectionPerVpcLimitExceeded"
        )
        peering = Peering(
            key=peerings.key(call.scope, resource_id(call.ids, "pcx")),
            requester=Side(vpc=vpc.id, account=call.scope.account, region=call.scope.region, cidrs=vpc.all_cidrs),
            accepter=far,
            state="pending-acceptance",
            words=f"Pending Acceptance by {far.account}",
            until=call.now + ASKED,
        )
        peering = put_peering(tx, _fitting(tx, peering, call.now))
        tag_new(tx, call, peering.id, req)
    return {"VpcPeeringConnection": _view(call, peering)}


def _fitting(tx: Tx, peering: Peering, now: float) -> Peering:
    """With both sides' present blocks; or failed."""
    here, there = found(tx, peering, peering.requester), found(tx, peering, peering.accepter)
    if here is None or there is None or overlap(here.all_cidrs, there.all_cidrs):
        return ended(peering, "failed", FAILED, now)
    return present(tx, peering)


def _view(call: Call, peering: Peering) -> t.VpcPeeringConnection:
    return peering_connection(present(call.store, peering), own_tags(call, peering.id))


@ec2.operation
async def describe_vpc_peering_connections(
    req: t.DescribeVpcPeeringConnectionsRequest, call: Call
) -> t.DescribeVpcPeeringConnectionsResult:
    rows = peerings_of(call.store, call.scope)
    if ids := req.get("VpcPeeringConnectionIds"):
        rows = [the_peering(call.store, call.scope, id_) for id_ in dict.fromkeys(ids)]
    rows = matching(
        [present(call.store, peering) for peering in rows],
        req.get("Filters", []),
        {
            "vpc-peering-connection-id": lambda peering: (peering.id,),
            "status-code": lambda peering: (peering.state,),
            "status-message": lambda peering: (peering.words,),
            "expiration-time": lambda peering: (_expiry(peering),),
            "accepter-vpc-info.cidr-block": lambda peering: peering.accepter.of_family(4),
            "accepter-vpc-info.owner-id": lambda peering: (peering.accepter.account,),
            "accepter-vpc-info.vpc-id": lambda peering: (peering.accepter.vpc,),
            "requester-vpc-info.cidr-block": lambda peering: peering.requester.of_family(4),
            "requester-vpc-info.owner-id": lambda peering: (peering.requester.account,),
            "requester-vpc-info.vpc-id": lambda peering: (peering.requester.vpc,),
        },
        lambda peering: own_tags(call, peering.id),
    )
    page, token = paged(call, req, rows, order=lambda peering: peering.id, ids="VpcPeeringConnectionIds")
    return {"VpcPeeringConnections": [_view(call, peering) for peering in page], **next_token(token)}


def _expiry(peering: Peering) -> str | None:
    if peering.state != "pending-acceptance" or peering.until is None:
        return None
    return datetime.fromtimestamp(peering.until, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@ec2.operation
async def accept_vpc_peering_connection(
    req: t.AcceptVpcPeeringConnectionRequest, call: Call
) -> t.AcceptVpcPeeringConnectionResult:
    dry_run(req)
    with call.tx() as tx:
        peering = _asked(tx, call, req["VpcPeeringConnectionId"], "active")
        peering = _fitting(tx, replace(peering, state="active", words="Active", until=None), call.now)
        peering = put_peering(tx, peering)
        refresh_both_ways(tx, peering)
    return {"VpcPeeringConnection": _view(call, peering)}


@ec2.operation
async def reject_vpc_peering_connection(
    req: t.RejectVpcPeeringConnectionRequest, call: Call
) -> t.RejectVpcPeeringConnectionResult:
    dry_run(req)
    with call.tx() as tx:
        peering = _asked(tx, call, req["VpcPeeringConnectionId"], "rejected")
        _end(tx, call, peering, "rejected", f"Rejected by {call.scope.account}")
    return {"Return": True}


@ec2.operation
async def delete_vpc_peering_connection(
    req: t.DeleteVpcPeeringConnectionRequest, call: Call
) -> t.DeleteVpcPeeringConnectionResult:
    dry_run(req)
    with call.tx() as tx:
        peering = the_peering(tx, call.scope, req["VpcPeeringConnectionId"])
        asked_by_us = peering.state == "pending-acceptance" and scope_of(peering, peering.requester) == call.scope
        if peering.state not in ("active", "failed") and not asked_by_us:
            raise _no_way(peering, "deleted")
        _end(tx, call, peering, "deleted", f"Deleted by {call.scope.account}")
    return {"Return": True}


# What either side might allow: all of it is off here, and stays so.
_ALLOWED = (
    "AllowDnsResolutionFromRemoteVpc",
    "AllowEgressFromLocalClassicLinkToRemoteVpc",
    "AllowEgressFromLocalVpcToRemoteClassicLink",
    "AllowMultipathResilience",
    "MultipathResilienceMode",
)


@ec2.operation
async def modify_vpc_peering_connection_options(
    req: t.ModifyVpcPeeringConnectionOptionsRequest, call: Call
) -> t.ModifyVpcPeeringConnectionOptionsResult:
    peering = the_peering(call.store, call.scope, req["VpcPeeringConnectionId"])
    if peering.state != "active":
        raise invalid(
            f"Peering {peering.id} is not active. Peering options can be added only to active peerings.",
            "OperationNotPermitted",
        )
    answer: t.ModifyVpcPeeringConnectionOptionsResult = {}
    if "AccepterPeeringConnectionOptions" in req:
        answer["AccepterPeeringConnectionOptions"] = _options(
            call, peering.accepter, req["AccepterPeeringConnectionOptions"]
        )
    if "RequesterPeeringConnectionOptions" in req:
        answer["RequesterPeeringConnectionOptions"] = _options(
            call, peering.requester, req["RequesterPeeringConnectionOptions"]
        )
    if not answer:
        raise missing("accepterPeeringConnectionOptions or requesterPeeringConnectionOptions")
    return answer


def _options(call: Call, side: Side, wanted: t.PeeringConnectionOptionsRequest) -> t.PeeringConnectionOptions:
    """Raises OperationNotPermitted, UnsupportedOperation."""
    if not _is(call.scope, side):
        raise invalid(f"User {call.scope.account} cannot modify the options of {side.vpc}", "OperationNotPermitted")
    refuse_unknown(wanted, *_ALLOWED)
    return options()


def _asked(tx: Tx, call: Call, id_: str, to: State) -> Peering:
    """One that waits for an answer, which is the accepter's to give. Raises InvalidStateTransition,
    OperationNotPermitted."""
    peering = the_peering(tx, call.scope, id_)
    if peering.state != "pending-acceptance":
        raise _no_way(peering, to)
    if not _is(call.scope, peering.accepter):
        raise invalid(f"User {call.scope.account} cannot accept peering {id_}", "OperationNotPermitted")
    return peering


def _is(scope: Scope, side: Side) -> bool:
    return (scope.account, scope.region) == (side.account, side.region)


def _no_way(peering: Peering, to: State) -> AwsError:
    return invalid(
        f"Invalid state transition for {peering.id}, attempted to transition from {peering.state} to {to}",
        "InvalidStateTransition",
    )


def _end(tx: Tx, call: Call, peering: Peering, state: State, words: str) -> None:
    put_peering(tx, ended(peering, state, words, call.now))
    refresh_both_ways(tx, peering)
