"""A statement's conditions, compiled. Pure.

All tests of a statement must hold; one of a test's values suffices, none may match where the operator negates. A test
that cannot be decided (an operator or a key that nobody here knows, a value that is no number, a key of several values
without `ForAllValues:` or `ForAnyValue:`) is None: it keeps an Allow from applying, and not a Deny.

Sources: the IAM user guide, "IAM JSON policy elements: Condition", "… Condition operators", "Multivalued context keys".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hatoba.policy import operators
from hatoba.policy.document import Condition
from hatoba.policy.operators import Operator
from hatoba.policy.patterns import Glob, Lookup, Pattern, arn_pattern, pattern
from hatoba.policy.request import UNKNOWN, Request, Values

Match = Callable[[str, Lookup], bool | None]  # of one value of the request, with any of the policy's


def compiled(condition: Condition, *, variables: bool) -> Test:
    operator = operators.find(condition.operator)
    if operator is None:
        return Test(condition.key, Operator(family="text"), _undecided)
    return Test(condition.key, operator, _match(operator, condition.values, variables=variables))


class Test:
    """One operator on one key."""

    __slots__ = ("_match", "_operator", "key")

    def __init__(self, key: str, operator: Operator, match: Match) -> None:
        self.key = key.lower()
        self._operator = operator
        self._match = match

    def holds(self, request: Request) -> bool | None:
        operator, lookup = self._operator, request.context.get
        values = lookup(self.key)
        if values is UNKNOWN:
            return None
        if operator.family == "null":
            return self._match("false" if values else "true", lookup)
        if operator.quantifier is not None:
            return self._quantified(values or (), lookup)
        if not values:
            return operator.if_exists or operator.negated
        if len(values) > 1:
            return None
        return self._one(values[0], lookup)

    def _one(self, value: str, lookup: Lookup) -> bool | None:
        found = self._match(value, lookup)
        return found if found is None else found != self._operator.negated

    def _quantified(self, values: Values, lookup: Lookup) -> bool | None:
        """A set that is empty, or that has nothing but the empty text in it, is not there."""
        every = self._operator.quantifier == "ForAllValues"
        if not any(values):
            return every or self._operator.if_exists
        found = [self._one(value, lookup) for value in values]
        if every:
            return False if False in found else None if None in found else True
        return True if True in found else None if None in found else False


# --- values


def _match(operator: Operator, values: Values, *, variables: bool) -> Match:
    match operator.family:
        case "text":
            return _texts(values, variables=variables, wild=False, folded=False)
        case "folded":
            return _texts(values, variables=variables, wild=False, folded=True)
        case "like":
            return _texts(values, variables=variables, wild=True, folded=False)
        case "arn":
            return _patterns([arn_pattern(value, variables=variables) for value in values])
        case "bool" | "null":
            wanted = frozenset(value.lower() for value in values)
            return lambda value, lookup: value.lower() in wanted if wanted <= {"true", "false"} else None
        case "number":
            return _compared(operator, values, operators.number)
        case "date":
            return _compared(operator, values, operators.date)
        case "binary":
            return _binaries(values)
        case "address":
            return _addresses(values)


def _undecided(value: str, lookup: Lookup) -> bool | None:
    return None


def _texts(values: Values, *, variables: bool, wild: bool, folded: bool) -> Match:
    if not (variables and any("${" in value for value in values)):
        if folded:
            lower = frozenset(value.lower() for value in values)
            return lambda value, lookup: value.lower() in lower
        if not wild:
            exact = frozenset(values)
            return lambda value, lookup: value in exact
    if not folded:
        return _patterns([pattern(value, variables=variables, wild=wild) for value in values])
    fold = _patterns([pattern(value.lower(), variables=variables, wild=wild) for value in values])
    return lambda value, lookup: fold(value.lower(), lambda key: _lower(lookup(key)))


def _lower(values: Values | None) -> Values | None:
    return None if values is None else tuple(value.lower() for value in values)


def _patterns(patterns: Iterable[Pattern | None]) -> Match:
    known = [found for found in patterns if found is not None]

    def match(value: str, lookup: Lookup) -> bool:
        for found in known:
            glob = found if isinstance(found, Glob) else found.resolve(lookup)
            if glob is not None and glob.matches(value):
                return True
        return False

    return match


def _compared(operator: Operator, values: Values, read: Callable[[str], float | None]) -> Match:
    read_values = [read(value) for value in values]
    wanted = [value for value in read_values if value is not None]
    if len(wanted) < len(read_values):
        return _undecided
    compare = operator.comparison

    def match(value: str, lookup: Lookup) -> bool | None:
        found = read(value)
        return None if found is None else any(compare(found, limit) for limit in wanted)

    return match


def _binaries(values: Values) -> Match:
    wanted = [operators.binary(value) for value in values]
    if None in wanted:
        return _undecided

    def match(value: str, lookup: Lookup) -> bool | None:
        found = operators.binary(value)
        return None if found is None else found in wanted

    return match


def _addresses(values: Values) -> Match:
    found = [operators.network(value) for value in values]
    wanted = [network for network in found if network is not None]
    if len(wanted) < len(found):
        return _undecided

    def match(value: str, lookup: Lookup) -> bool | None:
        held = [operators.within(value, network) for network in wanted]
        return None if None in held else True in held

    return match
