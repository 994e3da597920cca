"""Units, policies, tags and invitations: made, changed and found again, and what is refused in whose words."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.organizations.world import Company, World, allow, deny, document
from tests.conformance.serving import refused

pytestmark = pytest.mark.slow
SERVICE, RESOURCE = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"
FULL = "p-FullAWSAccess"


def reason(code: str, call: Any, **params: Any) -> str:
    """The reason of a refusal with this code."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == code
    text: str = caught.value.response["Reason"]
    return text


# --- units


def test_units_in_units(company: Company) -> None:
    org, outer = company.org, company.unit("outer")
    inner = company.unit("inner", outer)
    shown = org.describe_organizational_unit(OrganizationalUnitId=inner)["OrganizationalUnit"]
    stem = f"arn:aws:organizations::{company.boss.account}:ou/{company.id}"
    path = f"{company.id}/{company.root}/{outer}/{inner}/"
    assert shown == {"Id": inner, "Arn": f"{stem}/{inner}", "Name": "inner", "Path": path}
    assert inner.startswith(f"ou-{company.root.removeprefix('r-')}-")
    number = company.opened("dev")
    org.move_account(AccountId=number, SourceParentId=company.root, DestinationParentId=inner)
    assert org.list_parents(ChildId=number)["Parents"] == [{"Id": inner, "Type": "ORGANIZATIONAL_UNIT"}]
    assert org.list_parents(ChildId=outer)["Parents"] == [{"Id": company.root, "Type": "ROOT"}]
    assert org.list_children(ParentId=inner, ChildType="ACCOUNT")["Children"] == [{"Id": number, "Type": "ACCOUNT"}]
    [child] = org.list_children(ParentId=outer, ChildType="ORGANIZATIONAL_UNIT")["Children"]
    assert child["Id"] == inner
    assert [one["Id"] for one in org.list_accounts_for_parent(ParentId=inner)["Accounts"]] == [number]
    [unit] = org.list_organizational_units_for_parent(ParentId=outer)["OrganizationalUnits"]
    assert unit == shown
    refused("OrganizationalUnitNotEmptyException", org.delete_organizational_unit, OrganizationalUnitId=inner)
    refused("OrganizationalUnitNotEmptyException", org.delete_organizational_unit, OrganizationalUnitId=outer)
    org.move_account(AccountId=number, SourceParentId=inner, DestinationParentId=company.root)
    for gone in (inner, outer):
        org.delete_organizational_unit(OrganizationalUnitId=gone)
    refused("OrganizationalUnitNotFoundException", org.describe_organizational_unit, OrganizationalUnitId=inner)


def test_names_and_depth_of_units(company: Company) -> None:
    org, parent = company.org, company.root
    for _ in range(5):
        parent = company.unit("same", parent)
    asked = {"ParentId": parent, "Name": "sixth"}
    assert reason("ConstraintViolationException", org.create_organizational_unit, **asked) == "OU_DEPTH_LIMIT_EXCEEDED"
    asked = {"ParentId": company.root, "Name": "same"}
    refused("DuplicateOrganizationalUnitException", org.create_organizational_unit, **asked)
    other = company.unit("other")
    refused(
        "DuplicateOrganizationalUnitException", org.update_organizational_unit, OrganizationalUnitId=other, Name="same"
    )
    renamed = org.update_organizational_unit(OrganizationalUnitId=other, Name="third")["OrganizationalUnit"]
    assert renamed["Name"] == "third"
    org.update_organizational_unit(OrganizationalUnitId=other, Name="third")


