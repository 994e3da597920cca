"""The corners of the protocols that drawing from shapes does not reach."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.aws import models
from hatoba.aws.models import Operation
from hatoba.aws.protocols import PROTOCOLS, detect, not_implemented, rest, unknown_operation, values, xml_tree
from hatoba.aws.sigv4 import refusals
from hatoba.aws.wire import WireRequest, WireResponse
from hatoba.core.errors import AwsError


def operation(service: str, name: str) -> Operation:
    found = models.load(service).operation(name)
    assert found is not None
    return found


def render(service: str, name: str, result: dict[str, Any], protocol: str | None = None) -> WireResponse:
    found = operation(service, name)
    return PROTOCOLS[protocol or found.model.protocol].render(found, result, "r-1")


def body(answer: WireResponse) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body


class TestJson:
    def test_absent_members_are_left_out(self) -> None:
        answer = render("ecs", "DescribeTasks", {"tasks": [{"createdAt": 1700000000.5, "stoppedAt": None}]})
        assert body(answer) == b'{"tasks":[{"createdAt":1700000000.5}]}'
        assert answer.headers == {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "r-1"}

    def test_a_text_of_null_survives(self) -> None:
        assert body(render("ecs", "ListClusters", {"nextToken": "null"})) == b'{"nextToken":"null"}'

    def test_numbers_that_json_lacks(self) -> None:
        scale = {"taskSet": {"scale": {"value": math.nan}}}
        assert body(render("ecs", "CreateTaskSet", scale)) == b'{"taskSet":{"scale":{"value":"NaN"}}}'

    def test_blobs(self) -> None:
        answer = render("kms", "Encrypt", {"CiphertextBlob": b"\0\xff"})
        assert body(answer) == b'{"CiphertextBlob":"AP8="}'

    def test_no_output_is_an_empty_object(self) -> None:
        assert body(render("logs", "CreateLogStream", {})) == b"{}"

    def test_null_and_unknown_members_of_a_request_are_forgotten(self) -> None:
        request = WireRequest(method="POST", path="/", body=b'{"cluster": null, "zzz": [1], "taskDefinition": "a"}')
        assert PROTOCOLS["json"].parse(operation("ecs", "RunTask"), request) == {"taskDefinition": "a"}
        empty = WireRequest(method="POST", path="/")
        assert PROTOCOLS["json"].parse(operation("ecs", "RunTask"), empty) == {}

    @pytest.mark.parametrize(
        ("sent", "said"),
        [
            (b'{"count": "1"}', "STRING_VALUE cannot be converted to Integer"),
            (b'{"count": 1.5}', "DECIMAL_VALUE cannot be converted to Integer"),
            (b'{"count": 2147483648}', "The number is out of range for an Integer."),
            (b'{"cluster": 1}', "NUMBER_VALUE cannot be converted to String"),
            (b'{"enableECSManagedTags": "true"}', "STRING_VALUE cannot be converted to Boolean"),
            (b'{"tags": {}}', "Start of structure or map found where a list was expected."),
            (b'{"tags": [null]}', "null is no element of a list."),
            (b"[]", "Start of list found where a structure or map was expected."),
            (b"{", "The request body is not valid JSON."),
        ],
    )
    def test_wrong_types(self, sent: bytes, said: str) -> None:
        with pytest.raises(AwsError) as caught:
            PROTOCOLS["json"].parse(operation("ecs", "RunTask"), WireRequest(method="POST", path="/", body=sent))
        assert (caught.value.code, caught.value.message) == ("SerializationException", said)


class TestXml:
    def test_what_xml_cannot_carry(self) -> None:
        answer = render("iam", "GetUser", {"User": {"UserName": "a\0<&>\r\x1f", "Path": ""}})
        assert b"<UserName>a\xef\xbf\xbd&lt;&amp;&gt;&#xD;\xef\xbf\xbd</UserName><Path></Path>" in body(answer)

    @given(st.text())
    def test_every_text_parses_back(self, text: str) -> None:
        root = xml_tree.parse(f'<a b="{xml_tree.attribute(text)}">{xml_tree.escape(text)}</a>'.encode())
        clean = "".join("\ufffd" if xml_tree._FORBIDDEN.match(letter) else letter for letter in text)
        assert (root.text or "") == clean
        assert root.attrib["b"] == clean

    def test_query_without_output(self) -> None:
        assert body(render("iam", "DeleteUser", {})) == (
            b'<?xml version="1.0" encoding="UTF-8"?>\n<DeleteUserResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            b"<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></DeleteUserResponse>"
        )

    def test_ec2_without_output_says_true(self) -> None:
        assert body(render("ec2", "DeleteVpc", {})) == (
            b'<?xml version="1.0" encoding="UTF-8"?>\n'
            b'<DeleteVpcResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            b"<requestId>r-1</requestId><return>true</return></DeleteVpcResponse>"
        )

    def test_empty_lists_are_written(self) -> None:
        assert b"<vpcSet></vpcSet>" in body(render("ec2", "DescribeVpcs", {"Vpcs": []}))

    def test_s3_errors(self) -> None:
        model = models.load("s3")
        s3 = detect(model, WireRequest(method="GET", path="/"))
        answer = s3.render_error(model, AwsError("no", code="NoSuchKey", status=404, Key="a&b"), "r-1")
        assert answer.status == 404
        assert body(answer).endswith(
            b"<Error><Code>NoSuchKey</Code><Message>no</Message><Key>a&amp;b</Key><RequestId>r-1</RequestId>"
            b"<HostId>r-1</HostId></Error>"
        )
        moved = s3.render_error(
            model, AwsError("no", code="PermanentRedirect", status=301, BucketRegion="eu-west-1"), "r"
        )
        assert moved.headers["x-amz-bucket-region"] == "eu-west-1"
        assert s3.render_error(model, AwsError(code="NotModified", status=304), "r").body == b""

    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            (b"<a", "MalformedXML"),
            (b'<!DOCTYPE a [<!ENTITY b "c">]><a/>', "MalformedXML"),
            ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a><a/>'.encode("utf-16"), "MalformedXML"),
        ],
    )
    def test_bad_xml(self, sent: bytes, code: str) -> None:
        with pytest.raises(AwsError) as caught:
            xml_tree.parse(sent)
        assert caught.value.code == code


class TestQuery:
    def parse(self, service: str, name: str, form: str, query: str = "") -> dict[str, Any]:
        found = operation(service, name)
        request = WireRequest(method="POST", path="/", query=query, body=form.encode())
        return PROTOCOLS[found.model.protocol].parse(found, request)

    def test_lists(self) -> None:
        assert self.parse("elbv2", "DescribeTargetGroups", "Names.member.10=c&Names.member.2=b&Names.member.1=a") == {
            "Names": ["a", "b", "c"]
        }
        assert self.parse("elbv2", "DescribeTargetGroups", "Names=") == {"Names": []}

    def test_ec2(self) -> None:
        form = "Filter.1.Name=vpc-id&Filter.1.Value.1=a%26b&Filter.1.Value.2=c+d&DryRun=true&MaxResults=5"
        assert self.parse("ec2", "DescribeVpcs", form) == {
            "Filters": [{"Name": "vpc-id", "Values": ["a&b", "c d"]}],
            "DryRun": True,
            "MaxResults": 5,
        }

    def test_in_the_query_string(self) -> None:
        assert self.parse("iam", "GetUser", "", "Action=GetUser&UserName=%C3%BC") == {"UserName": "ü"}

    @pytest.mark.parametrize("form", ["MaxItems=abc", "MaxItems=", "Marker.x=1", "MaxItems=1_0", "MaxItems=%D9%A3"])
    def test_malformed(self, form: str) -> None:
        with pytest.raises(AwsError) as caught:
            self.parse("iam", "ListUsers", form)
        assert caught.value.code == "MalformedInput"

    @pytest.mark.parametrize("form", ["VpcId=vpc-1", "Filter=a", "Filter.1=a", "VpcId.x=1", "MaxResults=a"])
    def test_malformed_for_ec2(self, form: str) -> None:
        """Above all: `VpcId=vpc-1` for `VpcId.1=vpc-1` must not mean all of them."""
        with pytest.raises(AwsError) as caught:
            self.parse("ec2", "DescribeVpcs", form)
        assert caught.value.code == "InvalidParameterValue"


class TestRest:
    async def test_bodies_stream_both_ways(self) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"abc"

        source = pieces()
        request = WireRequest(method="PUT", path="/b/a%2Fb/c%20d", headers={"x-amz-meta-x": "y"}, body=source)
        params = PROTOCOLS["rest-xml"].parse(operation("s3", "PutObject"), request)
        assert params == {"Bucket": "b", "Key": "a/b/c d", "Metadata": {"x": "y"}, "Body": source}
        answer = render("s3", "GetObject", {"Body": source, "ContentType": "text/x", "ContentLength": 3, "ETag": '"e"'})
        assert answer.body is source
        assert answer.headers["content-type"] == "text/x"
        assert answer.headers["content-length"] == "3"
        assert answer.headers["etag"] == '"e"'

    def test_blobs_are_bodies_as_they_are(self) -> None:
        request = WireRequest(
            method="POST", path="/2015-03-31/functions/f/invocations", query="Qualifier=a", body=b"\xff"
        )
        params = PROTOCOLS["rest-json"].parse(operation("lambda", "Invoke"), request)
        assert params == {"FunctionName": "f", "Qualifier": "a", "Payload": b"\xff"}
        answer = render("lambda", "Invoke", {"StatusCode": 202, "Payload": b"\xff", "FunctionError": "E"})
        assert (answer.status, answer.body, answer.headers["x-amz-function-error"]) == (202, b"\xff", "E")

    def test_no_value_can_add_a_header(self) -> None:
        answer = render("s3", "HeadObject", {"ContentDisposition": "a\r\nset-cookie: b", "Metadata": {"k\n": "\r"}})
        assert answer.headers["content-disposition"] == "a set-cookie: b"
        assert answer.headers["x-amz-meta-k "] == " "

    def test_no_content(self) -> None:
        assert operation("lambda", "RemovePermission").status == 204
        assert render("lambda", "RemovePermission", {}) == WireResponse(
            status=204, headers={"x-amzn-requestid": "r-1"}, body=b""
        )

    def test_errors(self) -> None:
        error = AwsError("slow down", code="TooManyRequestsException", status=429, retryAfterSeconds="3", Reason="x")
        answer = PROTOCOLS["rest-json"].render_error(models.load("lambda"), error, "r-1")
        assert answer.headers["x-amzn-errortype"] == "TooManyRequestsException"
        assert answer.headers["retry-after"] == "3"
        assert msgspec.json.decode(body(answer))["Reason"] == "x"

    @pytest.mark.parametrize(
        ("text", "items"),
        [
            ("a, b", ["a", "b"]),
            ('"a,b","say \\"hi\\""', ["a,b", 'say "hi"']),
            ("a", ["a"]),
            ("", []),
            ("a,,b", ["a", "", "b"]),
            ('"a" b,"c', ['"a" b', '"c']),
        ],
    )
    def test_lists_in_headers(self, text: str, items: list[str]) -> None:
        assert rest.header_list(text) == items


class TestCbor:
    def test_a_request(self) -> None:
        sent = {"Namespace": "n", "MetricData": [{"MetricName": "m", "Timestamp": cbor2.CBORTag(1, 1.5), "Value": 1}]}
        request = WireRequest(
            method="POST",
            path="/service/GraniteServiceVersion20100801/operation/PutMetricData",
            headers={"smithy-protocol": "rpc-v2-cbor"},
            body=cbor2.dumps(sent),
        )
        model = models.load("cloudwatch")
        protocol = detect(model, request)
        assert protocol.operation_name(model, request) == "PutMetricData"
        params = protocol.parse(operation("cloudwatch", "PutMetricData"), request)
        assert params["MetricData"] == [{"MetricName": "m", "Timestamp": 1.5, "Value": 1.0}]

    def test_what_an_answer_looks_like(self) -> None:
        answer = render("cloudwatch", "GetMetricStatistics", {"Datapoints": [{"Timestamp": 1.0, "Sum": 2}]})
        assert answer.headers["smithy-protocol"] == "rpc-v2-cbor"
        assert body(answer) == cbor2.dumps({"Datapoints": [{"Timestamp": cbor2.CBORTag(1, 1.0), "Sum": 2.0}]})
        assert body(render("cloudwatch", "PutMetricData", {})) == b""

    @pytest.mark.parametrize("name", ["smithy-rpc-v2-cbor", "json"])
    def test_old_error_codes_for_clients_of_the_query_protocol(self, name: str) -> None:
        model = models.load("cloudwatch")
        error = AwsError("gone", code="ResourceNotFoundException", status=404)
        plain = PROTOCOLS[name].render_error(model, error, "r-1")
        assert "x-amzn-query-error" not in plain.headers
        told = PROTOCOLS[name].render_error(model, error, "r-1", query_mode=True)
        assert told.headers["x-amzn-query-error"].endswith(";Sender")


@pytest.mark.parametrize(
    ("headers", "query", "service", "name"),
    [
        ({"x-amz-target": "A.B"}, "", "ecs", "json"),
        ({"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, "", "iam", "query"),
        ({}, "Action=GetUser", "iam", "query"),
        ({}, "Action=DescribeVpcs", "ec2", "ec2"),
        ({"content-type": "application/x-www-form-urlencoded"}, "", "cloudwatch", "query"),
        ({"x-amz-target": "A.B"}, "", "cloudwatch", "json"),
        ({"smithy-protocol": "rpc-v2-cbor"}, "", "cloudwatch", "smithy-rpc-v2-cbor"),
        ({}, "", "lambda", "rest-json"),
        ({"x-amz-target": "A.B"}, "Action=x", "s3", "rest-xml"),
    ],
)
def test_detection(headers: dict[str, str], query: str, service: str, name: str) -> None:
    request = WireRequest(method="POST", path="/", query=query, headers=headers)
    assert detect(models.load(service), request).name == name


@pytest.mark.parametrize("service", ["ecs", "iam", "ec2", "lambda", "s3", "cloudwatch"])
def test_what_is_not_there_is_named(service: str) -> None:
    model = models.load(service)
    protocol = PROTOCOLS[model.protocol]
    missing = next(iter(model.operations))
    found = model.operation(missing)
    assert found is not None
    answer = protocol.render_error(model, not_implemented(found), "r-1")
    assert answer.status == 400
    assert f"{service}.{missing}".encode() in body(answer)
    answer = protocol.render_error(model, unknown_operation(protocol.name, "Fly", model.api_version), "r-1")
    assert b"Fly" in body(answer)
    assert (
        protocol.words is refusals.QUERY or b"UnknownOperationException" in body(answer) + str(answer.headers).encode()
    )


@given(st.integers(-30610224000000, 253402300799000))  # from the year 1000 on, which every form can tell
def test_timestamps_read_back(millis: int) -> None:
    moment = millis / 1000
    assert values.read_timestamp(values.iso8601(moment)) == pytest.approx(moment, abs=1e-3)
    assert values.read_timestamp(str(values.write_timestamp(math.floor(moment), "rfc822"))) == math.floor(moment)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-02T03:04:05Z", 1704164645.0),
        ("2024-01-02T03:04:05.678+02:00", 1704157445.678),
        ("2024-01-02T03:04:05", 1704164645.0),
        ("2024-01-02", 1704153600.0),
        ("Tue, 02 Jan 2024 03:04:05 GMT", 1704164645.0),
        ("1704164645.25", 1704164645.25),
    ],
)
def test_timestamps_of_any_form(text: str, moment: float) -> None:
    assert values.read_timestamp(text) == pytest.approx(moment)


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "1e300", "99999-01-01", "2024-13-01", "24:00"])
def test_what_is_no_timestamp(text: str) -> None:
    with pytest.raises(AwsError):
        values.read_timestamp(text)
