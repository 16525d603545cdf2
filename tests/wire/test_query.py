"""The Query protocol: forms in, XML out."""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from botocore import loaders, parsers, serialize
from botocore.model import ServiceModel
from hypothesis import given
from hypothesis import strategies as st

from keystead.wire import Malformed
from keystead.wire.aws import json11, query

STS = ServiceModel(loaders.Loader().load_service_model("sts", "service-2"), "sts")


def test_what_botocore_writes_reads_back() -> None:
    sent = {
        "RoleArn": "arn:aws:iam::111122223333:role/é b+c&d=e%f",
        "RoleSessionName": "session",
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}],
        "TransitiveTagKeys": ["x", "y"],
    }
    request = serialize.create_serializer("query").serialize_to_request(sent, STS.operation_model("AssumeRole"))
    from urllib.parse import urlencode  # noqa: PLC0415 - what botocore's HTTP session does with the form

    body = urlencode(request["body"]).encode()
    assert query.form(body) == {"Action": "AssumeRole", "Version": "2011-06-15", **sent}


def test_what_we_write_botocore_reads() -> None:
    operation = STS.operation_model("AssumeRole")
    result = {
        "Credentials": {
            "AccessKeyId": "ASIAEXAMPLE",
            "SecretAccessKey": "a<b>&\"c'",
            "SessionToken": "t==",
            "Expiration": datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
        },
        "AssumedRoleUser": {"AssumedRoleId": "x:é\r\n\t", "Arn": "arn"},
        "PackedPolicySize": 3,
        "SourceIdentity": None,
    }
    body = query.response("AssumeRole", "https://sts.amazonaws.com/doc/2011-06-15/", result, "r-1")
    parsed = parsers.create_parser("query").parse(
        {"status_code": 200, "headers": {}, "body": body}, operation.output_shape
    )
    assert parsed.pop("ResponseMetadata")["RequestId"] == "r-1"
    assert parsed == {k: v for k, v in result.items() if v is not None}


def test_no_result_element_where_there_is_no_output() -> None:
    assert query.response("DeleteUser", "ns", None, "r") == (
        b'<DeleteUserResponse xmlns="ns"><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>'
        b"</DeleteUserResponse>"
    )


def test_lists_and_booleans() -> None:
    body = query.response(
        "ListUsers", "ns", {"Users": [{"UserName": "a"}, {"UserName": "b"}], "IsTruncated": False}, "r"
    )
    assert b"<Users><member><UserName>a</UserName></member><member>" in body
    assert b"<IsTruncated>false</IsTruncated>" in body


@pytest.mark.parametrize(("ours", "kind"), [(False, "Sender"), (True, "Receiver")])
def test_errors(ours: bool, kind: str) -> None:
    body = query.error("InvalidClientTokenId", "no <such> key", "ns", "r-2", ours=ours)
    parsed = parsers.create_parser("query").parse(
        {"status_code": 403, "headers": {}, "body": body}, STS.operation_model("GetCallerIdentity").output_shape
    )
    assert parsed["Error"] == {"Type": kind, "Code": "InvalidClientTokenId", "Message": "no <such> key"}
    assert parsed["ResponseMetadata"]["RequestId"] == "r-2"


@given(st.text())
def test_row_61_whatever_is_said_is_well_formed_xml(text: str) -> None:
    root = ET.fromstring(query.error("C", text, "ns", "r"))  # noqa: S314 - our own words
    assert [e.text for e in root.iter("{ns}Code")] == ["C"]


def test_no_type_without_an_xml_form() -> None:
    with pytest.raises(TypeError, match="bytes"):
        query.response("A", "ns", {"x": b"raw"}, "r")


@pytest.mark.parametrize(
    "body",
    [
        b"Action=a&Action=b",
        b"A.member.1=x&A.member.1=y",
        b"A=x&A.member.1=y",
        b"A.member.1=x&A=y",
        b"A.member.1=x&A.B=y",
        b"A.member.2=x",
        b"A.member.0=x",
        b"A.member.01=x",
        b"A.member.1=x&A.member.3=y",
        b"A.member=x",
        b"member.1=x&B=1",
        b"A..B=x",
        b"=x",
        b"A.B.C.D.E.F.G.H.I=x",
        b"A=%zz",
        b"A=%4",
        b"A=%ff",
        b"A=\xff",
        b"&".join(b"p%d=1" % i for i in range(query.N_PAIRS + 1)),
    ],
)
def test_no_form(body: bytes) -> None:
    with pytest.raises(Malformed):
        query.form(body)


@given(
    st.binary(max_size=80)
    | st.lists(st.sampled_from([b"A", b".", b"member", b"1", b"2", b"=", b"&", b"%", b"+"])).map(b"".join)
)
def test_noise_is_a_form_or_malformed(noise: bytes) -> None:
    try:
        form = query.form(noise)
    except Malformed:
        return
    assert isinstance(form, dict)


def test_json11_errors_have_a_message_or_none() -> None:
    assert json11.error("NotFoundException", "no") == b'{"__type":"NotFoundException","message":"no"}'
    assert json11.error("InvalidCiphertextException", None) == b'{"__type":"InvalidCiphertextException"}'
