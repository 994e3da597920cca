"""What a router's rules contain at present, and the commands from there to what is wanted next. No I/O.

A book and the kernel's table go together as long as every command it gave was carried out. When one was not, `document`
states the whole content again, and they agree again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hatoba.network import acls as filters
from hatoba.network import fronts, grouprules, hosted, ruleset
from hatoba.network.base import Acl, PolicySet
from hatoba.network.beyond import Endpoint, Front, Gate, Gateway, Instance
from hatoba.network.fronts import Speaker, Speakers
from hatoba.network.grouprules import Elements
from hatoba.network.hosted import Hosted
from hatoba.network.members import Member, elements, gateway_elements, instance_elements, lets_out
from hatoba.network.ruleset import Frame

_STALE = 32  # unused groups that may stay in the table before it is written anew without them


class _Form(NamedTuple):
    """What the table has besides: ways back, rules about speakers, ports of the host that these reach."""

    returning: bool
    speakers: bool
    hosted: bool


class RuleBook:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._policies: dict[str, PolicySet] = {}
        self._acls: dict[str, Acl] = {}
        self._members: dict[str, Member] = {}
        self._gateways: dict[str, Elements] = {}
        self._gate: Gate | None = None
        self._instances: Elements = {}
        self._hosted = Hosted(host=frame.host_address)
        self._heard: frozenset[int] = frozenset()
        self._entered: Elements = {}
        self._fronts: tuple[Front, ...] = ()
        self._speaking: dict[str, Member] = {}  # of the members: balancers that may speak for clients
        self._speakers: Speakers = {}  # those that do
        self._spoken: Elements = {}
        self._nodes: Elements = {}
        self._away: list[str] = []  # the table of what leaves for other nodes
        self._form = _Form(False, False, False)
        self._content: dict[tuple[str, str], dict[str, str]] = {}  # element → holder → value, the latest holder last
        self._groups: set[str] = set()  # declared in the table
        self._combinations: set[tuple[str, ...]] = set()  # declared in the table
        self._blocks = False  # the table knows IPv6 blocks

    @property
    def declared(self) -> frozenset[str]:
        """The groups that have sets and chains in the table."""
        return frozenset(self._groups)

    def document(self) -> str:
        """The whole table; forgets what nobody uses any more."""
        self._groups = self._used()
        self._combinations = {tuple(sorted(set(member.groups))) for member in self._members.values() if member.here}
        self._blocks = any(member.has_blocks for member in self._members.values())
        self._form = self._wanted_form
        chains: dict[str, list[str]] = {}
        for policy in self._policies.values():
            chains |= self._chains(policy)
        for groups in self._combinations:
            chains |= grouprules.combination(groups)
        for acl in self._acls.values():
            chains |= filters.chains(acl)
        content = filters.elements(self._acls.values())
        content |= {element: _last(holders) for element, holders in self._content.items()}
        endpoints = any(member.endpoint for member in self._members.values())
        whole = ruleset.document(
            self._frame,
            self._groups,
            chains,
            content,
            bordered=bool(self._acls),
            with_endpoints=endpoints,
            gate=self._gate,
            returning=self._form.returning,
            with_blocks=self._blocks,
            with_speakers=self._form.speakers,
            ends=self._hosted.ends,
        )
        before, self._away = self._away, self._wanted_away
        return whole + _text(fronts.anew(self._away) if before or self._away else [])

    def put(self, holders: Iterable[tuple[str, Member]]) -> str:
        """These holders, new or changed."""
        declarations: list[str] = []
        changes: list[str] = []
        speaking = False
        blocks = False
        for key, member in holders:
            old = self._members.get(key)
            if old == member:
                continue
            declarations += self._declare(member.groups)
            if member.here:
                declarations += self._combine(member.groups)
            self._members[key] = member
            speaking = self._notes(key, member) or speaking
            blocks = blocks or member.has_blocks
            changes += self._change(key, elements(old) if old else {}, elements(member))
        changes += self._speakers_changes() if speaking else []
        return self.document() if blocks and not self._blocks else self._after(declarations + changes)

    def drop(self, keys: Iterable[str]) -> str:
        lines: list[str] = []
        for key in keys:
            if (old := self._members.pop(key, None)) is not None:
                lines += self._change(key, elements(old), {})
                if self._notes(key, None):
                    lines += self._speakers_changes()
        return self._after(lines)

    def _notes(self, key: str, member: Member | None) -> bool:
        """Whether it is, or was, a balancer that may speak for clients: of the router itself, or of another node."""
        was = self._speaking.pop(key, None) is not None
        if member is not None and (member.fronting or (member.here and not member.device and not member.endpoint)):
            self._speaking[key] = member
        return was or key in self._speaking

    def set_gateways(self, gateways: Iterable[Gateway]) -> str:
        """All NAT gateways of this node."""
        wanted = {gateway.address: gateway_elements(gateway) for gateway in gateways}
        lines: list[str] = []
        for address in self._gateways | wanted:
            lines += self._change(f"nat {address}", self._gateways.get(address, {}), wanted.get(address, {}))
        self._gateways = wanted
        return _text(lines)

    def set_endpoints(self, endpoints: Iterable[Endpoint]) -> str:
        """All ways to the platform."""
        wanted = {f"@@@{e.address}": Member(address=e.address, groups=e.groups, endpoint=True) for e in endpoints}
        before = {key for key, member in self._members.items() if member.endpoint}
        changes = self.drop(before - wanted.keys()) + self.put(wanted.items())
        return changes if bool(before) == bool(wanted) else self.document()

    def set_gate(self, gate: Gate | None) -> str:
        """The platform's place outside, where the VPC's tasks are led away from it."""
        before, self._gate = self._gate, gate
        return self.document() if before != gate else ""

    def set_instances(self, instances: Iterable[Instance]) -> str:
        """All ports of nodes that balancers here reach."""
        before, self._instances = self._instances, instance_elements(instances)
        return _text(self._change("instances", before, self._instances))

    def set_hosted(self, wanted: Hosted) -> str:
        """All ports of nodes, and all that balancers speak to under their clients' addresses."""
        self._hosted = wanted
        return self.set_instances(wanted.all_instances) + self.set_fronts(wanted.all_fronts)

    def set_heard(self, heard: frozenset[int]) -> str:
        """All published ports of datagrams."""
        self._heard = heard
        return self._after(self._entries_changes())

    def set_fronts(self, wanted: Iterable[Front]) -> str:
        """All targets that balancers here speak to under their clients' addresses."""
        self._fronts = tuple(wanted)
        return self._after(self._speakers_changes())

    def set_nodes(self, nodes: Iterable[str]) -> str:
        """All other nodes that something comes from."""
        before, self._nodes = self._nodes, fronts.node_elements(nodes)
        return self._after(self._change("nodes", before, self._nodes))

    @property
    def _wanted_form(self) -> _Form:
        speakers = bool(self._speakers)
        return _Form(bool(self._nodes) or speakers, speakers, self._hosted.ends is not None)

    def _after(self, lines: list[str]) -> str:
        """These changes, or the whole table where it has to have other rules from now on."""
        if self._form != self._wanted_form:
            return self.document()
        before, self._away = self._away, self._wanted_away
        return _text(lines + (fronts.anew(self._away) if before != self._away else []))

    def _speakers_changes(self) -> list[str]:
        """After a change of fronts, or of those who may stand behind them."""
        here = {front.balancer for front in self._fronts}
        self._speakers = {
            m.address: Speaker(m.groups, "" if m.fronting else lets_out(m))
            for m in self._speaking.values()
            if m.address is not None and (m.fronting or m.address in here)
        }
        own = [m.address6 for m in self._speaking.values() if m.here and m.address6 is not None]
        before, self._spoken = self._spoken, fronts.elements(self._fronts, self._speakers, own)
        return self._change("speakers", before, self._spoken) + self._entries_changes()

    def _entries_changes(self) -> list[str]:
        """Where there is an address of the host for them."""
        before, self._entered = self._entered, {}
        if self._hosted.ends is not None:
            self._entered = hosted.elements(self._hosted.entries, self._speakers, self._heard)
        return self._change("entries", before, self._entered)

    @property
    def _wanted_away(self) -> list[str]:
        """There is a tunnel where there are nodes."""
        return fronts.away(self._speakers) if self._nodes else []

    def _change(self, key: str, old: Elements, new: Elements) -> list[str]:
        """One holder's elements, and what that means for the table, where another may hold the same one.

        While an address moves, its old and its new holder stand side by side; the later one counts.
        """
        before: Elements = {}
        after: Elements = {}
        for element in old | new:
            holders = self._content.setdefault(element, {})
            if holders:
                before[element] = _last(holders)
            holders.pop(key, None)
            if element in new:
                holders[key] = new[element]
            if holders:
                after[element] = _last(holders)
            else:
                del self._content[element]
        return ruleset.change(before, after)

    def set_policies(self, policies: Iterable[PolicySet]) -> str:
        wanted = {policy.id: policy for policy in policies}
        before, self._policies = self._policies, wanted
        if len(self._groups - self._used()) > _STALE:
            return self.document()
        lines: list[str] = []
        changed = [policy for policy in wanted.values() if before.get(policy.id) != policy]
        for policy in changed:
            lines += self._declare((policy.id, *grouprules.references(policy)))
        # A group that is not among the policies any more allows nothing; its members stay its members.
        emptied = [PolicySet(id=group) for group in before if group not in wanted]
        for policy in (*changed, *emptied):
            for name, rules in self._chains(policy).items():
                lines += ruleset.fill(name, rules)
        return _text(lines)

    def set_acls(self, acls: Iterable[Acl]) -> str:
        """Chains first, then what leads to them; what nothing leads to any more goes last."""
        wanted = {acl.id: acl for acl in acls}
        before, self._acls = self._acls, wanted
        if bool(before) != bool(wanted):
            return self.document()
        old = {name: rules for acl in before.values() for name, rules in filters.chains(acl).items()}
        new = {name: rules for acl in wanted.values() for name, rules in filters.chains(acl).items()}
        lines = [f"add chain {ruleset.TABLE} {name}" for name in new if name not in old]
        lines += [line for name, rules in new.items() if old.get(name) != rules for line in ruleset.fill(name, rules)]
        lines += ruleset.change(filters.elements(before.values()), filters.elements(wanted.values()))
        gone = [name for name in old if name not in new]
        lines += [f"{verb} chain {ruleset.TABLE} {name}" for verb in ("flush", "delete") for name in gone]
        return _text(lines)

    def _chains(self, policy: PolicySet) -> dict[str, list[str]]:
        return grouprules.group_chains(policy, with_blocks=self._blocks, with_speakers=self._form.speakers)

    def _used(self) -> set[str]:
        used = set(self._policies)
        for policy in self._policies.values():
            used |= grouprules.references(policy)
        for member in self._members.values():
            used.update(member.groups)
        return used

    def _declare(self, groups: Iterable[str]) -> list[str]:
        lines: list[str] = []
        for group in sorted(set(groups) - self._groups):
            self._groups.add(group)
            lines += ruleset.declare(group, with_blocks=self._blocks, with_speakers=self._form.speakers)
        return lines

    def _combine(self, groups: tuple[str, ...]) -> list[str]:
        members = tuple(sorted(set(groups)))
        if members in self._combinations:
            return []
        self._combinations.add(members)
        return [line for name, rules in grouprules.combination(members).items() for line in ruleset.fill(name, rules)]


def _last(holders: dict[str, str]) -> str:
    return next(reversed(holders.values()))


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n" if lines else ""
