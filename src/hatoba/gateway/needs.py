"""What an operation needs to be allowed: actions on resources, told by a table of each room.

    ACCESS = Access("ecs", {
        "DescribeClusters": on(clusters),
        "RunTask": on(definition, keys=cluster_key, tags="tags", tagging="TagResource", passes=(EXECUTION, TASK)),
        "ListClusters": on(),
    })

A table's keys are the model's operations; a rule reads the request and says what it needs, one `Need` for each
resource, all of which must be allowed. The tables follow AWS's service authorisation reference, and are complete: a
tidy test sees to it. An operation without a rule needs its action on everything: what a room forgets is refused.

Rules do not judge requests: what is malformed is needed as it was written, and refused by the operation. They are
lazy: nothing is computed for who is asked nothing (`--auth off`), and no more than is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from hatoba.gateway.call import Call

EVERYTHING = "*"

Params = Mapping[str, Any]
Values = str | Sequence[str]
Keys = Mapping[str, Values]  # condition keys as policies name them, `ecs:cluster`


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """One action on one resource."""

    action: str  # `ecs:RunTask`
    resource: str = EVERYTHING  # an ARN
    keys: Keys = {}
    policy: str | None = None  # the resource's own, a document
    trusts_account: bool = True  # False: identities' policies count only if the resource's policy says so (KMS)
    holder: str | None = None  # the resource's account, where its ARN does not say it (a bucket's)


Rule = Callable[["str", Params, "Call"], Iterable[Need]]  # the first is the action: `ecs:RunTask`
Resources = Callable[[Params, "Call"], Iterable[str]]  # ARNs
Extra = Callable[[Params, "Call"], Keys]
PolicyOf = Callable[["Call", str], "str | None"]


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """A role that the request hands to a service: needs iam:PassRole."""

    member: str  # of the request, `overrides.taskRoleArn`; lists on the way are walked through
    to: str  # `ecs-tasks.amazonaws.com`


class Access:
    """A room's table. `prefix` is how policies name the service: `elasticloadbalancing`."""

    def __init__(
        self,
        prefix: str,
        rules: Mapping[str, Rule],
        *,
        policy_of: PolicyOf | None = None,
        trusts_account: bool = True,
    ) -> None:
        """`policy_of` finds the policy that a resource has of its own, by its ARN."""
        self.prefix = prefix
        self.rules = rules
        self._policy_of = policy_of
        self._trusts_account = trusts_account

    def needs(self, operation: str, req: Params, call: Call) -> Iterator[Need]:
        """What an operation of the model's name needs."""
        action = f"{self.prefix}:{operation}"
        rule = self.rules.get(operation)
        for need in rule(action, req, call) if rule is not None else (Need(action=action),):
            yield self._with_policy(need, call)

    def _with_policy(self, need: Need, call: Call) -> Need:
        if self._policy_of is None or need.resource == EVERYTHING or not need.action.startswith(f"{self.prefix}:"):
            return need
        policy = self._policy_of(call, need.resource)
        if policy is None and self._trusts_account:
            return need
        return msgspec.structs.replace(need, policy=policy, trusts_account=self._trusts_account)


# --- rules


def on(
    *resources: Resources,
    keys: Extra | None = None,
    tags: str | None = None,
    tagging: str | None = None,
    passes: Sequence[Passed] = (),
    also: Sequence[Rule] = (),
) -> Rule:
    """The operation's own action on each of `resources`; on everything when there are none.

    `keys`: further condition keys. `tags`: the member with the tags that a resource gets, which policies see as
    `aws:RequestTag/…` and `aws:TagKeys`; `tagging`: the action that giving them at creation needs as well, where a
    service has one. `passes`: roles handed over. `also`: further rules.
    """

    def rule(action: str, req: Params, call: Call) -> Iterator[Need]:
        known: dict[str, Values] = dict(keys(req, call)) if keys is not None else {}
        given = tag_keys(req.get(tags)) if tags is not None else {}
        known |= given
        found = list(dict.fromkeys(arn for each in resources for arn in each(req, call))) or [EVERYTHING]
        for resource in found:
            yield Need(action=action, resource=resource, keys=known)
        if given and tagging is not None:
            prefix, _, made = action.partition(":")
            known = {**known, f"{prefix}:CreateAction": made}
            for resource in found:
                yield Need(action=f"{prefix}:{tagging}", resource=resource, keys=known)
        for passed in passes:
            yield from pass_role(req, passed)
        for further in also:
            yield from further(action, req, call)

    return rule


