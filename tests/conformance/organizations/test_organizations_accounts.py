"""Accounts are real: made, entered by their administrator's role, with resources of their own; moved, closed, gone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hatoba.core.keys import Scope
from hatoba.services.organizations.controller.openings import trust
from hatoba.services.organizations.model import Creation, creations
from tests.conformance.organizations.world import ROLE, Company, World, allow
from tests.conformance.serving import fresh_account, refused

pytestmark = pytest.mark.slow


def test_an_account_comes_to_be_and_is_entered_by_its_role(world: World, company: Company) -> None:
    made = company.org.create_account(
        Email="dev@example.test", AccountName="Development", Tags=[{"Key": "team", "Value": "a"}]
    )["CreateAccountStatus"]
    assert made["State"] == "IN_PROGRESS"
    assert "AccountId" not in made
    world.created()
    status = company.org.describe_create_account_status(CreateAccountRequestId=made["Id"])["CreateAccountStatus"]
    assert status["State"] == "SUCCEEDED"
    assert status["CompletedTimestamp"] >= status["RequestedTimestamp"]
    number = status["AccountId"]
    account = company.org.describe_account(AccountId=number)["Account"]
    assert account.pop("JoinedTimestamp")
    assert account == {
        "Id": number,
        "Arn": f"arn:aws:organizations::{company.boss.account}:account/{company.id}/{number}",
        "Email": "dev@example.test",
        "Name": "Development",
        "Status": "ACTIVE",
        "State": "ACTIVE",
        "JoinedMethod": "CREATED",
        "Paths": [f"{company.id}/{company.root}/{number}/"],
    }
    assert company.org.list_tags_for_resource(ResourceId=number)["Tags"] == [{"Key": "team", "Value": "a"}]
    member = company.boss.assume(number)
    assert member("sts").get_caller_identity()["Arn"] == f"arn:aws:sts::{number}:assumed-role/{ROLE}/me"
    vpcs = member("ec2").describe_vpcs()["Vpcs"]
    assert [(vpc["OwnerId"], vpc["IsDefault"]) for vpc in vpcs] == [(number, True)]
    theirs = company.boss("ec2").describe_vpcs()["Vpcs"]
    assert vpcs[0]["VpcId"] not in [vpc["VpcId"] for vpc in theirs]


def test_nobody_but_the_management_account_has_the_role(world: World, company: Company) -> None:
    member = company.member("one")
    other = company.member("two")
    for stranger in (world.alone(), other, member.user("ann")):
        with pytest.raises(ClientError, match="AccessDenied"):
            stranger.assume(member.account)
    ann = company.boss.user("ann")
    with pytest.raises(ClientError, match="AccessDenied"):
        ann.assume(member.account)
    bob = company.boss.user("bob", allow("sts:AssumeRole", on=f"arn:aws:iam::{member.account}:role/{ROLE}"))
    assert bob.assume(member.account)("iam").list_users()["Users"]


def test_another_name_for_the_role(company: Company) -> None:
    number = company.opened("dev", RoleName="Admin")
    assert company.boss.assume(number, "Admin")("iam").list_roles()["Roles"][0]["RoleName"] == "Admin"
    said = refused(
        "InvalidInputException",
        company.org.create_account,
        Email="a@b.test",
        AccountName="a",
        RoleName="AWSServiceRoleForX",
    )
    assert "AWSServiceRoleForX" in said


def test_an_address_belongs_to_one_account(world: World, company: Company) -> None:
    company.opened("dev")
    made = company.org.create_account(Email=f"DEV@{company.id}.test", AccountName="again")["CreateAccountStatus"]
    world.created()
    [failed] = company.org.list_create_account_status(States=["FAILED"])["CreateAccountStatuses"]
    assert (failed["Id"], failed["FailureReason"]) == (made["Id"], "EMAIL_ALREADY_EXISTS")
    assert "AccountId" not in failed
    assert len(company.org.list_accounts()["Accounts"]) == 2


def test_a_closed_account_is_shut_from_the_next_request_on(company: Company) -> None:
    member = company.member("dev")
    ann = member.user("ann", allow("*"))
    company.org.close_account(AccountId=member.account)
    account = company.org.describe_account(AccountId=member.account)["Account"]
    assert (account["Status"], account["State"]) == ("SUSPENDED", "CLOSED")
    for who in (member, ann):
        with pytest.raises(ClientError) as caught:
            who("sts").get_caller_identity()
        assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
    refused("AccountAlreadyClosedException", company.org.close_account, AccountId=member.account)
    company.org.remove_account_from_organization(AccountId=member.account)
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        ann("sts").get_caller_identity()


def test_only_so_many_accounts_are_closed_in_a_month(company: Company) -> None:
    numbers = [company.opened(f"a{number}") for number in range(11)]
    for number in numbers[:10]:
        company.org.close_account(AccountId=number)
    with pytest.raises(ClientError) as caught:
        company.org.close_account(AccountId=numbers[10])
    assert caught.value.response["Reason"] == "CLOSE_ACCOUNT_QUOTA_EXCEEDED"


def test_leaving(company: Company) -> None:
    member = company.member("dev")
    assert member("organizations").describe_organization()["Organization"]["Id"] == company.id
    refused("MasterCannotLeaveOrganizationException", company.org.leave_organization)
    number = company.boss.account
    refused("MasterCannotLeaveOrganizationException", company.org.remove_account_from_organization, AccountId=number)
    with pytest.raises(ClientError, match="management account"):
        company.org.close_account(AccountId=number)
    refused("OrganizationNotEmptyException", company.org.delete_organization)
    member("organizations").leave_organization()
    refused("AWSOrganizationsNotInUseException", member("organizations").describe_organization)
    refused("AccountNotFoundException", company.org.describe_account, AccountId=member.account)
    assert member("iam").list_roles()["Roles"], "what it has it keeps"
    company.org.delete_organization()
    refused("AWSOrganizationsNotInUseException", company.org.describe_organization)
    again = company.org.create_organization(FeatureSet="CONSOLIDATED_BILLING")["Organization"]
    assert (again["FeatureSet"], again["AvailablePolicyTypes"]) == ("CONSOLIDATED_BILLING", [])
    assert again["Id"] != company.id


def test_the_organisation_as_it_is_shown(company: Company) -> None:
    number = company.boss.account
    shown = company.org.describe_organization()["Organization"]
    assert shown == {
        "Id": company.id,
        "Arn": f"arn:aws:organizations::{number}:organization/{company.id}",
        "FeatureSet": "ALL",
        "MasterAccountArn": f"arn:aws:organizations::{number}:account/{company.id}/{number}",
        "MasterAccountId": number,
        "MasterAccountEmail": f"root+{number}@hatoba.internal",
        "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
    }
    refused("AlreadyInOrganizationException", company.org.create_organization)


def test_members_see_their_organisation_and_no_more_until_they_administer(company: Company) -> None:
    member = company.member("dev")
    org = member("organizations")
    looks: list[tuple[str, dict[str, Any]]] = [
        ("list_accounts", {}),
        ("list_roots", {}),
        ("describe_account", {"AccountId": company.boss.account}),
        ("list_policies", {"Filter": "SERVICE_CONTROL_POLICY"}),
    ]
    for name, params in looks:
        refused("AccessDeniedException", getattr(org, name), **params)
    company.org.enable_aws_service_access(ServicePrincipal="config.amazonaws.com")
    given = {"AccountId": member.account, "ServicePrincipal": "config.amazonaws.com"}
    company.org.register_delegated_administrator(**given)
    for name, params in looks:
        getattr(org, name)(**params)
    refused("AccessDeniedException", org.create_organizational_unit, ParentId=company.root, Name="mine")
    refused("AccessDeniedException", org.close_account, AccountId=company.boss.account)
    [shown] = company.org.list_delegated_administrators()["DelegatedAdministrators"]
    assert shown["Id"] == member.account
    with pytest.raises(ClientError) as caught:
        company.org.remove_account_from_organization(AccountId=member.account)
    assert caught.value.response["Reason"] == "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG"
    company.org.deregister_delegated_administrator(**given)
    refused("AccessDeniedException", org.list_accounts)


def test_a_crash_in_between_makes_one_account(world: World, company: Company) -> None:
    """The role is there already, and nothing else, when the controller looks again."""
    number = fresh_account()
    iam = world.door(Scope("aws", number, "us-east-1"), "organizations")
    iam("iam", "create_role", RoleName=ROLE, AssumeRolePolicyDocument=trust("aws", company.boss.account))
    scope = Scope("aws", company.boss.account, "")
    creation = Creation(
        key=creations.key(scope, "car-crashed0"),
        organization=company.id,
        account=number,
        name="x",
        email="x@crash.test",
        role=ROLE,
        region="us-east-1",
        requested=world.clock.now(),
    )

    def put() -> None:
        with world.store.tx() as tx:
            tx.put(creations, creation)

    world.run(put)
    world.created()
    member = company.boss.assume(number)
    attached = member("iam").list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]
    assert [one["PolicyName"] for one in attached] == ["AdministratorAccess"]


@pytest.mark.skipif(shutil.which("aws", path="/usr/bin") is None, reason="needs Debian's awscli")
def test_the_cli_makes_an_account_and_enters_it(world: World, company: Company, tmp_path: Path) -> None:
    key = {"AWS_ACCESS_KEY_ID": company.boss.key[0], "AWS_SECRET_ACCESS_KEY": company.boss.key[1]}
    env = {"PATH": os.defpath, "HOME": str(tmp_path), "AWS_DEFAULT_REGION": "us-east-1", **key}
    command = ["/usr/bin/aws", "--endpoint-url", f"http://localhost:{world.port}", "--output", "text"]

    def aws(*words: str) -> str:
        done = subprocess.run([*command, *words], env=env, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    query = ("--query", "CreateAccountStatus.Id")
    asked = ("--email", "cli@example.test", "--account-name", "cli")
    id_ = aws("organizations", "create-account", *asked, *query)
    world.created()
    query = ("--query", "CreateAccountStatus.AccountId")
    number = aws("organizations", "describe-create-account-status", "--create-account-request-id", id_, *query)
    role = f"arn:aws:iam::{number}:role/{ROLE}"
    asked = ("--role-arn", role, "--role-session-name", "me", "--query", "AssumedRoleUser.Arn")
    assert aws("sts", "assume-role", *asked) == f"arn:aws:sts::{number}:assumed-role/{ROLE}/me"