def test_what_is_moved_where_it_cannot_be(company: Company) -> None:
    org, number, unit = company.org, company.opened("dev"), company.unit("u")
    nowhere = "ou-0000-00000000"
    for source, destination, code in (
        (unit, company.root, "SourceParentNotFoundException"),
        (nowhere, unit, "SourceParentNotFoundException"),
        (company.root, nowhere, "DestinationParentNotFoundException"),
        (company.root, company.root, "DuplicateAccountException"),
    ):
        asked = {"AccountId": number, "SourceParentId": source, "DestinationParentId": destination}
        refused(code, org.move_account, **asked)
    asked = {"AccountId": "1" * 12, "SourceParentId": company.root, "DestinationParentId": unit}
    refused("AccountNotFoundException", org.move_account, **asked)
    refused("ParentNotFoundException", org.list_children, ParentId=nowhere, ChildType="ACCOUNT")
    refused("ChildNotFoundException", org.list_parents, ChildId=nowhere)
    refused("TargetNotFoundException", org.list_policies_for_target, TargetId=nowhere, Filter=SERVICE)


def test_of_another_organisation_nothing_is_there(world: World, company: Company) -> None:
    other = Company(world)
    unit, policy, number = other.unit("u"), other.policy(allow("*")), other.opened("dev")
    org = company.org
    refused("OrganizationalUnitNotFoundException", org.describe_organizational_unit, OrganizationalUnitId=unit)
    refused("PolicyNotFoundException", org.describe_policy, PolicyId=policy)
    refused("AccountNotFoundException", org.close_account, AccountId=number)
    refused("TargetNotFoundException", org.attach_policy, PolicyId=FULL, TargetId=number)
    refused("RootNotFoundException", org.enable_policy_type, RootId=other.root, PolicyType=RESOURCE)


def test_lists_come_in_pages(company: Company) -> None:
    made = sorted(company.unit(f"u{number}") for number in range(5))
    pages = company.org.get_paginator("list_organizational_units_for_parent")
    found = list(pages.paginate(ParentId=company.root, PaginationConfig={"PageSize": 2}))
    assert [len(page["OrganizationalUnits"]) for page in found] == [2, 2, 1]
    assert [unit["Id"] for page in found for unit in page["OrganizationalUnits"]] == made
    asked = {"ParentId": company.root, "NextToken": "made up"}
    said = reason("InvalidInputException", company.org.list_organizational_units_for_parent, **asked)
    assert said == "INVALID_NEXT_TOKEN"


# --- policies


def test_a_policy_as_it_is_shown(company: Company) -> None:
    org, text = company.org, document(deny("s3:*"))
    made = org.create_policy(Name="P", Description="d", Type=SERVICE, Content=text)["Policy"]
    id_ = made["PolicySummary"]["Id"]
    stem = f"arn:aws:organizations::{company.boss.account}:policy/{company.id}/service_control_policy"
    assert made["PolicySummary"] == {
        "Id": id_,
        "Arn": f"{stem}/{id_}",
        "Name": "P",
        "Description": "d",
        "Type": SERVICE,
        "AwsManaged": False,
    }
    assert made["Content"] == text
    assert org.describe_policy(PolicyId=id_)["Policy"] == made
    listed = org.list_policies(Filter=SERVICE)["Policies"]
    assert {one["Name"]: one["AwsManaged"] for one in listed} == {"P": False, "FullAWSAccess": True}
    managed = org.describe_policy(PolicyId=FULL)["Policy"]["PolicySummary"]
    assert managed["Arn"] == "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
    refused("DuplicatePolicyException", org.create_policy, Name="P", Description="", Type=SERVICE, Content=text)
    org.attach_policy(PolicyId=id_, TargetId=company.root)
    [target] = org.list_targets_for_policy(PolicyId=id_)["Targets"]
    assert (target["TargetId"], target["Name"], target["Type"]) == (company.root, "Root", "ROOT")
    refused("DuplicatePolicyAttachmentException", org.attach_policy, PolicyId=id_, TargetId=company.root)
    refused("PolicyInUseException", org.delete_policy, PolicyId=id_)
    held = org.list_policies_for_target(TargetId=company.root, Filter=SERVICE)["Policies"]
    assert {one["Id"] for one in held} == {id_, FULL}
    org.detach_policy(PolicyId=id_, TargetId=company.root)
    refused("PolicyNotAttachedException", org.detach_policy, PolicyId=id_, TargetId=company.root)
    org.delete_policy(PolicyId=id_)
    refused("PolicyNotFoundException", org.describe_policy, PolicyId=id_)


