"""An account's place is what its records say now, and the same object for as long as they say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from hatoba.aws.sigv4 import Credential
from hatoba.core.keys import Scope
from hatoba.core.records import Record
from hatoba.gateway.access import KnownKeys, root
from hatoba.gateway.call import Principal
from hatoba.policy.compiler import Compiler
from hatoba.policy.decision import Applicable, decide
from hatoba.policy.principals import Caller
from hatoba.policy.request import Keys, Request
from hatoba.services.organizations import model
from hatoba.services.organizations.access import ACCESS
from hatoba.services.organizations.identities import OfOpenAccounts
from hatoba.services.organizations.model import Account, Organization, Policy, Unit
from hatoba.services.organizations.places import AccountPlaces
from hatoba.services.organizations.plan.managed import POLICIES, RESOURCE, SERVICE
from hatoba.store import Table
from tests.unit.services.asked import Asked

BOSS, DEV = "111111111111", "222222222222"
HOME = Scope("aws", BOSS, "")
FULL = "p-FullAWSAccess"


class Lab(Asked):
    """An organisation with a unit in a unit, and an account in it."""

    def __init__(self) -> None:
        super().__init__("organizations", ACCESS, *model.TABLES)
        self.places = AccountPlaces(self.store)
        key = model.organizations.key(HOME, "o-1")
        enabled = (SERVICE,)
        self.org = Organization(key=key, root="r-1", features="ALL", enabled=enabled, policies=(FULL, "p-root"))
        self.keep(model.organizations, self.org)
        self.keep(model.policies, self.policy("p-root", "root"))
        self.keep(model.policies, self.policy("p-inner", "inner"))
        for id_, parent, policies in (("ou-1", "r-1", (FULL,)), ("ou-2", "ou-1", (FULL, "p-inner"))):
            unit = Unit(key=model.units.key(HOME, id_), organization="o-1", parent=parent, name=id_, policies=policies)
            self.keep(model.units, unit)
        self.keep(model.accounts, self.account(BOSS, "r-1"))
        self.keep(model.accounts, self.account(DEV, "ou-2"))

    def policy(self, id_: str, text: str) -> Policy:
        key = model.policies.key(HOME, id_)
        return Policy(
            key=key, organization="o-1", type="SERVICE_CONTROL_POLICY", name=id_, description="", content=text
        )

    def account(self, number: str, parent: str) -> Account:
        return Account(
            key=model.accounts.key(Scope("aws", number, ""), number),
            name=number,
            email=number,
            organization="o-1",
            management=BOSS,
            parent=parent,
            policies=(FULL,),
        )

    def keep(self, table: Table[Record], record: Record) -> None:  # type: ignore[type-var]
        self.put(table, record)


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.close()


def full(lab: Lab) -> tuple[str, str]:
    managed = POLICIES[FULL]
    return managed.arn("aws"), managed.content


def test_what_limits_an_account_level_by_level(lab: Lab) -> None:
    place = lab.places.of("aws", DEV)
    assert place is not None
    assert (place.organization, place.path) == ("o-1", "o-1/r-1/ou-1/ou-2/")
    stem = f"arn:aws:organizations::{BOSS}:policy/o-1/service_control_policy"
    assert place.service_control == (
        (full(lab), (f"{stem}/p-root", "root")),
        (full(lab),),
        (full(lab), (f"{stem}/p-inner", "inner")),
        (full(lab),),
    )
    assert place.resource_control == ()


def test_nothing_limits_the_management_account_nor_who_is_nowhere(lab: Lab) -> None:
    boss = lab.places.of("aws", BOSS)
    assert boss is not None
    assert (boss.path, boss.service_control) == ("o-1/r-1/", ())
    assert lab.places.of("aws", "333333333333") is None
    assert lab.places.of("aws-cn", DEV) is None


def test_it_stays_the_same_object_until_it_is_another_place(lab: Lab) -> None:
    place = lab.places.of("aws", DEV)
    lab.keep(model.policies, lab.policy("p-other", "nobody's"))
    lab.keep(model.accounts, lab.account("444444444444", "r-1"))
    assert lab.places.of("aws", DEV) is place
    lab.keep(model.policies, lab.policy("p-inner", "changed"))
    changed = lab.places.of("aws", DEV)
    assert changed is not place
    assert changed is not None
    assert changed.service_control[2][1][1] == "changed"
    lab.keep(model.accounts, lab.account(DEV, "ou-1"))
    moved = lab.places.of("aws", DEV)
    assert moved is not None
    assert moved.path == "o-1/r-1/ou-1/"
    lab.keep(model.organizations, replace(lab.org, enabled=()))
    free = lab.places.of("aws", DEV)
    assert free is not None
    assert free.service_control == ()
    lab.keep(model.organizations, replace(lab.org, enabled=(RESOURCE,), policies=("p-RCPFullAWSAccess",)))
    guarded = lab.places.of("aws", DEV)
    assert guarded is not None
    assert guarded.resource_control[0][0][1] == POLICIES["p-RCPFullAWSAccess"].content


def test_keys_of_closed_accounts_are_not_known(lab: Lab) -> None:
    def found(account: str) -> bool:
        who: Principal = root("aws", account)
        known = KnownKeys(Credential(access_key_id="AKIA", secret="s", principal=who))
        return OfOpenAccounts(lab.store, known).find("AKIA") is not None

    assert found(DEV)
    assert found("333333333333")
    lab.keep(model.accounts, replace(lab.account(DEV, "ou-2"), closed=1.0))
    assert not found(DEV)
    lab.keep(model.accounts, replace(lab.account(DEV, ""), closed=1.0, organization=None))
    assert not found(DEV), "wherever it is now"


def test_what_outlives_the_keys_of_a_closed_account_opens_nothing(lab: Lab) -> None:
    """A registry's token is good for twelve hours, with the permissions that its owner has when it is used."""

    def allowed() -> bool:
        place = lab.places.of("aws", DEV)
        levels = place.service_control if place is not None else ()
        who = Caller(account=DEV, arn=f"arn:aws:iam::{DEV}:root", root=True)
        everything = Compiler().bundle(("all", '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'))
        limits = tuple(Compiler().bundle(*level) for level in levels)
        return decide(
            Request("ecr:BatchGetImage", "*", who, Keys()), Applicable(identity=everything, control=limits)
        ).allowed

    lab.keep(model.organizations, replace(lab.org, enabled=()))
    assert allowed()
    lab.keep(model.accounts, replace(lab.account(DEV, "ou-2"), closed=1.0))
    assert not allowed()
    lab.keep(model.accounts, replace(lab.account(DEV, ""), closed=1.0, organization=None))
    assert not allowed(), "wherever it is now"
