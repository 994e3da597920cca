"""Short words for what the tests ask for."""

from __future__ import annotations

from hatoba.network.base import AddressSpec, Egress6, InterfaceSpec, Peer, PolicySet, RouterService, Rule, VpcSpec
from hatoba.network.further import Further

METADATA = "169.254.170.2"
ALL = Rule(cidrs=("0.0.0.0/0", "::/0"))
DEFAULT = PolicySet(id="sg-default", ingress=(Rule(groups=("sg-default",)),), egress=(ALL,))
OPEN = PolicySet(id="sg-open", ingress=(ALL,), egress=(ALL,))
CLOSED = PolicySet(id="sg-closed", egress=(ALL,))


RESOLVER6 = "fd00:ec2::253"


def vpc(identifier: str = "vpc-1", vni: int = 1, *, block6: str = "fd00::/64") -> VpcSpec:
    services = (
        RouterService(address=METADATA, port=80),
        RouterService(address="10.0.0.2", port=53, protocol="udp"),
        RouterService(address=RESOLVER6, port=53),
    )
    return VpcSpec(id=identifier, cidrs=("10.0.0.0/16", block6), vni=vni, services=services)


def task(
    identifier: str,
    address: str,
    *groups: str,
    vpc: str = "vpc-1",
    public: str | None = None,
    egress: bool = False,
    address6: str | None = None,
    further: tuple[str, ...] = (),
    publics: dict[str, str] | None = None,
) -> InterfaceSpec:
    """`publics`: of its further addresses."""
    last = int(address.rsplit(".", 1)[1])
    return InterfaceSpec(
        id=identifier,
        vpc=vpc,
        address=address,
        mac=f"02:00:00:00:00:{last:02x}",
        gateway="10.0.0.1",
        groups=groups or ("sg-default",),
        public=public,
        egress=egress,
        address6=address6,
        further=tuple(Further(network=each, public=(publics or {}).get(each)) for each in further),
    )


def task6(
    identifier: str,
    address6: str | None,
    *groups: str,
    address: str | None = None,
    vpc: str = "vpc-1",
    egress6: Egress6 = "none",
    further: tuple[str, ...] = (),
) -> InterfaceSpec:
    """IPv6 only, unless it has another address. All `further` are its own, too."""
    return InterfaceSpec(
        id=identifier,
        vpc=vpc,
        address=address,
        mac=f"02:00:00:00:01:{sum(identifier.encode()) & 0xFF:02x}",
        gateway=None if address is None else "10.0.0.1",
        groups=groups or ("sg-default",),
        address6=address6,
        egress6=egress6,
        further=tuple(Further(network=each) for each in further),
    )


def balancer(identifier: str, address: str, *groups: str, public: str | None = None) -> AddressSpec:
    return AddressSpec(id=identifier, vpc="vpc-1", address=address, groups=groups or ("sg-default",), public=public)


def peer(
    address: str | None, node: str, *groups: str, address6: str | None = None, further: tuple[str, ...] = ()
) -> Peer:
    return Peer(address=address, address6=address6, node=node, groups=groups or ("sg-default",), further=further)


def rule(port: int, *, groups: tuple[str, ...] = (), cidrs: tuple[str, ...] = ()) -> Rule:
    return Rule(protocol="tcp", from_port=port, to_port=port, groups=groups, cidrs=cidrs)
