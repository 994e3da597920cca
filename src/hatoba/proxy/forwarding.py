"""Where a network balancer's listener forwards to: by its default action, or by the first of its rules that is for the
family of the client's address. Rules know nothing else of a client. Pure.

A client is of the family of the address that it came in by, so it is known for each socket.
"""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.proxy.base import Action, Forward, Listener, Rule, SourceIn, TargetGroup

# What rules for all clients of a family are for, by whether it is IPv6.
EVERYBODY = {False: SourceIn(values=("0.0.0.0/0",)), True: SourceIn(values=("::/0",))}

Shares = tuple[tuple[TargetGroup, int], ...]  # the groups that get anything, with their weights


def can(rule: Rule) -> bool:
    """Whether it can be carried out: it looks at the family, and forwards."""
    return all(each in EVERYBODY.values() for each in rule.conditions) and isinstance(rule.action, Forward)


def shares(listener: Listener, groups: Mapping[str, TargetGroup], six: bool) -> Shares:
    """Of what clients of IPv6 (`six`) or of IPv4 send."""
    action = _action(listener, six)
    if not isinstance(action, Forward):
        return ()
    given = ((groups[share.group], share.weight) for share in action.shares if share.group in groups)
    return tuple((group, weight) for group, weight in given if weight > 0)


def _action(listener: Listener, six: bool) -> Action:
    fitting = (rule for rule in listener.rules if all(each == EVERYBODY[six] for each in rule.conditions))
    return next((rule.action for rule in sorted(fitting, key=lambda rule: rule.priority)), listener.default)


def alike(six: bool, forwarded: Shares) -> bool:
    """The clients are of the family of all targets."""
    return all(group.six == six for group, _ in forwarded)
