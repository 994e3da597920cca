"""Mistakes made on purpose: the documentation's decisions must notice each of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hatoba.policy import conditions, decision, operators, patterns, principals, rules
from hatoba.policy.compiler import Compiler
from hatoba.policy.document import Document
from hatoba.policy.patterns import Glob, Template
from hatoba.policy.principals import Named, Principals
from hatoba.policy.rules import Bundle, Rule
from tests.unit.policy import documented
from tests.unit.policy.test_policy_documented import CASES

replace = msgspec.structs.replace


def operator(name: str, **changed: Any) -> tuple[Any, str, Any]:
    known = operators._BY_NAME
    return operators, "_BY_NAME", known | {name.lower(): replace(known[name.lower()], **changed)}


def every(**changed: Any) -> tuple[Any, str, Any]:
    return operators, "_BY_NAME", {name: replace(one, **changed) for name, one in operators._BY_NAME.items()}


def names(change: Any) -> tuple[Any, str, Any]:
    original = Principals.names
    return Principals, "names", lambda self, caller: change(original(self, caller), caller)


_find, _glob, _within, _limits = operators.find, patterns.arn_glob, decision._within, decision._limits
_one, _resolve = conditions.Test._one, Template.resolve

MUTANTS = {
    "denies are not looked for": (Bundle, "deny", lambda self, request: None),
    "denies of boundaries are not looked for": (
        decision, "_all", lambda policies: (("identity-based policy", policies.identity),)
    ),
    "boundaries and sessions do not limit": (decision, "_within", lambda request, policies: None),
    "organisations do not limit": (decision, "_limits", lambda request, policies: None),
    "sessions do not limit": (
        decision, "_within", lambda request, policies: _within(request, replace(policies, session=None))
    ),
    "boundaries do not limit": (
        decision, "_within", lambda request, policies: _within(request, replace(policies, boundary=None))
    ),
    "an account that is named is granted": names(lambda named, caller: Named.DIRECTLY if named else named),
    "a role that is named is not limited": names(
        lambda named, caller: Named.DIRECTLY if named is Named.ROLE else named
    ),
    "a session is limited as its role": names(
        lambda named, caller: Named.ROLE if named is Named.DIRECTLY and caller.role else named
    ),
    "exceptions need no account": (
        Principals, "spares", lambda self, caller: self.names(caller) is not Named.NOT
    ),
    "accounts are any": (principals, "_ACCOUNT", principals.re.compile("")),
    "negations do not negate": every(negated=False),
    "everything holds of a missing key": (
        operators, "find", lambda name: (found := _find(name)) and replace(found, if_exists=True)
    ),
    "IfExists means nothing": (
        operators, "find", lambda name: (found := _find(name)) and replace(found, if_exists=False)
    ),
    "quantifiers mean nothing": (
        operators, "find", lambda name: (found := _find(name)) and replace(found, quantifier=None)
    ),
    "all is any": (
        operators,
        "find",
        lambda name: (found := _find(name)) and replace(found, quantifier=found.quantifier and "ForAnyValue"),
    ),
    "any is all": (
        operators,
        "find",
        lambda name: (found := _find(name)) and replace(found, quantifier=found.quantifier and "ForAllValues"),
    ),
    "less than or equal is less than": operator("NumericLessThanEquals", comparison=operators.compare.lt),
    "greater than is greater than or equal": operator("DateGreaterThan", comparison=operators.compare.ge),
    "ARNs are texts": operator("ArnLike", family="like"),
    "case means nothing": operator("StringEquals", family="folded"),
    "like is equal": operator("StringLike", family="text"),
    "colons mean nothing": (
        conditions, "arn_pattern", lambda value, variables: patterns.pattern(value, variables=variables)
    ),
    "short ARNs are not completed": (patterns, "completed", lambda text: text),
    "variables are always there": (
        Template, "resolve", lambda self, lookup: _resolve(self, lambda key: lookup(key) or ("",))
    ),
    "variables have no defaults": (
        Template,
        "resolve",
        lambda self, lookup: None if any(lookup(v.key) is None for v in self.variables) else _resolve(self, lookup),
    ),
    "versions mean nothing": (Document, "variables", property(lambda self: True)),
    "actions have a case": (rules, "glob", lambda text: patterns.glob(text.title())),
    "conditions mean nothing": (conditions.Test, "holds", lambda self, request: True),
    "what cannot be decided holds": (
        conditions.Test, "_one", lambda self, value, lookup: _one(self, value, lookup) is not False
    ),
    "resources mean nothing": (Rule, "_covers", lambda self, request: True),
    "no address is just itself": (
        operators, "network", lambda text: operators.ip_network(f"{text.partition('/')[0]}/16", strict=False)
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mistake_is_noticed(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, name, changed = MUTANTS[mutant]
    operators.find.cache_clear()
    monkeypatch.setattr(holder, name, changed)
    if name == "find":
        monkeypatch.setattr(conditions.operators, "find", changed)
    monkeypatch.setattr(documented, "compiler", Compiler())
    assert any(wrong(case) for case in CASES), f"nothing noticed that {mutant}"
    monkeypatch.undo()
    _find.cache_clear()


def wrong(case: documented.Case) -> bool:
    found = documented.decided(case)
    verdict = "allowed" if found.allowed else "explicit" if found.explicit else "implicit"
    return (verdict, str(found.by or "-").removesuffix(" policy")) != (case.verdict, case.by)


def test_without_a_mistake_nothing_is_wrong() -> None:
    assert isinstance(patterns.glob("a"), Glob)
    assert not any(wrong(case) for case in CASES)