def test_how_many_and_how_few(company: Company) -> None:
    org, unit = company.org, company.unit("u")
    asked = {"PolicyId": FULL, "TargetId": unit}
    said = reason("ConstraintViolationException", org.detach_policy, **asked)
    assert said == "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    made = [company.policy(deny(f"s3:Get{number}")) for number in range(10)]
    for id_ in made[:9]:
        org.attach_policy(PolicyId=id_, TargetId=unit)
    said = reason("ConstraintViolationException", org.attach_policy, PolicyId=made[9], TargetId=unit)
    assert said == "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED"
    org.detach_policy(**asked)
    org.attach_policy(PolicyId=made[9], TargetId=unit)
    long = document(deny(*(f"s3:{number:04d}" + "x" * 20 for number in range(400))))
    asked = {"Name": "long", "Description": "", "Type": SERVICE, "Content": long}
    assert reason("ConstraintViolationException", org.create_policy, **asked) == "POLICY_CONTENT_LIMIT_EXCEEDED"


def test_aws_policies_are_not_changed(world: World, company: Company) -> None:
    org = company.org
    for ask, more in (("update_policy", {"Name": "mine"}), ("delete_policy", {})):
        assert reason("InvalidInputException", getattr(org, ask), PolicyId=FULL, **more) == "IMMUTABLE_POLICY"
    tagged = {"ResourceId": FULL, "Tags": [{"Key": "a", "Value": "b"}]}
    assert reason("InvalidInputException", org.tag_resource, **tagged) == "TARGET_NOT_SUPPORTED"
    org.enable_policy_type(RootId=company.root, PolicyType=RESOURCE)
    asked = {"PolicyId": "p-RCPFullAWSAccess", "TargetId": company.root}
    assert reason("InvalidInputException", org.detach_policy, **asked) == "NON_DETACHABLE_POLICY"


def test_types_of_policies(world: World, company: Company) -> None:
    org = company.org
    [root] = org.list_roots()["Roots"]
    assert root["PolicyTypes"] == [{"Type": SERVICE, "Status": "ENABLED"}]
    refused("PolicyTypeAlreadyEnabledException", org.enable_policy_type, RootId=company.root, PolicyType=SERVICE)
    refused("PolicyTypeNotEnabledException", org.disable_policy_type, RootId=company.root, PolicyType=RESOURCE)
    content = {"Description": "", "Content": document(deny("s3:*", Principal="*"))}
    made = org.create_policy(Name="R", Type=RESOURCE, **content)["Policy"]["PolicySummary"]["Id"]
    refused("PolicyTypeNotEnabledException", org.attach_policy, PolicyId=made, TargetId=company.root)
    asked = {"RootId": company.root, "PolicyType": "TAG_POLICY"}
    refused("PolicyTypeNotAvailableForOrganizationException", org.enable_policy_type, **asked)
    assert org.list_policies(Filter="TAG_POLICY")["Policies"] == []
    billing = world.alone()("organizations")
    billing.create_organization(FeatureSet="CONSOLIDATED_BILLING")
    content = {"Description": "", "Content": document(allow("*"))}
    refused("PolicyTypeNotAvailableForOrganizationException", billing.create_policy, Name="P", Type=SERVICE, **content)


def test_enabling_a_type_attaches_what_allows_everything(company: Company) -> None:
    org, unit, number = company.org, company.unit("u"), company.opened("dev")
    everything = {company.root, unit, number, company.boss.account}

    def targets(policy: str) -> set[str]:
        return {one["TargetId"] for one in org.list_targets_for_policy(PolicyId=policy)["Targets"]}

    assert targets(FULL) == everything - {unit} | {unit}
    own = company.policy(deny("s3:*"), on=unit)
    org.disable_policy_type(RootId=company.root, PolicyType=SERVICE)
    assert (targets(FULL), targets(own)) == (set(), set())
    org.enable_policy_type(RootId=company.root, PolicyType=SERVICE)
    assert (targets(FULL), targets(own)) == (everything, set())


