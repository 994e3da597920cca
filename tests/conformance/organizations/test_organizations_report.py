"""IAM's report on an organisation: which services control policies leave, and which accounts used them, when last."""

from __future__ import annotations

from typing import Any

from hatoba.core.keys import Scope
from hatoba.services.iam.model import Used, Uses, uses
from tests.conformance.organizations.world import Company, World, allow, deny
from tests.conformance.serving import refused


def used(world: World, account: str, subject: str, **services: float) -> None:
    def write() -> None:
        key = uses.key(Scope("aws", account, ""), subject)
        with world.store.tx() as tx:
            tx.put(uses, Uses(key=key, services={name: Used(at, "eu-west-1") for name, at in services.items()}))

    world.run(write)


def report(company: Company, *path: str, **rest: Any) -> dict[str, Any]:
    iam = company.boss("iam")
    job = iam.generate_organizations_access_report(EntityPath="/".join((company.id, *path)), **rest)["JobId"]
    answer: dict[str, Any] = iam.get_organizations_access_report(JobId=job, MaxItems=1000)
    assert answer["JobStatus"] == "COMPLETED"
    assert answer["NumberOfServicesAccessible"] == len(answer["AccessDetails"])
    return answer


def by_service(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["ServiceNamespace"]: each for each in answer["AccessDetails"]}


def test_who_used_what_in_which_part(company: Company) -> None:
    world, unit = company.world, company.unit("dev")
    one, two = company.opened("one"), company.opened("two")
    company.org.move_account(AccountId=one, SourceParentId=company.root, DestinationParentId=unit)
    used(world, one, "AIDA1", ecs=1_700_000_000.0, s3=1_700_000_100.0)
    used(world, one, "AROA1", ecs=1_700_000_200.0)
    used(world, two, "AIDA2", ecs=1_700_000_050.0, sqs=1_700_000_000.0)
    used(world, company.boss.account, "AIDA3", ecs=1_800_000_000.0)  # the management account is not limited

    whole = by_service(report(company, company.root))
    assert whole["ecs"]["TotalAuthenticatedEntities"] == 2
    assert whole["ecs"]["LastAuthenticatedTime"].timestamp() == 1_700_000_200
    assert whole["ecs"]["EntityPath"] == f"{company.id}/{company.root}/{unit}/{one}"
    assert (whole["ecs"]["Region"], whole["sqs"]["TotalAuthenticatedEntities"]) == ("eu-west-1", 1)
    assert "LastAuthenticatedTime" not in whole["kms"]
    part = by_service(report(company, company.root, unit))
    assert (part["ecs"]["TotalAuthenticatedEntities"], part["sqs"]["TotalAuthenticatedEntities"]) == (1, 0)
    own = by_service(report(company, company.root, two))
    assert own["ecs"]["LastAuthenticatedTime"].timestamp() == 1_700_000_050
    boss = by_service(report(company, company.root, company.boss.account))
    assert boss["ecs"]["LastAuthenticatedTime"].timestamp() == 1_800_000_000


def test_what_control_policies_leave(company: Company) -> None:
    unit = company.unit("dev")
    account = company.opened("one")
    company.org.move_account(AccountId=account, SourceParentId=company.root, DestinationParentId=unit)
    everything = report(company, company.root)["NumberOfServicesAccessible"]
    closed = company.policy(deny("s3:*"), deny("sqs:*", Condition={"Bool": {"aws:SecureTransport": "false"}}), on=unit)
    few = company.policy(allow("ecs:*", "s3:*", "kms:Decrypt"), on=account)
    company.org.detach_policy(PolicyId="p-FullAWSAccess", TargetId=account)
    used(company.world, account, "AIDA1", ecs=1_700_000_000.0, sqs=1_700_000_000.0)

    assert report(company, company.root)["NumberOfServicesAccessible"] == everything
    of_unit = by_service(report(company, company.root, unit))
    assert len(of_unit) == everything - 1
    assert "s3" not in of_unit
    answer = report(company, company.root, unit, account)
    assert sorted(by_service(answer)) == ["ecs", "kms"]
    assert answer["NumberOfServicesNotAccessed"] == 1
    # Of one policy: what it allows, and who it applies to.
    of_policy = by_service(report(company, company.root, OrganizationsPolicyId=few))
    assert sorted(of_policy) == ["ecs", "kms", "s3"]
    assert of_policy["ecs"]["TotalAuthenticatedEntities"] == 1
    company.org.detach_policy(PolicyId=closed, TargetId=unit)
    company.org.attach_policy(PolicyId="p-FullAWSAccess", TargetId=account)
    company.org.detach_policy(PolicyId=few, TargetId=account)
    assert (
        by_service(report(company, company.root, OrganizationsPolicyId=few))["ecs"]["TotalAuthenticatedEntities"] == 0
    )


def test_pages_and_orders(company: Company) -> None:
    account = company.opened("one")
    used(company.world, account, "AIDA1", ecs=1_700_000_000.0, s3=1_700_000_100.0)
    iam = company.boss("iam")
    job = iam.generate_organizations_access_report(EntityPath=f"{company.id}/{company.root}/")["JobId"]
    asked = {"JobId": job, "SortKey": "LAST_AUTHENTICATED_TIME_DESCENDING", "MaxItems": 1}
    first = iam.get_organizations_access_report(**asked)
    second = iam.get_organizations_access_report(**asked, Marker=first["Marker"])
    assert [page["AccessDetails"][0]["ServiceNamespace"] for page in (first, second)] == ["s3", "ecs"]
    names = [each["ServiceNamespace"] for each in iam.get_organizations_access_report(JobId=job)["AccessDetails"]]
    assert names == sorted(names)
    refused("NoSuchEntity", iam.get_organizations_access_report, JobId="0" * 36)


def test_who_may_not_and_what_is_not_there(company: Company) -> None:
    member = company.member("one")
    path = f"{company.id}/{company.root}"
    for who, words in ((member, "management account"), (company.world.alone(), "not a member of an organization")):
        assert words in refused("ValidationError", who("iam").generate_organizations_access_report, EntityPath=path)
    generate = company.boss("iam").generate_organizations_access_report
    unit = company.unit("dev")
    for wrong in (
        f"{company.id}/r-none",
        f"o-0000000000/{company.root}",
        f"{path}/ou-none-00000000",
        f"{path}/{unit}/{member.account}",
        f"{path}/{company.world.alone().account}",
    ):
        assert "is not valid" in refused("ValidationError", generate, EntityPath=wrong)
    assert "cannot be found" in refused(
        "ValidationError", generate, EntityPath=path, OrganizationsPolicyId="p-00000000"
    )
    company.org.disable_policy_type(RootId=company.root, PolicyType="SERVICE_CONTROL_POLICY")
    assert "not enabled" in refused("ValidationError", generate, EntityPath=path)
