"""Parameter Store, used by boto3: values, versions, labels, paths, filters, limits, and the words of its refusals."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from hatoba.core.keys import Scope
from hatoba.gateway.access import root
from tests.conformance.keeping.rooms import Platform
from tests.conformance.serving import refused


def put(ssm: Any, name: str, value: str = "v", **more: Any) -> int:
    version: int = ssm.put_parameter(Name=name, Value=value, **{"Type": "String", **more})["Version"]
    return version


def names(page: dict[str, Any]) -> list[str]:
    return [each["Name"] for each in page["Parameters"]]


# --- one parameter


def test_what_is_put_can_be_read(ssm: Any, account: str) -> None:
    answer = ssm.put_parameter(Name="/app/host", Value="db.local", Type="String", Description="where", Tags=[])
    assert (answer["Version"], answer["Tier"]) == (1, "Standard")
    found = ssm.get_parameter(Name="/app/host")["Parameter"]
    assert found.pop("LastModifiedDate").timestamp() > 1_700_000_000
    assert found == {
        "Name": "/app/host",
        "Type": "String",
        "Value": "db.local",
        "Version": 1,
        "ARN": f"arn:aws:ssm:us-east-1:{account}:parameter/app/host",
        "DataType": "text",
    }


def test_a_secure_string_is_encrypted_and_comes_back_on_request(ssm: Any, kms: Any) -> None:
    put(ssm, "/app/password", "hunter2", Type="SecureString")
    sealed = ssm.get_parameter(Name="/app/password")["Parameter"]["Value"]
    assert b"hunter2" not in b64decode(sealed)
    assert ssm.get_parameter(Name="/app/password", WithDecryption=True)["Parameter"]["Value"] == "hunter2"
    assert ssm.describe_parameters()["Parameters"][0]["KeyId"] == "alias/aws/ssm"
    assert [a["AliasName"] for a in kms.list_aliases()["Aliases"]] == ["alias/aws/ssm"]


def test_a_long_secure_string_is_encrypted_under_a_data_key(ssm: Any) -> None:
    value = "é" * 4000
    put(ssm, "/long", value, Type="SecureString", Tier="Advanced")
    assert ssm.get_parameter(Name="/long", WithDecryption=True)["Parameter"]["Value"] == value


def test_a_secure_string_under_a_key_of_ones_own_needs_that_key(ssm: Any, kms: Any) -> None:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    put(ssm, "/own", "secret", Type="SecureString", KeyId=key)
    put(ssm, "/own", "again", Type="SecureString", Overwrite=True)
    assert ssm.get_parameter(Name="/own", WithDecryption=True)["Parameter"]["Value"] == "again"
    kms.disable_key(KeyId=key)
    said = refused("InvalidKeyId", ssm.get_parameter, Name="/own", WithDecryption=True)
    assert "is disabled" in said
    refused("InvalidKeyId", ssm.put_parameter, Name="/own", Value="x", Overwrite=True)
    assert ssm.get_parameter(Name="/own")["Parameter"]["Version"] == 2
    said = refused("InvalidKeyId", ssm.put_parameter, Name="/no", Value="x", Type="SecureString", KeyId="alias/none")
    assert "alias/none is not found" in said


def test_versions_labels_and_arns_select(ssm: Any, account: str) -> None:
    for value in "abc":
        put(ssm, "/v/x", value, Overwrite=True)
    ssm.label_parameter_version(Name="/v/x", ParameterVersion=2, Labels=["prod"])
    arn = f"arn:aws:ssm:us-east-1:{account}:parameter/v/x"
    for name, value, selector in (
        ("/v/x", "c", None),
        ("/v/x:1", "a", ":1"),
        ("/v/x:prod", "b", ":prod"),
        (arn, "c", None),
        (f"{arn}:prod", "b", ":prod"),
    ):
        found = ssm.get_parameter(Name=name)["Parameter"]
        assert (found["Value"], found.get("Selector"), found["Name"], found["ARN"]) == (value, selector, "/v/x", arn)
    assert "could not find version 9" in refused("ParameterVersionNotFound", ssm.get_parameter, Name="/v/x:9")
    assert "could not find label qa" in refused("ParameterVersionNotFound", ssm.get_parameter, Name="/v/x:qa")
    refused("ValidationException", ssm.get_parameter, Name="/v/x:")
    assert "correct syntax" in refused("ValidationException", ssm.get_parameter, Name="/v/x:1:2")
    assert "If formed as a path" in refused("ValidationException", ssm.get_parameter, Name="v/x")


def test_several_at_once_come_in_order_with_those_that_are_not_there(ssm: Any, account: str) -> None:
    put(ssm, "zeta", "1")
    put(ssm, "/alpha", "2")
    wanted = ["zeta", "/none", "/alpha:1", "/alpha:7", "not a name", f"arn:aws:ssm:us-east-1:{account}:parameter/zeta"]
    answer = ssm.get_parameters(Names=wanted)
    assert names(answer) == ["/alpha", "zeta", "zeta"]
    assert answer["InvalidParameters"] == ["/none", "/alpha:7", "not a name"]


def test_arns_of_elsewhere_name_nothing_here(ssm: Any, account: str) -> None:
    put(ssm, "/x")
    arn = f"arn:aws:ssm:us-east-1:{account}:parameter/x"
    elsewhere = [
        arn.replace(account, "999999999999"),
        arn.replace("us-east-1", "eu-west-1"),
        arn.replace("arn:aws:", "arn:aws-cn:"),
        arn.replace(account, ""),
        arn.replace(":ssm:", ":kms:"),
        arn.replace("parameter", "document"),
    ]
    assert ssm.get_parameters(Names=elsewhere[1:])["InvalidParameters"] == elsewhere[1:]
    refused("AccessDeniedException", ssm.get_parameters, Names=elsewhere)
    refused("AccessDeniedException", ssm.get_parameter, Name=elsewhere[0])
    for name in elsewhere[1:4]:
        refused("ParameterNotFound", ssm.get_parameter, Name=name)


def test_rooms_read_through_the_front_door(keeping: Platform, ssm: Any, account: str) -> None:
    put(ssm, "/door", "s3cret", Type="SecureString")
    ask = keeping.door(Scope("aws", account, "us-east-1"), "ecs", root("aws", account))
    answer = ask("ssm", "get_parameters", Names=["/door", "/not"], WithDecryption=True)
    assert answer["Parameters"][0]["Value"] == "s3cret"
    assert answer["InvalidParameters"] == ["/not"]


def test_secrets_are_read_as_parameters(ssm: Any, secrets: Any) -> None:
    arn = secrets.create_secret(Name="db/prod", SecretString="1", ClientRequestToken="a" * 32)["ARN"]
    secrets.put_secret_value(SecretId="db/prod", SecretString="2")
    name = "/aws/reference/secretsmanager/db/prod"
    found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert (found["Value"], found["Type"], found["Version"], found["ARN"]) == ("2", "SecureString", 0, arn)
    for selector in ("AWSPREVIOUS", "a" * 32):
        answer = ssm.get_parameters(Names=[f"{name}:{selector}"], WithDecryption=True)["Parameters"]
        assert [(each["Value"], each["Selector"]) for each in answer] == [("1", f":{selector}")]
    refused("ValidationException", ssm.get_parameter, Name=name)
    refused("ParameterNotFound", ssm.get_parameter, Name=f"{name}x", WithDecryption=True)
    refused("ParameterVersionNotFound", ssm.get_parameter, Name=f"{name}:none", WithDecryption=True)
    assert ssm.get_parameters(Names=[f"{name}x"], WithDecryption=True)["InvalidParameters"] == [f"{name}x"]


# --- changing


def test_an_overwrite_keeps_what_it_does_not_say(ssm: Any) -> None:
    put(ssm, "/k", "12", Description="d", AllowedPattern=r"^\d+$", DataType="text")
    refused("ParameterAlreadyExists", ssm.put_parameter, Name="/k", Value="1", Type="String")
    assert ssm.put_parameter(Name="/k", Value="13", Overwrite=True)["Version"] == 2
    said = refused("ParameterPatternMismatchException", ssm.put_parameter, Name="/k", Value="x", Overwrite=True)
    assert said == r"Parameter value, cannot be validated against allowedPattern: ^\d+$"
    found = ssm.describe_parameters()["Parameters"][0]
    assert (found["Description"], found["Type"], found["Version"]) == ("d", "String", 2)
    refused("HierarchyTypeMismatchException", put, ssm=ssm, name="/k", Type="SecureString", Overwrite=True)


def test_a_pattern_cannot_stop_the_platform(ssm: Any) -> None:
    refused("InvalidAllowedPatternException", put, ssm=ssm, name="/r", value="a" * 40 + "!", AllowedPattern="(a+)+$")
    refused("InvalidAllowedPatternException", put, ssm=ssm, name="/r", AllowedPattern="(")
    refused("ParameterNotFound", ssm.get_parameter, Name="/r")


def test_tiers_and_sizes(ssm: Any) -> None:
    said = refused("ValidationException", put, ssm=ssm, name="/big", value="x" * 4097)
    assert said.startswith("Standard tier parameters support a maximum parameter value of 4096 characters")
    assert put(ssm, "/big", "x" * 4097, Tier="Intelligent-Tiering") == 1
    assert ssm.put_parameter(Name="/big", Value="x", Overwrite=True)["Tier"] == "Advanced"
    refused("ValidationException", put, ssm=ssm, name="/big", Overwrite=True, Tier="Standard")
    refused("ValidationException", put, ssm=ssm, name="/big", value="x" * 8193, Overwrite=True)
    ssm.update_service_setting(SettingId="/ssm/parameter-store/default-parameter-tier", SettingValue="Advanced")
    assert ssm.put_parameter(Name="/tier", Value="x", Type="String")["Tier"] == "Advanced"
    setting = ssm.reset_service_setting(SettingId="/ssm/parameter-store/default-parameter-tier")["ServiceSetting"]
    assert (setting["SettingValue"], setting["Status"]) == ("Standard", "Default")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("aws/x", "AccessDeniedException"),
        ("/AWS-x", "AccessDeniedException"),
        ("ssm", "ValidationException"),
        ("/ssm/x", "ValidationException"),
        ("a/b", "ValidationException"),
        ("/a//b", "ValidationException"),
        ("/a b", "ValidationException"),
        ("/a/", "ValidationException"),
        ("a:1", "ValidationException"),
        ("arn:aws:ssm:us-east-1::parameter/x", "ValidationException"),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/x", "AccessDeniedException"),  # another account's
        ("/é", "ValidationException"),
        ("/" + "x" * 1011, "ValidationException"),
        ("/a" * 16, "HierarchyLevelLimitExceededException"),
    ],
)
def test_names_that_cannot_be(ssm: Any, name: str, code: str) -> None:
    refused(code, put, ssm=ssm, name=name)


def test_fifteen_levels_are_allowed(ssm: Any) -> None:
    assert put(ssm, "/a" * 15) == 1


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("integer", "-12", "1.5"),
        ("float", "1.5e3", "x"),
        ("boolean", "true", "True"),
        ("ipv4-address", "10.0.0.1", "10.0.0.256"),
        ("ipv6-address", "::1", "1::2::3"),
        ("json", '{"a": [1]}', "{a}"),
        ("jsonc", '{"a": 1, /* "b" */ }', '{"a" 1}'),
        ("aws:ec2:image", "ami-0123456789abcdef0", "ami-x"),
        ("aws:region", "eu-west-1", "europe"),
        ("aws:account:id", "123456789012", "12"),
        ("hostname", "a.example.com", "-a"),
        ("email", "a@example.com", "a@"),
        ("url", "https://example.com/x", "example"),
        ("binary", "aGk=", "aGk"),
    ],
)
def test_data_types_are_checked(ssm: Any, type_: str, good: str, bad: str) -> None:
    put(ssm, "/typed", good, DataType=type_)
    assert ssm.get_parameter(Name="/typed")["Parameter"]["DataType"] == type_
    refused("ValidationException", put, ssm=ssm, name="/typed", value=bad, Overwrite=True)


def test_what_else_is_refused(ssm: Any) -> None:
    refused("ValidationException", ssm.put_parameter, Name="/x", Value="v")
    refused("ValidationException", put, ssm=ssm, name="/x", DataType="number")
    refused("ValidationException", put, ssm=ssm, name="/x", value="")
    refused("ValidationException", put, ssm=ssm, name="/x", value="{{ssm:other}}")
    refused("ValidationException", put, ssm=ssm, name="/x", Overwrite=True, Tags=[{"Key": "a", "Value": "b"}])
    put(ssm, "top")
    refused("ParameterAlreadyExists", put, ssm=ssm, name="/top")


# --- history and labels


def test_the_history_has_a_hundred_versions(ssm: Any) -> None:
    for number in range(101):
        put(ssm, "/h", str(number), Overwrite=True)
    pages = ssm.get_paginator("get_parameter_history").paginate(Name="/h", PaginationConfig={"PageSize": 40})
    found = [each for page in pages for each in page["Parameters"]]
    assert [each["Version"] for each in found] == list(range(2, 102))
    ssm.label_parameter_version(Name="/h", ParameterVersion=2, Labels=["keep"])
    said = refused("ParameterMaxVersionLimitExceeded", put, ssm=ssm, name="/h", Overwrite=True)
    assert "Version 2, the oldest version, can't be deleted" in said
    ssm.label_parameter_version(Name="/h", ParameterVersion=3, Labels=["keep"])  # moves
    assert put(ssm, "/h", Overwrite=True) == 102
    refused("ParameterVersionNotFound", ssm.get_parameter, Name="/h:2")


def test_labels(ssm: Any) -> None:
    put(ssm, "/l")
    put(ssm, "/l", Overwrite=True)
    answer = ssm.label_parameter_version(Name="/l", Labels=["a", "1b", "aws-x", "b.c-d_e"])
    assert (answer["ParameterVersion"], answer["InvalidLabels"]) == (2, ["1b", "aws-x"])
    ssm.label_parameter_version(Name="/l", ParameterVersion=1, Labels=["a"])
    history = ssm.get_parameter_history(Name="/l")["Parameters"]
    assert [each["Labels"] for each in history] == [["a"], ["b.c-d_e"]]
    ssm.label_parameter_version(Name="/l", ParameterVersion=1, Labels=[f"x{n}" for n in range(9)])
    refused(
        "ParameterVersionLabelLimitExceeded", ssm.label_parameter_version, Name="/l", ParameterVersion=1, Labels=["z"]
    )
    answer = ssm.unlabel_parameter_version(Name="/l", ParameterVersion=1, Labels=["x1", "nope"])
    assert (answer["RemovedLabels"], answer["InvalidLabels"]) == (["x1"], ["nope"])
    refused("ParameterVersionNotFound", ssm.label_parameter_version, Name="/l", ParameterVersion=9, Labels=["z"])
    refused("ParameterNotFound", ssm.label_parameter_version, Name="/m", Labels=["z"])


# --- finding


@pytest.fixture
def tree(ssm: Any) -> Any:
    for name in ("/a/1", "/a/2", "/a/b/3", "/a/b/c/4", "/ab/5", "top"):
        put(ssm, name)
    put(ssm, "/a/s", Type="SecureString")
    return ssm


def test_by_path(tree: Any) -> None:
    assert names(tree.get_parameters_by_path(Path="/a")) == ["/a/1", "/a/2", "/a/s"]
    assert names(tree.get_parameters_by_path(Path="/a/b/")) == ["/a/b/3"]
    assert names(tree.get_parameters_by_path(Path="/a", Recursive=True)) == [
        "/a/1",
        "/a/2",
        "/a/b/3",
        "/a/b/c/4",
        "/a/s",
    ]
    assert names(tree.get_parameters_by_path(Path="/")) == ["top"]
    assert len(names(tree.get_parameters_by_path(Path="/", Recursive=True))) == 7
    assert names(tree.get_parameters_by_path(Path="/none")) == []
    said = refused("ValidationException", tree.get_parameters_by_path, Path="a")
    assert 'must begin with a forward slash "/"' in said


def test_by_path_in_pages(tree: Any) -> None:
    pages = tree.get_paginator("get_parameters_by_path").paginate(
        Path="/", Recursive=True, PaginationConfig={"PageSize": 3}
    )
    assert [len(page["Parameters"]) for page in pages] == [3, 3, 1]
    token = tree.get_parameters_by_path(Path="/a", MaxResults=1)["NextToken"]
    refused("InvalidNextToken", tree.get_parameters_by_path, Path="/ab", NextToken=token)
    refused("InvalidNextToken", tree.describe_parameters, NextToken="x")


def test_by_path_with_filters(tree: Any) -> None:
    def found(**wanted: Any) -> list[str]:
        return names(tree.get_parameters_by_path(Path="/a", Recursive=True, ParameterFilters=[wanted]))

    assert found(Key="Type", Values=["SecureString"]) == ["/a/s"]
    assert found(Key="KeyId", Option="BeginsWith", Values=["alias/aws"]) == ["/a/s"]
    tree.label_parameter_version(Name="/a/1", Labels=["prod"])
    put(tree, "/a/1", "new", Overwrite=True)
    assert found(Key="Label", Values=["prod"]) == ["/a/1"]
    page = tree.get_parameters_by_path(Path="/a", ParameterFilters=[{"Key": "Label", "Values": ["prod"]}])
    assert page["Parameters"][0]["Version"] == 1
    refused("InvalidFilterKey", found, Key="Name", Values=["x"])
    refused("InvalidFilterOption", found, Key="Label", Option="BeginsWith", Values=["x"])


def test_describe_with_filters(tree: Any) -> None:
    tree.add_tags_to_resource(ResourceType="Parameter", ResourceId="top", Tags=[{"Key": "env", "Value": "prod"}])
    tree.put_parameter(Name="/adv", Value="x", Type="StringList", Tier="Advanced")

    def found(*wanted: dict[str, Any]) -> list[str]:
        return names(tree.describe_parameters(ParameterFilters=list(wanted)))

    assert found({"Key": "Name", "Values": ["top", "/a/1"]}) == ["/a/1", "top"]
    assert found({"Key": "Name", "Option": "BeginsWith", "Values": ["/ab"]}) == ["/ab/5"]
    assert found({"Key": "Name", "Option": "Contains", "Values": ["b/c"]}) == ["/a/b/c/4"]
    assert found({"Key": "Path", "Values": ["/a/b"]}) == ["/a/b/3"]
    assert found({"Key": "Path", "Option": "Recursive", "Values": ["/a/b", "/ab"]}) == ["/a/b/3", "/a/b/c/4", "/ab/5"]
    assert found({"Key": "Tier", "Values": ["Advanced"]}, {"Key": "Type", "Values": ["StringList"]}) == ["/adv"]
    assert found({"Key": "tag:env", "Values": ["prod"]}) == ["top"]
    assert found({"Key": "tag:env"}) == ["top"]
    assert found({"Key": "DataType", "Values": ["aws:ec2:image"]}) == []
    assert names(tree.describe_parameters(Filters=[{"Key": "Type", "Values": ["SecureString"]}])) == ["/a/s"]
    assert tree.describe_parameters(Shared=True)["Parameters"] == []
    for code, *wanted in (
        ("InvalidFilterKey", {"Key": "Label", "Values": ["x"]}),
        ("InvalidFilterValue", {"Key": "Type"}),
        ("InvalidFilterOption", {"Key": "Type", "Values": ["Text"]}),
        ("InvalidFilterOption", {"Key": "Path", "Option": "Equals", "Values": ["/a"]}),
        ("InvalidFilterKey", {"Key": "Type", "Values": ["String"]}, {"Key": "Type", "Values": ["String"]}),
    ):
        refused(str(code), tree.describe_parameters, ParameterFilters=wanted)


# --- deleting, tags, public parameters


def test_deleting_takes_history_labels_and_tags(ssm: Any) -> None:
    put(ssm, "/d", Tags=[{"Key": "a", "Value": "b"}])
    put(ssm, "/d", Overwrite=True)
    of = {"ResourceType": "Parameter", "ResourceId": "/d"}
    assert ssm.list_tags_for_resource(**of)["TagList"] == [{"Key": "a", "Value": "b"}]
    answer = ssm.delete_parameters(Names=["/d", "/e", "/d"])
    assert (answer["DeletedParameters"], answer["InvalidParameters"]) == (["/d"], ["/e"])
    refused("ParameterNotFound", ssm.delete_parameter, Name="/d")
    refused("ParameterNotFound", ssm.get_parameter_history, Name="/d")
    assert put(ssm, "/d") == 1
    assert ssm.list_tags_for_resource(**of)["TagList"] == []


def test_tags(ssm: Any) -> None:
    put(ssm, "/t")
    of = {"ResourceType": "Parameter", "ResourceId": "/t"}
    ssm.add_tags_to_resource(**of, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ssm.remove_tags_from_resource(**of, TagKeys=["a", "c"])
    assert ssm.list_tags_for_resource(**of)["TagList"] == [{"Key": "b", "Value": "2"}]
    too_many = [{"Key": f"k{n}", "Value": ""} for n in range(50)]
    refused("TooManyTagsError", ssm.add_tags_to_resource, **of, Tags=too_many)
    refused("InvalidResourceId", ssm.list_tags_for_resource, ResourceType="Parameter", ResourceId="/none")
    refused("InvalidResourceType", ssm.list_tags_for_resource, ResourceType="Document", ResourceId="/t")


def test_public_parameters(ssm: Any) -> None:
    path = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended"
    image = ssm.get_parameter(Name=f"{path}/image_id")["Parameter"]
    assert image["Value"].startswith("ami-0")
    assert image["ARN"] == f"arn:aws:ssm:us-east-1::parameter{path}/image_id"
    assert image["Value"] in ssm.get_parameter(Name=path)["Parameter"]["Value"]
    assert ssm.get_parameters(Names=[path])["InvalidParameters"] == []
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/aws/service/ecs", Recursive=True)
    assert f"{path}/image_id" in [each["Name"] for page in pages for each in page["Parameters"]]
    names = (
        "ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id",
        "ecs/optimized-ami/amazon-linux-2023/inf/recommended",
        "ecs/optimized-ami/amazon-linux-2/kernel-5.10/recommended/image_name",
        "bottlerocket/aws-ecs-2/x86_64/latest/image_id",
        "ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    )
    found = ssm.get_parameters(Names=[f"/aws/service/{name}" for name in names] + ["/aws/service/none"])
    assert len(found["Parameters"]) == len(names)
    assert found["InvalidParameters"] == ["/aws/service/none"]
    refused("ParameterNotFound", ssm.get_parameter, Name="/aws/service/none")
    refused("AccessDeniedException", ssm.put_parameter, Name="/aws/service/mine", Value="x", Type="String")
    regions = ssm.get_parameters_by_path(Path="/aws/service/global-infrastructure/regions")["Parameters"]
    assert "af-south-1" in [each["Value"] for each in regions]
    refused("ParameterNotFound", ssm.get_parameter, Name="/aws/service/none")
