"""Who reaches whom, cell by cell, from what was asked of EC2 to packets: before and after each change.

A row is who asks, a column whom (`land` says who they are):

    out     in the public subnet, with a public address        shy     beside it, without one
    in      in the private subnet, on the other node           iso     in the isolated one; both in the group app
    mute    in the isolated subnet; no rule lets it out        deaf    in the private one; no rule lets anybody in
    lb      a load balancer's address in the public subnet     twin    another VPC's, with the address of `in`
    far     in the VPC that is to be peered                    host    the machine of out, shy, iso, mute, lb and twin

    out* lb* nat*   their public addresses      world   outside
    aws     the platform's endpoint             port    another port of the host, where tasks find the platform
    loop    what listens on the host's loopback under   a port of the host, at its address for other machines

By IPv6 (`out6` and so on; `six` has nothing else) all of the public subnet are reached from outside, and those of the
private one get out without being reached.

`+` is reached, `-` silence, `x` that somebody else has the address there and refuses, `=` not asked. Rules: app lets
members of web (out, shy, lb) and of itself in; web and mute let everybody in; far lets its own VPC in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.contract.network.labs import Lab
from tests.contract.network.land import EVERYWHERE, EVERYWHERE6, Land

AS_BUILT = """
     out shy in iso mute deaf lb twin far out* lb* nat* world aws port loop under
out   =   +   +  +   +    -   +   x    -   =    +   -    +     +   -    -    -
shy   +   =   +  +   +    -   +   x    -   -    -   -    -     +   -    -    -
in    +   +   =  +   +    -   +   x    -   +    +   -    +     +   -    -    +
iso   +   +   +  =   +    -   +   x    -   -    -   -    -     +   -    -    -
mute  -   -   -  -   =    -   -   -    -   -    -   -    -     -   -    -    -
deaf  +   +   -  -   +    =   +   -    -   +    +   -    +     +   -    -    +
lb    +   +   +  +   +    -   =   x    -   +    =   -    +     +   -    -    -
twin  -   -   x  -   -    -   -   =    -   -    -   -    -     +   -    -    -
far   -   -   -  -   -    -   -   -    =   -    -   -    -     +   -    -    -
host  -   -   -  -   -    -   -   -    -   +    +   -    =     =   =    =    =
"""
AS_BUILT6 = """
     out6 shy6 in6 iso6 mute6 deaf6 six lb6 twin6 far6 world6 aws6 port6
