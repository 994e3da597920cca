"""Accounts that want more than their organisation, or other accounts, give them: each attack with stock clients against
the real rooms, refused; then without the check that stops it, and it succeeds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from tests.conformance.organizations.world import Company, Somebody, World, allow, deny, document, served
from tests.conformance.threats.disarm import without

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with served(tmp_path_factory.mktemp("accounts")) as world:
        yield world


def works(operation: Callable[..., Any], **params: Any) -> bool:
    try:
        operation(**params)
    except (ClientError, AwsError):
        return False
    return True


def limited(world: World) -> tuple[Company, Somebody]:
    """A member that may do nothing with IAM."""
    company = Company(world)
    member = company.member("mallory")
    company.policy(deny("iam:*"), on=member.account)
    return company, member


def against_a_control_policy(world: World) -> bool:
    _, member = limited(world)
    return works(member("iam").list_users)


def beyond_what_a_level_allows(world: World) -> bool:
    company = Company(world)
    member, unit = company.member("mallory"), company.unit("only-ec2")
    company.policy(allow("ec2:*"), on=unit)
    company.org.detach_policy(PolicyId="p-FullAWSAccess", TargetId=unit)
    company.org.move_account(AccountId=member.account, SourceParentId=company.root, DestinationParentId=unit)
    return works(member("iam").list_users)


def by_changing_the_organisation_from_within(world: World) -> bool:
    """A member that moves itself to where nothing limits it."""
    company = Company(world)
    unit = company.unit("quiet")
    mallory = company.member("mallory")
    company.org.move_account(AccountId=mallory.account, SourceParentId=company.root, DestinationParentId=unit)
    given = {"AccountId": mallory.account, "SourceParentId": unit, "DestinationParentId": company.root}
    return works(mallory("organizations").move_account, **given)


def by_administering_a_service(world: World) -> bool:
    """Whoever administers a service for the organisation may look, and no more."""
    company = Company(world)
    mallory = company.member("mallory")
    company.org.enable_aws_service_access(ServicePrincipal="config.amazonaws.com")
    given = {"AccountId": mallory.account, "ServicePrincipal": "config.amazonaws.com"}
    company.org.register_delegated_administrator(**given)
    return works(mallory("organizations").create_organizational_unit, ParentId=company.root, Name="mine")


def by_anothers_invitation(world: World) -> bool:
    """Who knows the id of an invitation of somebody else takes their place."""
    company, invited, mallory = Company(world), world.alone(), world.alone()
    made = company.org.invite_account_to_organization(Target={"Id": invited.account, "Type": "ACCOUNT"})
    return works(mallory("organizations").accept_handshake, HandshakeId=made["Handshake"]["Id"])


def after_the_account_was_closed(world: World) -> bool:
    company = Company(world)
    mallory = company.member("mallory").user("mallory", allow("*"))
    company.org.close_account(AccountId=mallory.account)
    return works(mallory("sts").get_caller_identity)  # for which nobody needs a permission


def with_anothers_key(world: World) -> bool:
    """A ciphertext of theirs, and all permissions of one's own account."""
    owner, mallory = world.alone(), world.alone()
    key = owner("kms").create_key()["KeyMetadata"]["Arn"]
    blob = owner("kms").encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    return works(mallory("kms").decrypt, CiphertextBlob=blob)


def by_changing_a_key_that_one_may_use(world: World) -> bool:
    owner, mallory = world.alone(), world.alone()
    own, theirs = ({**allow("kms:*"), "Principal": {"AWS": one.account}} for one in (owner, mallory))
    key = owner("kms").create_key(Policy=document(own, theirs))["KeyMetadata"]["Arn"]
    return works(mallory("kms").schedule_key_deletion, KeyId=key)


def by_a_policy_for_another_organisation(world: World) -> bool:
    """A secret for everybody of one organisation, and somebody of another."""
    company, other = Company(world), Company(world)
    condition = {"StringEquals": {"aws:PrincipalOrgID": company.id}}
    shared = {**allow("kms:Encrypt", Condition=condition), "Principal": {"AWS": "*"}}
    own = {**allow("kms:*"), "Principal": {"AWS": company.boss.account}}
    key = company.boss("kms").create_key(Policy=document(own, shared))["KeyMetadata"]["Arn"]
    return works(other.member("mallory")("kms").encrypt, KeyId=key, Plaintext=b"a")