def test_what_is_no_policy(company: Company) -> None:
    org = company.org
    asked = {"Name": "bad", "Description": "", "Type": SERVICE, "Content": '{"Version": "2012-10-17"}'}
    refused("MalformedPolicyDocumentException", org.create_policy, **asked)
    id_ = company.policy(deny("s3:*"))
    refused("MalformedPolicyDocumentException", org.update_policy, PolicyId=id_, Content="{")
    changed = org.update_policy(PolicyId=id_, Name="other", Description="new")["Policy"]["PolicySummary"]
    assert (changed["Name"], changed["Description"]) == ("other", "new")


# --- tags


def test_tags_of_everything(company: Company) -> None:
    org, number = company.org, company.opened("dev")
    for id_ in (company.root, company.unit("u"), number, company.policy(deny("s3:*"))):
        org.tag_resource(ResourceId=id_, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        org.untag_resource(ResourceId=id_, TagKeys=["a"])
        assert org.list_tags_for_resource(ResourceId=id_)["Tags"] == [{"Key": "b", "Value": "2"}]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert reason("InvalidInputException", org.tag_resource, ResourceId=number, Tags=twice) == "DUPLICATE_TAG_KEY"
    many = [{"Key": str(key), "Value": ""} for key in range(50)]
    said = reason("ConstraintViolationException", org.tag_resource, ResourceId=number, Tags=many)
    assert said == "MAX_TAG_LIMIT_EXCEEDED"


def test_a_tag_of_an_account_is_a_condition(company: Company) -> None:
    number, other = company.opened("dev"), company.opened("prod")
    company.org.tag_resource(ResourceId=number, Tags=[{"Key": "stage", "Value": "dev"}])
    tagged = {"StringEquals": {"aws:ResourceTag/stage": "dev"}}
    ann = company.boss.user("ann", allow("organizations:CloseAccount", Condition=tagged))
    refused("AccessDeniedException", ann("organizations").close_account, AccountId=other)
    ann("organizations").close_account(AccountId=number)


# --- invitations


def test_an_invitation(world: World, company: Company) -> None:
    org, guest = company.org, world.alone()
    theirs, target = guest("organizations"), {"Id": guest.account, "Type": "ACCOUNT"}
    made = org.invite_account_to_organization(Target=target, Notes="come")["Handshake"]
    assert (made["State"], made["Action"]) == ("OPEN", "INVITE")
    assert made["Parties"] == [{"Id": company.id, "Type": "ORGANIZATION"}, target]
    assert made["ExpirationTimestamp"] > made["RequestedTimestamp"]
    assert org.list_handshakes_for_organization()["Handshakes"] == [made]
    assert theirs.list_handshakes_for_account()["Handshakes"] == [made]
    assert theirs.describe_handshake(HandshakeId=made["Id"])["Handshake"] == made
    refused("DuplicateHandshakeException", org.invite_account_to_organization, Target=target)
    refused("AccessDeniedException", theirs.cancel_handshake, HandshakeId=made["Id"])
    refused("AccessDeniedException", org.accept_handshake, HandshakeId=made["Id"])
    stranger = world.alone()("organizations")
    for ask in (stranger.describe_handshake, stranger.accept_handshake, stranger.decline_handshake):
        with pytest.raises(ClientError, match=r"AccessDenied|HandshakeNotFound"):
            ask(HandshakeId=made["Id"])
    theirs.accept_handshake(HandshakeId=made["Id"])
    refused("HandshakeAlreadyInStateException", theirs.accept_handshake, HandshakeId=made["Id"])
    refused("InvalidHandshakeTransitionException", theirs.decline_handshake, HandshakeId=made["Id"])
    account = org.describe_account(AccountId=guest.account)["Account"]
    assert account["JoinedMethod"] == "INVITED"
    said = reason("HandshakeConstraintViolationException", org.invite_account_to_organization, Target=target)
    assert said == "ALREADY_IN_AN_ORGANIZATION"
    refused("AlreadyInOrganizationException", theirs.create_organization)
    other = Company(world)
    again = other.org.invite_account_to_organization(Target=target)["Handshake"]["Id"]
    assert reason("HandshakeConstraintViolationException", theirs.accept_handshake, HandshakeId=again) == said


def test_an_invitation_that_comes_to_nothing(world: World, company: Company) -> None:
    org, guest = company.org, world.alone()
    theirs, target = guest("organizations"), {"Id": guest.account, "Type": "ACCOUNT"}
    declined = org.invite_account_to_organization(Target=target)["Handshake"]["Id"]
    assert theirs.decline_handshake(HandshakeId=declined)["Handshake"]["State"] == "DECLINED"
    canceled = org.invite_account_to_organization(Target=target)["Handshake"]["Id"]
    assert org.cancel_handshake(HandshakeId=canceled)["Handshake"]["State"] == "CANCELED"
    for ended in (declined, canceled):
        refused("InvalidHandshakeTransitionException", theirs.accept_handshake, HandshakeId=ended)
    refused("AWSOrganizationsNotInUseException", theirs.describe_organization)
    for party, code in (
        ({"Id": "nobody@example.test", "Type": "EMAIL"}, "INVALID_EMAIL_ADDRESS_TARGET"),
        ({"Id": "abc", "Type": "ACCOUNT"}, "INVALID_PATTERN"),
        ({"Id": company.id, "Type": "ORGANIZATION"}, "INVALID_PARTY_TYPE_TARGET"),
    ):
        assert reason("InvalidInputException", org.invite_account_to_organization, Target=party) == code


def test_an_account_that_left_comes_back_by_its_address(world: World, company: Company) -> None:
    number = company.opened("dev")
    member = company.boss.assume(number)
    company.org.remove_account_from_organization(AccountId=number)
    target = {"Id": f"dev@{company.id}.test", "Type": "EMAIL"}
    made = company.org.invite_account_to_organization(Target=target)["Handshake"]
    assert made["Parties"][1] == target
    member("organizations").accept_handshake(HandshakeId=made["Id"])
    assert company.org.describe_account(AccountId=number)["Account"]["Email"] == target["Id"]


def test_services_with_access(company: Company) -> None:
    org, number = company.org, company.opened("dev")
    given = {"AccountId": number, "ServicePrincipal": "config.amazonaws.com"}
    said = reason("ConstraintViolationException", org.register_delegated_administrator, **given)
    assert said == "SERVICE_ACCESS_NOT_ENABLED"
    org.enable_aws_service_access(ServicePrincipal="config.amazonaws.com")
    [shown] = org.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert shown["ServicePrincipal"] == "config.amazonaws.com"
    org.register_delegated_administrator(**given)
    refused("AccountAlreadyRegisteredException", org.register_delegated_administrator, **given)
    [service] = org.list_delegated_services_for_account(AccountId=number)["DelegatedServices"]
    assert service["ServicePrincipal"] == "config.amazonaws.com"
    said = reason(
        "ConstraintViolationException", org.disable_aws_service_access, ServicePrincipal="config.amazonaws.com"
    )
    assert said == "DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE"
    org.deregister_delegated_administrator(**given)
    refused("AccountNotRegisteredException", org.deregister_delegated_administrator, **given)
    org.disable_aws_service_access(ServicePrincipal="config.amazonaws.com")
    assert org.list_aws_service_access_for_organization()["EnabledServicePrincipals"] == []
    bad = {"ServicePrincipal": "not a service"}
    with pytest.raises(ClientError):
        org.enable_aws_service_access(**bad)
