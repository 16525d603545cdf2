"""STS API Reference 2011-06-15, GetCallerIdentity; and what STS and IAM answer to everything else."""

from xml.etree import ElementTree

import pytest
from tests.doors.aws_kms.managing import deny, policy
from tests.harness import TENANT, Person, stack

from keystead.core import operations as ops

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.fixture(scope="module")
def office():
    return stack()


def ask(person, action, version="2011-06-15", service="sts", **more):
    body = "&".join(f"{k}={v}" for k, v in {"Action": action, "Version": version, **more}.items())
    return person.send(FORM, body.encode(), service=service)


def test_who_am_i(office) -> None:
    who = office.admin.client("sts").get_caller_identity()
    assert (who["Account"], who["Arn"]) == (TENANT, f"arn:aws:iam::{TENANT}:user/admin")
    assert who["UserId"] == office.admin.principal.id
    assert who["ResponseMetadata"]["RequestId"] == office.record().request_id
    assert office.record().operation == "sts:GetCallerIdentity" and office.record().outcome == "performed"


def test_no_permission_is_needed_and_none_can_be_taken(office) -> None:
    """GetCallerIdentity: "No permissions are required … even … an explicit deny"."""
    shut_out = office.user("shut-out", policy(deny("*")))
    assert ask(shut_out, "GetCallerIdentity").status == 200


def test_the_root_of_the_account(office) -> None:
    made = office.by_system(ops.CreateAccessKey(tenant=ops.TenantRef(TENANT), name="root"))
    root = Person(office, office.first.root, made.credential.id, made.secret.reveal(), None)
    who = root.client("sts").get_caller_identity()
    assert (who["Arn"], who["UserId"]) == (f"arn:aws:iam::{TENANT}:root", TENANT)


@pytest.mark.parametrize(
    ("action", "version", "service"),
    [
        ("AssumeRoleWithSAML", "2011-06-15", "sts"),
        ("GetFederationToken", "2011-06-15", "sts"),
        ("GetCallerIdentity", "2010-05-08", "sts"),
        ("GetLoginProfile", "2010-05-08", "iam"),
        ("ListSAMLProviders", "2010-05-08", "iam"),
        ("ListUsers", "2011-06-15", "iam"),
        ("getCallerIdentity", "2011-06-15", "sts"),
        ("", "2011-06-15", "sts"),
    ],
)
def test_what_is_not_offered_is_refused_in_their_own_form(office, action, version, service) -> None:
    reply = ask(office.admin, action, version, service)
    assert reply.status == 400 and reply.headers["content-type"] == "text/xml"
    error = ElementTree.fromstring(reply.body)  # noqa: S314 - our own
    space = error.tag.partition("}")[0] + "}"
    assert error.tag == f"{space}ErrorResponse"
    assert error.find(f"{space}Error/{space}Code").text == "InvalidAction"
    assert error.find(f"{space}Error/{space}Type").text == "Sender"
    assert error.find(f"{space}RequestId").text == reply.headers["x-amzn-requestid"]
    assert office.record().outcome == "refused: Unsupported"


def test_a_secret_that_is_wrong_is_refused_in_their_own_form(office) -> None:
    liar = office.user("liar")
    liar.credentials.secret_key = "A" * 40
    reply = ask(liar, "GetCallerIdentity")
    assert reply.status == 403 and b"<Code>SignatureDoesNotMatch</Code>" in reply.body