def acting(action: str, *resources: Resources, keys: Extra | None = None) -> Rule:
    """Another action than the operation's name: `acting("kms:ReEncryptFrom", source_key)`."""
    own = on(*resources, keys=keys)

    def rule(_: str, req: Params, call: Call) -> Iterable[Need]:
        return own(action, req, call)

    return rule


def all_of(*rules: Rule) -> Rule:
    def rule(action: str, req: Params, call: Call) -> Iterator[Need]:
        for each in rules:
            yield from each(action, req, call)

    return rule


def when(asked: Callable[[Params], object], rule: Rule) -> Rule:
    """Only for requests that ask for it."""

    def guarded(action: str, req: Params, call: Call) -> Iterable[Need]:
        return rule(action, req, call) if asked(req) else ()

    return guarded


def anyone(action: str, req: Params, call: Call) -> Iterable[Need]:
    """Needs no permission: GetCallerIdentity, and what AWS answers unsigned."""
    return ()


def inside(action: str, req: Params, call: Call) -> Iterable[Need]:
    """Decided by the operation itself with `call.demand`, because what it needs has to be asked for first."""
    return ()


# --- parts of rules


def pass_role(req: Params, passed: Passed) -> Iterator[Need]:
    for role in dict.fromkeys(member(req, passed.member)):
        yield Need(action="iam:PassRole", resource=role, keys={"iam:PassedToService": passed.to})


def member(req: Params, path: str) -> Iterator[str]:
    """The texts at a dotted path of the request; lists on the way, and at its end, are walked through."""
    head, _, rest = path.partition(".")
    found = req.get(head)
    for value in found if isinstance(found, list) else [found]:
        if rest and isinstance(value, dict):
            yield from member(value, rest)
        elif not rest and isinstance(value, str) and value:
            yield value


def named(path: str, arn: Callable[[Call, str], str]) -> Resources:
    """Resources that the request names at `path`, by ARN or by a name that `arn` completes."""

    def resources(req: Params, call: Call) -> Iterator[str]:
        for name in member(req, path):
            yield name if name.startswith("arn:") else arn(call, name)

    return resources


def tag_keys(given: Any) -> dict[str, Values]:
    """`aws:RequestTag/…` and `aws:TagKeys`, from any of the forms in which AWS's services take tags."""
    found: dict[str, list[str]] = {}
    for key, value in _pairs(given):
        found.setdefault(key, []).append(value)
    if not found:
        return {}
    # A key that is given twice has both values: nobody shall be shown one and be given the other.
    return {"aws:TagKeys": list(found)} | {
        f"aws:RequestTag/{key}": values[0] if len(values) == 1 else values for key, values in found.items()
    }


def _pairs(given: Any) -> Iterator[tuple[str, str]]:
    """[{key, value}], [{Key, Value}], [{TagKey, TagValue}], {key: value}, [{ResourceType, Tags: […]}]."""
    if isinstance(given, dict):
        yield from given.items()
    for tag in given if isinstance(given, list) else ():
        if "Tags" in tag:
            yield from _pairs(tag["Tags"])
            continue
        key = tag.get("key", tag.get("Key", tag.get("TagKey")))
        if key is not None:
            yield key, tag.get("value", tag.get("Value", tag.get("TagValue", "")))


def untagged(path: str) -> Extra:
    """`aws:TagKeys` of an operation that takes tags away: the keys at `path`."""

    def keys(req: Params, call: Call) -> Keys:
        gone = list(member(req, path))
        return {"aws:TagKeys": gone} if gone else {}

    return keys