out   =    +    +   +    +     -    +   +    -     -    +      +     -
shy   +    =    +   +    +     -    +   +    -     -    +      +     -
in    +    +    =   +    +     -    +   +    -     -    +      +     -
iso   +    +    +   =    +     -    +   +    -     -    -      +     -
mute  -    -    -   -    =     -    -   -    -     -    -      -     -
deaf  +    +    -   -    +     =    +   +    -     -    +      +     -
six   +    +    +   +    +     -    =   +    -     -    +      +     -
lb    +    +    +   +    +     -    +   =    -     -    +      +     -
twin  -    -    -   -    -     -    -   -    =     -    -      +     -
far   -    -    -   -    -     -    -   -    -     =    -      +     -
host  +    +    -   -    -     -    +   +    -     -    =      =     =
"""
# `in` finds its own machine's port at `under` as everybody outside does: through the gateway, on the other machine.


async def peered(land: Land) -> None:
    """Accepted, with routes on both sides; far lets members of app in, a group of the other VPC."""
    peering = land.made["peering"]
    await land.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    await land.leads("private", "10.2.0.0/16", VpcPeeringConnectionId=peering)
    await land.leads("far", "10.0.0.0/16", VpcPeeringConnectionId=peering)
    await land.leads("private", land.made["far vpc block6"], VpcPeeringConnectionId=peering)
    await land.leads("far", land.made["one block6"], VpcPeeringConnectionId=peering)
    await land.opens("fars", members="app")


async def app_lets_far_in(land: Land) -> None:
    await land.opens("app", members="fars")


async def without_nat(land: Land) -> None:
    for everywhere in (EVERYWHERE, EVERYWHERE6):
        await land.leads_no_more("private", everywhere)


async def iso_changes_groups(land: Land) -> None:
    await land.joins("iso", "web")


async def app_forgets_web(land: Land) -> None:
    await land.closes("app", members="web")


async def out_loses_its_address(land: Land) -> None:
    await land.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=land.made["out eni"], AssociatePublicIpAddress=False
    )


async def shy_loses_ipv6(land: Land) -> None:
    await land.loses_ipv6("shy")


async def public_gets_answers_only(land: Land) -> None:
    """By IPv6: its way out is an egress-only gateway from now on."""
    await land.leads_otherwise("public", EVERYWHERE6, EgressOnlyInternetGatewayId=land.made["eigw"])


async def no_more_peering(land: Land) -> None:
    await land.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=land.made["peering"])


async def isolated_is_cut_off(land: Land) -> None:
    """A network ACL that lets nothing pass: those of one subnet still reach each other."""
    await land.cut_off("isolated")


# Each change, and the cells that are others from then on: who > whom, and what they find.
STORY: tuple[tuple[Callable[[Land], Awaitable[None]], str], ...] = (
    (peered, "in > far far6 +"),  # iso is in app too, but its subnet has no route
    (app_lets_far_in, "far > in in6 +, far > twin x"),  # iso has no way back
    (without_nat, "in deaf > out* lb* world under world6 -"),
    (iso_changes_groups, "deaf > iso iso6 +"),  # web lets everybody in, and app lets in what has joined web
    (app_forgets_web, "out shy iso lb > in twin in6 -, six > in6 -"),  # twin's address is that of `in`
    (out_loses_its_address, "out > lb* world -, lb host > out* -"),
    (public_gets_answers_only, "host > out6 shy6 six lb6 -"),
    (
        shy_loses_ipv6,
        "out in iso deaf six lb > shy6 -, shy > out6 iso6 mute6 six lb6 world6 aws6 -",
    ),
    (no_more_peering, "in > far far6 -, far > in twin in6 -"),
    (
        isolated_is_cut_off,
        "out in lb > iso mute iso6 mute6 -, shy > iso mute -, deaf > iso mute iso6 mute6 -, six > iso6 mute6 -, "
        "iso > out shy lb aws out6 six lb6 aws6 -",
    ),
)


def read(table: str) -> dict[tuple[str, str], str]:
    head, *rows = table.strip().splitlines()
    cells = ((row.split()[0], row.split()[1:]) for row in rows)
    return {(source, target): cell for source, row in cells for target, cell in zip(head.split(), row, strict=True)}


def changed(told: dict[tuple[str, str], str], changes: str) -> dict[tuple[str, str], str]:
    after = dict(told)
    for change in changes.split(", "):
        sources, _, rest = change.partition(" > ")
        *targets, cell = rest.split()
        for place in ((source, target) for source in sources.split() for target in targets):
            assert after[place] != cell, f"{place} is {cell} already"
            after[place] = cell
    return after


async def differences(land: Land, declared: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """The cells that are not as declared, as they are."""
    asked = {source: [target for asks, target in declared if asks == source] for source, _ in declared}
    rows = await asyncio.gather(*(land.row(source, targets) for source, targets in asked.items()))
    told = zip(asked.items(), rows, strict=True)
    found = {(s, t): cell for (s, targets), row in told for t, cell in zip(targets, row, strict=True)}
    return {cell: got for cell, got in found.items() if got != declared[cell] and not _vague(land, declared, cell, got)}


def _vague(land: Land, declared: dict[tuple[str, str], str], cell: tuple[str, str], got: str) -> bool:
    """In the simulation everything listens, and the world answers at every address."""
    if land.lab.real or got != "+":
        return False
    return declared[cell] == "x" or (declared[cell] == "-" and cell[1] == "far" and declared[cell[0], "world"] == "+")


async def is_so(land: Land, declared: dict[tuple[str, str], str]) -> None:
    """At once, or after the nodes have carried out what they were told."""
    wrong = await differences(land, declared)
    for _ in range(10):
        if not wrong:
            return
        wrong = await differences(land, declared)
    assert wrong == {}


async def test_every_cell_is_as_the_rules_say(lab: Lab) -> None:
    land = Land(lab)
    try:
        await land.build()
        declared = read(AS_BUILT) | read(AS_BUILT6)
        await is_so(land, declared)
        for change, changes in STORY:
            await change(land)
            await land.told()
            declared = changed(declared, changes)
            await is_so(land, declared)
    finally:
        await land.close()
