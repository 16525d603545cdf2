"""IAM API Reference 2010-05-08: OpenID Connect providers, and GetAccessKeyLastUsed."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.doors.aws_kms.managing import allow, policy
from tests.harness import OTHER_TENANT, TENANT, stack

from keystead.core import operations as ops
from keystead.core.entities import LastUse
from keystead.core.federation import issuer_name
from keystead.core.policy.arn import provider_of

URL = "https://oidc.example.com/id/ABC"
ARN = f"arn:aws:iam::{TENANT}:oidc-provider/oidc.example.com/id/ABC"
PRINT = "a" * 40


@pytest.fixture
def office():
    return stack()


@pytest.fixture
def iam(office):
    return office.admin.client("iam")


def refused(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    said = caught.value.response["Error"]
    return said["Code"], said["Message"]


def test_a_provider_from_its_beginning_to_its_end(office, iam) -> None:
    made = iam.create_open_id_connect_provider(Url=URL, ClientIDList=["one", "two", "one"], ThumbprintList=[PRINT])
    assert made["OpenIDConnectProviderArn"] == ARN
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=ARN)
    assert (found["Url"], found["ClientIDList"], found["ThumbprintList"]) == (URL[8:], ["one", "two"], [PRINT])
    assert found["CreateDate"] == office.clock.now()
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": ARN}]
    said = refused(iam.create_open_id_connect_provider, Url=URL)
    assert said == ("EntityAlreadyExists", f"Provider with url {URL} already exists.")
    of = {"OpenIDConnectProviderArn": ARN}
    for _ in range(2):  # "idempotent"
        iam.add_client_id_to_open_id_connect_provider(ClientID="three", **of)
        iam.remove_client_id_from_open_id_connect_provider(ClientID="one", **of)
    iam.update_open_id_connect_provider_thumbprint(ThumbprintList=["B" * 40, "c" * 40], **of)
    found = iam.get_open_id_connect_provider(**of)
    assert (found["ClientIDList"], found["ThumbprintList"]) == (["two", "three"], ["B" * 40, "c" * 40])
    iam.delete_open_id_connect_provider(**of)
    absent = ("NoSuchEntity", f"OpenIDConnect Provider not found for arn {ARN}")
    assert refused(iam.delete_open_id_connect_provider, **of) == absent
    assert refused(iam.get_open_id_connect_provider, **of) == absent
    assert refused(iam.add_client_id_to_open_id_connect_provider, ClientID="a", **of) == absent
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.example", "a.example"),
        ("https://a.example/", "a.example/"),
        ("https://a.example/x/y_z~1.0", "a.example/x/y_z~1.0"),
        ("https://a.example:8443/x", "a.example:8443/x"),
        ("https://127.0.0.1:6443", "127.0.0.1:6443"),
        ("http://a.example", None),
        ("https://", None),
        ("HTTPS://a.example", None),
        ("https://A.example", None),
        ("https://a.example:443/x", None),
        ("https://a.example:443", None),
        ("https://a.example:0", None),
        ("https://a.example//x", None),
        ("https://a.example/./x", None),
        ("https://a.example/../x", None),
        ("https://a.example/x/..", None),
        ("https://a..example/x", None),
        ("https://a.example/x//", None),
        ("https://a.example/%2e", None),
        ("https://a.example/x?y", None),
        ("https://a.example/x#y", None),
        ("https://u@a.example/x", None),
        ("https://a.example\\@b.example", None),
        ("https://a.example/x y", None),
        ("https://a.example/x\n", None),
        ("https://\u0430.example/", None),  # a Cyrillic letter
        ("https://a.example/" + "x" * 240, None),
    ],
)
def test_an_issuer_has_one_spelling(office, iam, url, name) -> None:
    """security.md §4-A: names are parsed once, and what is not in canonical form is refused."""
    assert issuer_name(url) == name
    if name is not None:
        arn = iam.create_open_id_connect_provider(Url=url)["OpenIDConnectProviderArn"]
        assert provider_of(arn) == (TENANT, name)
    elif len(url) <= 255:
        assert refused(iam.create_open_id_connect_provider, Url=url)[0] == "InvalidInput"


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:iam::{TENANT}:oidc-provider/",
        f"arn:aws:iam::{TENANT}:oidc-provider/a/../b",
        f"arn:aws:iam::{TENANT}:saml-provider/a.example",
        "arn:aws:iam::1:oidc-provider/a.example",
        f"arn:aws-cn:iam::{TENANT}:oidc-provider/a.example",
        "a" * 20,
    ],
)
def test_what_is_no_providers_arn(iam, arn) -> None:
    assert refused(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn)[0] == "InvalidInput"


def test_limits(iam) -> None:
    """IAM User Guide, "IAM object quotas"."""
    many = [f"c{n}" for n in range(101)]
    assert refused(iam.create_open_id_connect_provider, Url=URL, ClientIDList=many)[0] == "LimitExceeded"
    iam.create_open_id_connect_provider(Url=URL, ClientIDList=many[:100])
    of = {"OpenIDConnectProviderArn": ARN}
    assert refused(iam.add_client_id_to_open_id_connect_provider, ClientID="more", **of)[0] == "LimitExceeded"
    prints = [PRINT] * 6
    assert refused(iam.update_open_id_connect_provider_thumbprint, ThumbprintList=prints, **of)[0] == "InvalidInput"
    prints = ["z" * 40]
    assert refused(iam.update_open_id_connect_provider_thumbprint, ThumbprintList=prints, **of)[0] == "InvalidInput"
    iam.remove_client_id_from_open_id_connect_provider(ClientID="c0", **of)
    assert refused(iam.add_client_id_to_open_id_connect_provider, ClientID="a\tb", **of)[0] == "InvalidInput"
    for n in range(99):
        iam.create_open_id_connect_provider(Url=f"https://{n}.example")
    assert refused(iam.create_open_id_connect_provider, Url="https://last.example")[0] == "LimitExceeded"


@pytest.mark.parametrize(
    "members",
    [
        {"Tags": [{"Key": "a", "Value": "b"}]},
        {"ContextProvider": {"SubjectSourceKey": "sub"}},
        {"IdentityCenterInstanceArn": "arn:aws:sso:::instance/a"},
    ],
)
def test_what_is_not_offered_is_refused(iam, members) -> None:
    assert refused(iam.create_open_id_connect_provider, Url=URL, **members)[0] == "InvalidInput"


def test_a_policy_is_about_the_provider_by_its_arn(office, iam) -> None:
    iam.create_open_id_connect_provider(Url=URL)
    may = policy(allow("iam:*OpenIDConnectProvider*", resource=ARN))
    alice = office.user("alice", may).client("iam")
    alice.get_open_id_connect_provider(OpenIDConnectProviderArn=ARN)
    alice.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=ARN, ClientID="a")
    code, words = refused(alice.get_open_id_connect_provider, OpenIDConnectProviderArn=ARN + "2")
    assert code == "AccessDenied" and "iam:GetOpenIDConnectProvider on resource: " + ARN + "2" in words
    alice.delete_open_id_connect_provider(OpenIDConnectProviderArn=ARN)
    alice.create_open_id_connect_provider(Url=URL)  # decided on by the ARN that it will have
    assert refused(alice.create_open_id_connect_provider, Url=URL + "2")[0] == "AccessDenied"
    assert refused(alice.list_open_id_connect_providers)[0] == "AccessDenied"


def test_another_accounts_providers_are_its_own(office, iam) -> None:
    office.keyring(OTHER_TENANT)
    theirs = ARN.replace(TENANT, OTHER_TENANT)
    eve = office.user("eve", policy(allow("iam:*")), tenant=OTHER_TENANT).client("iam")
    eve.create_open_id_connect_provider(Url=URL)
    iam.create_open_id_connect_provider(Url=URL)  # the same issuer, another provider
    for call in (iam.get_open_id_connect_provider, iam.delete_open_id_connect_provider):
        assert refused(call, OpenIDConnectProviderArn=theirs)[0] == "AccessDenied"
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=ARN)
    assert eve.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [{"Arn": theirs}]


# --- GetAccessKeyLastUsed


def used(person: Any, key_id: str) -> dict[str, Any]:
    found = person.client("iam").get_access_key_last_used(AccessKeyId=key_id)
    return {"UserName": found["UserName"], **found["AccessKeyLastUsed"]}


def test_an_access_key_that_was_not_used_says_so(office) -> None:
    alice = office.user("alice")
    assert used(office.admin, alice.access_key_id) == {"UserName": "alice", "ServiceName": "N/A", "Region": "N/A"}


@pytest.mark.parametrize(
    ("operation", "service"),
    [("TrentService.Encrypt", "kms"), ("sts:GetCallerIdentity", "sts"), ("iam:GetUser", "iam")],
)
def test_what_an_access_key_was_last_used_for(office, operation, service) -> None:
    alice, at = office.user("alice"), office.clock.now()
    use = {"operation": operation, "at": at, "request_id": "r", "index": 7, "namespace": f"aws:{TENANT}:eu-west-2"}
    office.put(LastUse(id=alice.access_key_id, **use))
    found = used(office.admin, alice.access_key_id)
    assert found == {"UserName": "alice", "LastUsedDate": at, "ServiceName": service, "Region": "eu-west-2"}


@pytest.mark.parametrize("how", ["its key", "its credential", "the whole user"])
def test_what_is_known_of_an_access_key_goes_with_it(office, how) -> None:
    alice = office.user("alice")
    at = {"operation": "sts:GetCallerIdentity", "at": office.clock.now(), "request_id": "r", "index": 7}
    office.put(LastUse(id=alice.access_key_id, **at))
    tenant = ops.TenantRef(TENANT)
    if how == "its key":
        office.admin.client("iam").delete_access_key(UserName="alice", AccessKeyId=alice.access_key_id)
    elif how == "its credential":
        office.by_system(ops.DeleteCredential(tenant=tenant, credential_id=alice.access_key_id))
    else:
        office.by_system(ops.DeletePrincipal(tenant=tenant, name="alice"))
    assert office.barrier.get(LastUse, alice.access_key_id) is None


def test_whose_key_it_is_decides(office) -> None:
    """Service Authorization Reference: iam:GetAccessKeyLastUsed is about a user."""
    bob = office.user("bob")
    office.keyring(OTHER_TENANT)
    far = office.user("far", tenant=OTHER_TENANT)
    may = policy(allow("iam:GetAccessKeyLastUsed", resource=f"arn:aws:iam::{TENANT}:user/bob"))
    alice = office.user("alice", may)
    assert used(alice, bob.access_key_id)["UserName"] == "bob"
    denied = []
    for key_id in (office.admin.access_key_id, far.access_key_id, "AKIA" + "A" * 16, "uid0" + "A" * 12):
        code, words = refused(alice.client("iam").get_access_key_last_used, AccessKeyId=key_id)
        denied.append(words.partition(" on resource: ")[2])
        assert code == "AccessDenied"
    assert len(set(denied[1:])) == 1  # another account's, and none at all
    assert (
        refused(office.admin.client("iam").get_access_key_last_used, AccessKeyId=far.access_key_id)[0] == "AccessDenied"
    )
