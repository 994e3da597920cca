"""Statements compiled, and found by action. Pure.

A `Rule` is one statement; a `Bundle` is all the policies of one kind that count together (a principal's identity-based
policies, its boundary, a resource's policy). A bundle remembers for each action which of its rules speak of it, and
to which resources they can apply, so that a decision looks at few of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from hatoba.policy.conditions import compiled
from hatoba.policy.document import Document, Statement
from hatoba.policy.patterns import Glob, Pattern, arn_pattern, glob
from hatoba.policy.principals import Caller, Named, Principals
from hatoba.policy.request import Request

_REMEMBERED = 4096  # rules on the shelves of one bundle: some hundred kilobytes
_SHELVES = 8  # what an action's two shelves count beside their rules


class Rule:
    """One statement of a document."""

    __slots__ = ("_actions", "_patterns", "_tests", "allows", "index", "principals", "services", "statement")

    def __init__(self, statement: Statement, index: int, *, variables: bool) -> None:
        """`index`: the statement's place in its document, from 0."""
        self.statement = statement
        self.index = index
        self.allows = statement.effect == "Allow"
        self.principals = None if statement.principals is None else Principals(statement.principals)
        self.services = _services(statement)
        self._actions = tuple(glob(action.lower()) for action in statement.actions)
        self._tests = tuple(compiled(condition, variables=variables) for condition in statement.conditions)
        # None in place of a pattern: it can match nothing.
        self._patterns: tuple[Pattern | None, ...] | None = None
        if statement.resources is not None:
            self._patterns = tuple(arn_pattern(resource, variables=variables) for resource in statement.resources)

    def speaks_of(self, action: str) -> bool:
        """`action` in lower case."""
        return any(pattern.matches(action) for pattern in self._actions) != self.statement.not_actions

    @property
    def tails(self) -> frozenset[str]:
        """How the last segment of the ARN of every resource that it covers begins, in one of these ways."""
        if self._patterns is None or self.statement.not_resources:
            return frozenset([""])
        return frozenset(pattern.tail for pattern in self._patterns if pattern is not None)

    def applies(self, request: Request) -> bool:
        """To a request of whose action it speaks, by somebody whom it names. What cannot be told keeps an Allow from
        applying, and a Deny from not applying."""
        covered = self._covers(request)
        if covered is False or (covered is None and self.allows):
            return False
        if not self._tests:
            return True
        undecided = False
        for test in self._tests:
            held = test.holds(request)
            if held is False:
                return False
            undecided = undecided or held is None
        return not (undecided and self.allows)

    def _covers(self, request: Request) -> bool | None:
        if self._patterns is None:
            return True  # the resource that the policy is attached to
        opposite, unresolved = self.statement.not_resources, False
        for pattern in self._patterns:
            found = (
                pattern.resolve(request.context.get)
                if pattern is not None and not isinstance(pattern, Glob)
                else pattern
            )
            if found is None:
                unresolved = True
            elif found.matches(request.resource):
                return not opposite
        # An exception that has no value excepts nobody knows what.
        return None if opposite and unresolved else opposite

    def names(self, caller: Caller) -> Named:
        """How a statement of a resource's policy names the caller; the one of a principal's policy speaks of nobody
        else."""
        if self.principals is None:
            return Named.DIRECTLY
        if not self.statement.not_principals:
            return self.principals.names(caller)
        if self.allows:
            return Named.DIRECTLY if self.principals.names(caller) is Named.NOT else Named.NOT
        return Named.NOT if self.principals.spares(caller) else Named.DIRECTLY


def _services(statement: Statement) -> frozenset[str] | None:
    """Those of whose actions a statement may speak; None for any."""
    found = {action.partition(":")[0].lower() for action in statement.actions}
    if statement.not_actions or any("*" in service or "?" in service for service in found):
        return None
    return frozenset(found)


class Policy(msgspec.Struct, frozen=True, eq=False):
    """A compiled document. Holds whatever it is attached to."""

    document: Document
    rules: tuple[Rule, ...]


def compile_document(document: Document) -> Policy:
    rules = (
        Rule(statement, index, variables=document.variables) for index, statement in enumerate(document.statements)
    )
    return Policy(document, tuple(rules))


class Shelf:
    """Rules that speak of one action, by how the last segment of a resource's ARN has to begin for them."""

    __slots__ = ("_by_tail", "_lengths")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._by_tail: dict[str, list[Rule]] = {}
        for rule in rules:
            for tail in rule.tails:
                self._by_tail.setdefault(tail, []).append(rule)
        self._lengths = sorted({len(tail) for tail in self._by_tail})

    def covering(self, resource: str) -> Iterator[Rule]:
        """Those that may cover a resource; the others cannot."""
        tail = resource.split(":", 5)[-1]
        for length in self._lengths:
            if length > len(tail):
                return
            yield from self._by_tail.get(tail[:length], ())


class Bundle:
    """Policies of one kind. `named`: each with what it is called where a decision is explained."""

    __slots__ = ("_anything", "_by_service", "_found", "_shelved", "named")

    def __init__(self, named: Sequence[tuple[str, Policy]]) -> None:
        self.named = tuple(named)
        self._shelved = 0
        self._by_service: dict[str, list[Rule]] = {}
        self._anything: list[Rule] = []
        self._found: dict[str, tuple[Shelf, Shelf]] = {}
        for _, policy in self.named:
            for rule in policy.rules:
                if rule.services is None:
                    self._anything.append(rule)
                for service in rule.services or ():
                    self._by_service.setdefault(service, []).append(rule)

    def _about(self, action: str) -> tuple[Shelf, Shelf]:
        """The denies and the allows that speak of an action."""
        found = self._found.get(action)
        if found is None:
            rules = (*self._by_service.get(action.partition(":")[0], ()), *self._anything)
            speaking = [rule for rule in rules if rule.speaks_of(action)]
            found = (
                Shelf([rule for rule in speaking if not rule.allows]),
                Shelf([rule for rule in speaking if rule.allows]),
            )
            self._shelved += _SHELVES + len(speaking)
            if self._shelved > _REMEMBERED:
                self._found.clear()
                self._shelved = _SHELVES + len(speaking)
            self._found[action] = found
        return found

    def deny(self, request: Request) -> Rule | None:
        """A Deny that applies."""
        return next(_applying(self._about(request.action)[0], request), None)

    def allow(self, request: Request) -> Rule | None:
        """An Allow that applies."""
        return next(_applying(self._about(request.action)[1], request), None)

    def grant(self, request: Request) -> tuple[Named, Rule | None]:
        """The strongest Allow that applies, by how it names the caller. One that names nobody grants nothing."""
        best, by = Named.NOT, None
        for rule in self._about(request.action)[1].covering(request.resource):
            named = rule.names(request.caller) if rule.principals is not None else Named.NOT
            if named > best and rule.applies(request):
                best, by = named, rule
        return best, by

    def applying(self, request: Request) -> list[Rule]:
        """All that apply, denies first: what a simulation tells."""
        denies, allows = self._about(request.action)
        return list(dict.fromkeys([*_applying(denies, request), *_applying(allows, request)]))

    def called(self, rule: Rule) -> str:
        """What the policy of a rule is called."""
        return next((name for name, policy in self.named if rule in policy.rules), "")


def _applying(shelf: Shelf, request: Request) -> Iterator[Rule]:
    return (rule for rule in shelf.covering(request.resource) if rule.names(request.caller) and rule.applies(request))