def past_what_guards_resources(world: World) -> bool:
    """A role that trusts everybody, in an organisation that lets nobody else in."""
    company = Company(world, "RESOURCE_CONTROL_POLICY")
    member, mallory = company.member("victim"), world.alone()
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = member("iam").create_role(RoleName="open", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    outside = {"StringNotEquals": {"aws:PrincipalOrgID": company.id}}
    perimeter = deny("sts:AssumeRole", Principal="*", Condition=outside)
    company.policy(perimeter, on=company.root, type_="RESOURCE_CONTROL_POLICY")
    return works(mallory("sts").assume_role, RoleArn=role, RoleSessionName="me")


def by_a_service_for_another_account(world: World) -> bool:
    """The confused deputy: ECS, asked by mallory's account, takes a role of a member of the organisation that trusts
    ECS for its own organisation only."""
    company, mallory = Company(world), world.alone()
    member = company.member("victim")
    condition = {"StringEquals": {"aws:SourceAccount": member.account}}
    service = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{**service, "Condition": condition}]})
    role = member("iam").create_role(RoleName="task", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    ask = world.door(Scope("aws", mallory.account, "us-east-1"), "ecs")
    return works(lambda: ask("sts", "assume_role", RoleArn=role, RoleSessionName="task"))


def with_a_signature_of_another_account(world: World) -> bool:
    """The secret of one's own key under the id of a key of another account."""
    company = Company(world)
    ann = company.member("victim").user("ann", allow("*"))
    mallory = world.alone().user("mallory", allow("*"))
    forged = Somebody(world, ann.account, (ann.key[0], mallory.key[1], None))
    return works(forged("iam").list_users)


Attack = Callable[[World], bool]
Check = tuple[str, str, str]
DECIDE = "hatoba.policy.decision:decide"
MANAGED = ("hatoba.services.organizations.api.room:managed", "account.id != org.management", "False")
HANDSHAKE = "hatoba.services.organizations.api.handshake"
LIMITS = "hatoba.policy.decision:_limits"
REFUSED: Check = (
    "hatoba.services.iam.authorizer.decide:PolicyAuthorizer.decide",
    "if not decision.allowed:",
    "if False:",
)
THREATS: list[tuple[Attack, tuple[Check, ...]]] = [
    (against_a_control_policy, ((DECIDE, "if denying is not None:", "if False:"),)),
    (
        beyond_what_a_level_allows,
        ((LIMITS, "not all(bundle.allow(request) for bundle in policies.control)", "False"),),
    ),
    (
        by_changing_the_organisation_from_within,
        (REFUSED, MANAGED),
    ),
    (
        by_administering_a_service,
        (REFUSED, MANAGED),
    ),
    (
        by_anothers_invitation,
        (
            REFUSED,
            (
                f"{HANDSHAKE}:_the_handshake",
                "found is None or call.scope.account not in (found.target, found.key.account)",
                "found is None",
            ),
            (
                f"{HANDSHAKE}:_ended",
                'call.scope.account != (one.target if party == "target" else one.key.account)',
                "False",
            ),
        ),
    ),
    (
        after_the_account_was_closed,
        (
            (
                "hatoba.services.organizations.identities:OfOpenAccounts.find",
                "if not self._closed:",
                "if True:",
            ),
        ),
    ),
    (with_anothers_key, (REFUSED,)),
    (
        by_changing_a_key_that_one_may_use,
        (("hatoba.services.kms.api.room:check_account", "scope.account != call.scope.account", "False"),),
    ),
    (
        by_a_policy_for_another_organisation,
        (("hatoba.policy.rules:Rule.applies", "if held is False:", "if False:"),),
    ),
    (past_what_guards_resources, ((DECIDE, "if denying is not None:", "if False:"),)),
    (
        by_a_service_for_another_account,
        (
            REFUSED,
            (
                "hatoba.services.sts.api.assume:_check_trust",
                "not trust.allows(role.trust, action, call.principal, services, asked)",
                "False",
            ),
        ),
    ),
    (
        with_a_signature_of_another_account,
        (
            (
                "hatoba.aws.sigv4.verify:verify",
                "not hmac.compare_digest(expected.encode(), canonical.encoded(claim.signature))",
                "False",
            ),
        ),
    ),
]


@contextmanager
def disarmed(*checks: Check) -> Iterator[None]:
    with ExitStack() as stack:
        for check in checks:
            stack.enter_context(without(*check))
        yield


@pytest.mark.parametrize(("attack", "checks"), THREATS, ids=[attack.__name__ for attack, _ in THREATS])
def test_refused_by_a_check_that_is_needed(world: World, attack: Attack, checks: tuple[Check, ...]) -> None:
    """Where several checks stop an attack, each does so alone."""
    assert not attack(world)
    for left in range(len(checks)):
        others = [check for number, check in enumerate(checks) if number != left]
        if others:
            with disarmed(*others):
                assert not attack(world), f"{checks[left]} alone does not refuse it"
    with disarmed(*checks):
        assert attack(world), "it is not these checks that refuse it"
