"""STS API Reference 2011-06-15, AssumeRoleWithWebIdentity: a request that nobody signs. security.md §4-B, 25, 26."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from tests.costs import cost
from tests.doors.aws_kms.managing import allow, deny, policy
from tests.harness import ALLOW_ALL, OTHER_TENANT, PEER, TENANT, Person, Reply, Stack
from tests.tokens import SigningKey, key_set

from keystead.doors.aws_kms import cloudtrail

URL = "https://oidc.example.com/id/A"
ARN = f"arn:aws:iam::{TENANT}:oidc-provider/oidc.example.com/id/A"
ROLE = f"arn:aws:iam::{TENANT}:role/web"
AUDIENCE, SUBJECT = "sts.amazonaws.com", "system:serviceaccount:pay:web"
KEY, OTHER = SigningKey("ES256", "one"), SigningKey("RS256", "two")
UNTRUSTED = ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")


class Cluster:
    """An account that trusts an issuer: one provider, and one role that a service account may take on."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.iam = stack, stack.admin.client("iam")
        self.iam.create_open_id_connect_provider(Url=URL, ClientIDList=[AUDIENCE, "another"])
        self.iam.create_role(RoleName="web", AssumeRolePolicyDocument=self.trust(), MaxSessionDuration=7200)
        self.iam.put_role_policy(RoleName="web", PolicyName="use", PolicyDocument=ALLOW_ALL)
        stack.key_sets[URL] = key_set(KEY, OTHER)

    def trust(self, arn: str = ARN, **when: Any) -> str:
        condition = {"StringEquals": {f"{ARN.partition('/')[2]}:sub": SUBJECT} | when}
        said = {"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity"}
        return json.dumps({"Version": "2012-10-17", "Statement": [said | {"Condition": condition}]})

    @property
    def now(self) -> int:
        return int(self.stack.clock.now().timestamp())

    def claims(self, **changes: Any) -> dict[str, Any]:
        said = {"iss": URL, "sub": SUBJECT, "aud": [AUDIENCE], "iat": self.now, "nbf": self.now, "exp": self.now + 3600}
        return {name: value for name, value in (said | changes).items() if value is not None}

    def token(self, key: SigningKey = KEY, header: dict[str, Any] | None = None, **changes: Any) -> str:
        return key.token(self.claims(**changes), **(header or {}))

    def ask(self, token: str | None = None, **members: Any) -> tuple[str | None, Any]:
        """(error code, its words), or (None, the answer's members)."""
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": ROLE,
            "RoleSessionName": "pod-1",
            "WebIdentityToken": self.token() if token is None else token,
        } | members
        reply = self.stack.unsigned({name: str(value) for name, value in form.items() if value is not None})
        tree = _tree(ElementTree.fromstring(reply.body))  # noqa: S314 - our own
        if reply.status == 200:
            return None, tree["AssumeRoleWithWebIdentityResult"]
        assert tree["Error"]["Code"] in {"ValidationError", *DECLARED, "AccessDenied"}
        return tree["Error"]["Code"], tree["Error"]["Message"]

    def session(self, **members: Any) -> Person:
        code, made = self.ask(**members)
        assert code is None, made
        keys = made["Credentials"]
        return Person(
            self.stack,
            self.stack.admin.principal,
            keys["AccessKeyId"],
            keys["SecretAccessKey"].encode(),
            keys["SessionToken"],
        )


DECLARED = {
    "InvalidIdentityToken",
    "ExpiredTokenException",
    "IDPRejectedClaim",
    "IDPCommunicationError",
    "MalformedPolicyDocument",
    "PackedPolicyTooLarge",
}


def _tree(node: ElementTree.Element) -> Any:
    return {child.tag.partition("}")[2]: _tree(child) for child in node} if len(node) else node.text


@pytest.fixture
def cluster(stack) -> Cluster:
    return Cluster(stack)


# --- what it is


def test_a_token_of_a_trusted_issuer_opens_a_session_of_the_role(cluster, stack) -> None:
    role = cluster.iam.get_role(RoleName="web")["Role"]
    code, made = cluster.ask()
    assert code is None
    arn = f"arn:aws:sts::{TENANT}:assumed-role/web/pod-1"
    assert made["AssumedRoleUser"] == {"AssumedRoleId": f"{role['RoleId']}:pod-1", "Arn": arn}
    told = {name: made[name] for name in ("SubjectFromWebIdentityToken", "Provider", "Audience")}
    assert told == {"SubjectFromWebIdentityToken": SUBJECT, "Provider": URL, "Audience": AUDIENCE}
    ends = (stack.clock.now() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert made["Credentials"]["Expiration"] == ends
    assert set(made) == {"Credentials", "AssumedRoleUser", "SessionTokenSize", "SessionTokenUtilization", *told}
    pod = cluster.session()
    assert pod.client("sts").get_caller_identity()["Arn"] == arn
    key = stack.key()
    assert pod.call("Encrypt", KeyId=key.id, Plaintext=b"x").status == 200
    assert pod.call("Encrypt", KeyId=key.id, Plaintext=b"x", region="eu-west-2").status == 400


def test_a_performed_request_is_on_record_with_its_subject(cluster, stack) -> None:
    cluster.ask()
    record = stack.record()
    who = record.who
    assert (record.operation, record.outcome) == ("sts:AssumeRoleWithWebIdentity", "performed")
    assert (record.rule, record.tenant, record.source) == ("trust policy", TENANT, PEER)
    assert (who.kind, who.id, who.via, who.name) == ("web-identity", f"{ARN}:{AUDIENCE}:{SUBJECT}", ARN, SUBJECT)
    event = next(cloudtrail.events(0, stack.journal.lines[-1]))
    assert event["userIdentity"] == {
        "type": "WebIdentityUser",
        "principalId": f"{ARN}:{AUDIENCE}:{SUBJECT}",
        "userName": SUBJECT,
        "identityProvider": ARN,
    }
    cluster.ask(cluster.token(sub=SUBJECT + "2"))
    record = stack.record()
    assert (record.outcome, record.who.name) == ("refused: Denied", SUBJECT + "2")
    assert next(cloudtrail.events(0, stack.journal.lines[-1]))["errorCode"] == "AccessDenied"


def test_a_refused_one_is_on_record_with_what_it_claims(cluster, stack) -> None:
    cluster.ask(cluster.token(SigningKey("ES256", "one")))
    record = stack.record()
    assert (record.operation, record.outcome) == ("sts:AssumeRoleWithWebIdentity", "refused: Unauthenticated")
    assert (record.who.id, record.who.via, record.tenant) == ("", f"{URL} {SUBJECT}", "")
    event = next(cloudtrail.events(0, stack.journal.lines[-1]))
    assert event["userIdentity"] == {"type": "Unknown", "principalId": f"{URL} {SUBJECT}"}
    assert event["errorCode"] == "InvalidIdentityToken"
    cluster.ask("not.a.token")
    assert stack.record().who.via == ""


@pytest.mark.parametrize(
    "alg", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)
def test_every_algorithm(cluster, stack, alg) -> None:
    key = SigningKey(alg)
    stack.key_sets[URL] = key_set(key)
    assert cluster.ask(cluster.token(key))[0] is None


# --- what is no token for here: row 25


def test_row_25_a_token_signed_by_somebody_else(cluster) -> None:
    said = ("InvalidIdentityToken", "The signature of the token could not be verified")
    assert cluster.ask(cluster.token(SigningKey("ES256", "one"))) == said


def test_row_25_a_token_that_was_changed(cluster) -> None:
    head, _, signature = cluster.token().split(".")
    payload = cluster.token(sub="system:serviceaccount:pay:admin").split(".")[1]
    assert cluster.ask(f"{head}.{payload}.{signature}")[0] == "InvalidIdentityToken"


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "HS512", "RS1", "ES256K", "ES384", "RS256", "PS256", "dir"])
def test_row_25_another_algorithm_than_the_keys(cluster, alg) -> None:
    code, _ = cluster.ask(cluster.token(header={"alg": alg}))
    assert code == "InvalidIdentityToken"


def test_row_25_without_a_signature(cluster) -> None:
    for text in (cluster.token(header={"alg": "none"}).rpartition(".")[0] + ".", cluster.token().rpartition(".")[0]):
        assert cluster.ask(text)[0] == "InvalidIdentityToken"


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": None, "b64": False}, {"kid": None}, {"enc": "A128GCM"}])
def test_row_25_headers_that_change_the_meaning(cluster, header) -> None:
    code, words = cluster.ask(cluster.token(header=header))
    assert code == "InvalidIdentityToken" and words.startswith("The ID Token provided is not a valid JWT: ")


@pytest.mark.parametrize("kid", ["../one", "https://evil.example/keys", "one' OR '1'='1", "One", "one "])
def test_row_25_a_kid_is_looked_up_and_nothing_else(cluster, stack, kid) -> None:
    said = ("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider")
    assert cluster.ask(cluster.token(header={"kid": kid})) == said
    assert set(stack.asked_for) == {URL}


@pytest.mark.parametrize(
    ("aud", "code"),
    [
        (AUDIENCE, None),
        ([AUDIENCE], None),
        (["x", AUDIENCE], None),
        ("another", None),
        ("x", "InvalidIdentityToken"),
        ([AUDIENCE + "x"], "InvalidIdentityToken"),
        ([AUDIENCE.upper()], "InvalidIdentityToken"),
        ([], "InvalidIdentityToken"),
        (None, "InvalidIdentityToken"),
    ],
)
def test_row_25_the_audience_is_one_of_the_providers(cluster, aud, code) -> None:
    found, said = cluster.ask(cluster.token(aud=aud))
    assert found == code
    assert code is not None or said["Audience"] in {AUDIENCE, "another"}


def test_a_provider_without_client_ids_takes_no_token(cluster) -> None:
    for one in (AUDIENCE, "another"):
        cluster.iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=ARN, ClientID=one)
    assert cluster.ask() == ("InvalidIdentityToken", "Incorrect token audience")


@pytest.mark.parametrize(
    ("iss", "known"),
    [
        (URL, True),
        (URL + "/", False),
        (URL + "2", False),
        (URL[:-1], False),
        (URL.replace("/A", "/a"), False),
        ("https://oidc.example.com", False),
        ("https://OIDC.example.com/id/A", False),
        ("http://oidc.example.com/id/A", False),
        ("https://oidc.example.com:443/id/A", False),
        ("https://oidc.example.com/id/../id/A", False),
        ("https://oidc.example.com/id/A?", False),
        ("https://oidc.example.com@evil.example/id/A", False),
        ("oidc.example.com/id/A", False),
    ],
)
def test_row_25_an_issuer_is_compared_whole(cluster, stack, iss, known) -> None:
    code, words = cluster.ask(cluster.token(iss=iss))
    if known:
        assert code is None
    else:
        assert (code, words) == ("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {iss}")
        assert stack.asked_for == []  # nobody is asked for the keys of a stranger


@pytest.mark.parametrize(
    ("times", "code"),
    [
        ({"exp": 1}, None),
        ({"exp": 0}, "ExpiredTokenException"),
        ({"exp": -3600}, "ExpiredTokenException"),
        ({"nbf": 60}, None),
        ({"nbf": 61}, "InvalidIdentityToken"),
        ({"iat": 60}, None),
        ({"iat": 61}, "InvalidIdentityToken"),
        ({"iat": -86400, "nbf": None}, None),
        ({"iat": None}, "InvalidIdentityToken"),
        ({"exp": None}, "InvalidIdentityToken"),
    ],
)
def test_row_25_the_time(cluster, times, code) -> None:
    said = {name: None if by is None else cluster.now + by for name, by in times.items()}
    assert cluster.ask(cluster.token(**said))[0] == code


@pytest.mark.parametrize("exp", [1.5, "9999999999", -1, 1e400, 10**30, True])
def test_row_25_times_that_are_none(cluster, exp) -> None:
    payload = json.dumps(cluster.claims(exp=exp)).encode()
    assert cluster.ask(KEY.token(payload))[0] == "InvalidIdentityToken"


def test_row_25_a_claim_twice(cluster) -> None:
    payload = json.dumps(cluster.claims())[:-1] + f',"sub":"{SUBJECT}"}}'
    code, words = cluster.ask(KEY.token(payload.encode()))
    assert code == "InvalidIdentityToken" and "twice" in words


def test_an_encrypted_token_is_refused_before_anything_is_done(cluster, stack) -> None:
    assert (
        cluster.ask("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00iLCJ6aXAiOiJERUYifQ.a.b.c.d")[0]
        == "InvalidIdentityToken"
    )
    assert stack.asked_for == []


@pytest.mark.parametrize(
    "claims",
    [
        {"https://aws.amazon.com/tags": {"principal_tags": {"a": ["b"]}}},
        {"https://aws.amazon.com/source_identity": "me"},
    ],
)
def test_what_a_token_asks_for_and_is_not_given_is_refused(cluster, claims) -> None:
    assert cluster.ask(cluster.token(**claims))[0] == "IDPRejectedClaim"


# --- row 26: issuer and key belong together (Storm-0558)


def test_row_26_a_key_of_one_issuer_signs_for_no_other(cluster, stack) -> None:
    """Both are trusted, both have a key of the same id; a token of the one is signed with the key of the other."""
    theirs, url = SigningKey("ES256", "one"), "https://other.example"
    cluster.iam.create_open_id_connect_provider(Url=url, ClientIDList=[AUDIENCE])
    arn = f"arn:aws:iam::{TENANT}:oidc-provider/other.example"
    text = json.loads(cluster.trust())
    text["Statement"] += [{"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:*"}]
    cluster.iam.update_assume_role_policy(RoleName="web", PolicyDocument=json.dumps(text))
    stack.key_sets[url] = key_set(theirs)
    assert cluster.ask(cluster.token(theirs, iss=url))[0] is None
    assert cluster.ask()[0] is None
    assert cluster.ask(cluster.token(theirs))[0] == "InvalidIdentityToken"
    assert cluster.ask(cluster.token(KEY, iss=url))[0] == "InvalidIdentityToken"
    stack.key_sets[url] = key_set(SigningKey("ES256", "theirs"))
    cluster.stack.clock.forward(timedelta(minutes=11))
    assert cluster.ask(cluster.token(iss=url))[0] == "InvalidIdentityToken"


def test_row_26_a_provider_is_one_accounts(cluster, stack) -> None:
    """The issuer is trusted here; the role is another account's, which does not know it."""
    stack.keyring(OTHER_TENANT)
    eve = stack.user("eve", policy(allow("iam:*")), tenant=OTHER_TENANT)
    theirs = ROLE.replace(TENANT, OTHER_TENANT)
    text = cluster.trust(ARN)  # it names our provider
    eve.client("iam").create_role(RoleName="web", AssumeRolePolicyDocument=text)
    said = ("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {URL}")
    assert cluster.ask(RoleArn=theirs) == said
    eve.client("iam").create_open_id_connect_provider(Url=URL, ClientIDList=[AUDIENCE])
    assert cluster.ask(RoleArn=theirs) == UNTRUSTED  # their provider is not the one they trust
    assert cluster.ask(RoleArn=ROLE.replace(TENANT, "000000000000")) == said


# --- the role


@pytest.mark.parametrize(
    "changes", [{"sub": SUBJECT + "2"}, {"sub": SUBJECT.upper()}, {"sub": f"{SUBJECT} "}, {"sub": "*"}]
)
def test_the_trust_policy_decides(cluster, changes) -> None:
    assert cluster.ask(cluster.token(**changes)) == UNTRUSTED


def test_a_role_that_is_not_there_and_one_that_trusts_nobody_are_one_answer(cluster) -> None:
    trust = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": TENANT}, "Action": "sts:AssumeRole"}]})
    cluster.iam.create_role(RoleName="deploy", AssumeRolePolicyDocument=trust)
    for name in ("absent", "deploy"):
        assert cluster.ask(RoleArn=f"arn:aws:iam::{TENANT}:role/{name}") == UNTRUSTED


@pytest.mark.parametrize("arn", [f"arn:aws:iam::{TENANT}:user/admin", f"arn:aws:iam::{TENANT}:root", "a" * 20, ARN])
def test_what_is_no_role(cluster, arn) -> None:
    assert cluster.ask(RoleArn=arn)[0] == "ValidationError"


def test_a_session_lasts_as_long_as_the_role_lets_it(cluster, stack) -> None:
    code, words = cluster.ask(DurationSeconds=7201)
    assert code == "ValidationError" and "MaxSessionDuration" in words
    pod = cluster.session(DurationSeconds=7200)
    stack.clock.forward(timedelta(seconds=7199))
    assert pod.call("ListKeys").status == 200  # longer than its token was good for, as with AWS
    stack.clock.forward(timedelta(seconds=1))
    assert pod.call("ListKeys").code == "ExpiredTokenException"
    for seconds in (899, 43201):
        assert cluster.ask(DurationSeconds=seconds)[0] == "ValidationError"


def test_a_policy_may_ask_whose_token_a_session_was_opened_with(cluster, stack) -> None:
    """IAM User Guide, "aws:FederatedProvider": of the session of a role; nobody else has one."""
    key = stack.key()
    ours = {"Condition": {"StringEquals": {"aws:FederatedProvider": ARN}}}
    cluster.iam.put_role_policy(
        RoleName="web", PolicyName="p", PolicyDocument=policy(allow("kms:*"), deny("kms:DisableKey", **ours))
    )
    pod = cluster.session()
    assert pod.call("DescribeKey", KeyId=key.id).status == 200
    assert pod.call("DisableKey", KeyId=key.id).code == "AccessDeniedException"
    other = stack.user("other", policy(allow("kms:*"), deny("kms:DisableKey", **ours)))
    assert other.call("DisableKey", KeyId=key.id).status == 200


def test_a_session_may_have_less_than_its_role(cluster, stack) -> None:
    key = stack.key()
    text = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:DescribeKey","Resource":"*"}]}'
    pod = cluster.session(Policy=text)
    assert pod.call("DescribeKey", KeyId=key.id).status == 200
    assert pod.call("Encrypt", KeyId=key.id, Plaintext=b"x").code == "AccessDeniedException"
    told = cluster.ask(Policy=text, MinimumSessionTokenSize=0)[1]
    assert 0 < int(told["PackedPolicySize"]) == int(told["SessionTokenUtilization"])
    assert int(told["SessionTokenSize"]) == len(told["Credentials"]["SessionToken"])
    assert cluster.ask(Policy="{}")[0] == "MalformedPolicyDocument"
    absent = cluster.ask(**{"PolicyArns.member.1.arn": f"arn:aws:iam::{TENANT}:policy/x"})
    assert absent == ("ValidationError", f"Policy arn:aws:iam::{TENANT}:policy/x was not found.")


@pytest.mark.parametrize(
    "members",
    [
        {"ProviderId": "www.amazon.com"},
        {"MinimumSessionTokenSize": 1},
    ],
)
def test_what_is_not_offered_is_refused(cluster, members) -> None:
    code, words = cluster.ask(**members)
    assert code == "ValidationError" and "not supported" in words


def test_a_session_of_a_pod_opens_no_further_one_of_its_own(cluster) -> None:
    """STS API Reference: "you cannot call the STS GetFederationToken or GetSessionToken API operations"."""
    pod = cluster.session()
    with pytest.raises(Exception, match="AccessDenied"):
        pod.client("sts").get_session_token()


# --- the end of it


def test_a_provider_deleted_opens_no_session_and_ends_none(cluster) -> None:
    pod = cluster.session()
    cluster.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=ARN)
    assert cluster.ask()[0] == "InvalidIdentityToken"
    assert pod.call("ListKeys").status == 200
    cluster.iam.create_open_id_connect_provider(Url=URL, ClientIDList=[AUDIENCE])
    assert cluster.ask()[0] is None  # the same issuer again


def test_a_role_deleted_ends_its_sessions(cluster) -> None:
    pod = cluster.session()
    cluster.iam.delete_role_policy(RoleName="web", PolicyName="use")
    cluster.iam.delete_role(RoleName="web")
    assert cluster.ask() == UNTRUSTED
    assert pod.call("ListKeys").code == "UnrecognizedClientException"
    cluster.iam.create_role(RoleName="web", AssumeRolePolicyDocument=cluster.trust())
    assert pod.call("ListKeys").code == "UnrecognizedClientException"


def test_a_trust_policy_changed_opens_no_session(cluster) -> None:
    cluster.iam.update_assume_role_policy(RoleName="web", PolicyDocument=cluster.trust().replace("Allow", "Deny"))
    assert cluster.ask() == UNTRUSTED


# --- the issuer


def test_an_issuer_that_does_not_answer_is_said_to(cluster, stack) -> None:
    del stack.key_sets[URL]
    code, _ = cluster.ask()
    assert code == "IDPCommunicationError"
    assert stack.record().outcome == "refused: Unavailable"
    assert next(cloudtrail.events(0, stack.journal.lines[-1]))["errorCode"] == code
    stack.key_sets[URL] = key_set(KEY)
    stack.clock.forward(timedelta(seconds=10))
    assert cluster.ask()[0] is None


def test_keys_are_asked_for_once_and_again_for_one_that_is_not_there(cluster, stack) -> None:
    assert cluster.ask()[0] is None and cluster.ask(cluster.token(OTHER))[0] is None
    assert stack.asked_for == [URL]
    new = SigningKey("ES256", "three")
    stack.key_sets[URL] = key_set(new)
    for _ in range(3):
        assert cluster.ask(cluster.token(new))[0] == "InvalidIdentityToken"
    assert stack.asked_for == [URL]
    stack.clock.forward(timedelta(seconds=60))
    assert cluster.ask(cluster.token(new))[0] is None
    assert cluster.ask()[0] == "InvalidIdentityToken"  # the old key has gone with the old set
    assert stack.asked_for == [URL, URL]


def test_an_issuer_of_rubbish_is_one_that_does_not_answer(cluster, stack) -> None:
    for rubbish in (b"", b"<html>", b'{"keys":[],"keys":[]}', b" " * 200_000):
        stack.key_sets[URL] = rubbish
        stack.clock.forward(timedelta(seconds=10))
        assert cluster.ask()[0] == "IDPCommunicationError"
    stack.key_sets[URL] = b'{"keys":[]}'
    stack.clock.forward(timedelta(seconds=10))
    assert cluster.ask()[0] == "InvalidIdentityToken"


# --- what it costs, and what it shows


def test_on_the_loop_strangers_get_no_thread(cluster, stack) -> None:
    """Whatever can be refused by what is held is refused at once; a thread is for the signature."""
    cluster.ask()
    for wrong in (
        {"iss": "https://nobody.example"},
        {"aud": "x"},
        {"exp": 1},
        {"header": {"kid": "x"}},
        {"header": {"alg": "none"}},
    ):
        cluster.ask(cluster.token(**wrong))  # what is not held yet is read
    threads = []
    stack.on_the_loop()
    serve = stack.front.serve
    stack.front.serve = lambda request: threads.append(1) or serve(request)
    for wrong in (
        {"iss": "https://nobody.example"},
        {"aud": "x"},
        {"exp": 1},
        {"header": {"kid": "x"}},
        {"header": {"alg": "none"}},
    ):
        threads.clear()
        assert cluster.ask(cluster.token(**wrong))[0] is not None
        assert len(threads) == 1, wrong
    threads.clear()
    assert cluster.ask()[0] is None and len(threads) == 2


@pytest.mark.parametrize("more", [b"", b"&" * 20_000, b"&a" * 20_000, b"&a.b.c.d.e.f.g.h=1" * 3000, b"&a=%41" * 8000])
@pytest.mark.parametrize("kind", ["a forged signature", "rubbish", "the longest", "the fullest"])
def test_row_66_a_stranger_costs_less_than_a_millisecond(cluster, stack, kind, more) -> None:
    forger = SigningKey("ES512", "one")
    stack.key_sets[URL] = key_set(SigningKey("ES512", "one"))
    text = {
        "a forged signature": cluster.token(forger),
        "rubbish": "a.b.c",
        "the longest": "A" * 4096 + "." + "A" * 8192 + "." + "A" * 1400,
        "the fullest": cluster.token(forger, header={"x": [1] * 20}, z=[1] * 200, y="\\" * 2000, aud="x"),
    }[kind]
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "pod-1"}
    body = urlencode(form | {"WebIdentityToken": text}).encode() + more
    headers = {b"host": b"kms.test", b"content-type": b"application/x-www-form-urlencoded"}
    request = stack.request("POST", "https://kms.test/", headers, body)
    replies: list[bytes] = []
    assert cost(lambda: replies.append(stack.serve(request)), 7) < 0.001
    assert all(reply.startswith(b"HTTP/1.1 400 ") for reply in replies)


def test_row_67_a_token_turns_up_in_no_record_error_or_log(cluster, stack, caplog) -> None:
    caplog.set_level("DEBUG")
    wrong = [
        cluster.token(),
        cluster.token(sub="nobody"),
        cluster.token(SigningKey("ES256", "one")),
        cluster.token(exp=1),
        cluster.token(header={"kid": "x"}),
        cluster.token(header={"crit": ["a"]}),
        cluster.token() + "=",
        cluster.token(iss="https://nobody.example"),
    ]
    for text in wrong:
        code, said = cluster.ask(text)
        shown = json.dumps(said) if code is not None else ""
        lines = b"".join([*stack.journal.lines, *(line for _, line in stack.store.records(0, 1000))]).decode()
        for part in text.split("."):
            assert part not in shown and part not in lines and part not in caplog.text


def test_row_33_a_token_in_a_url_is_refused(cluster, stack) -> None:
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "pod-1"}
    url = "https://kms.test/?" + urlencode(form | {"WebIdentityToken": cluster.token()})
    for method in ("GET", "POST"):
        assert Reply.of(stack.serve(stack.request(method, url, {b"host": b"kms.test"}, b""))).status == 400
        headers = {b"host": b"kms.test", b"content-type": b"application/x-www-form-urlencoded"}
        reply = Reply.of(stack.serve(stack.request(method, url, headers, b"")))
        assert reply.status == 400 and b"<Code>InvalidIdentityToken</Code>" in reply.body


def test_a_signature_beside_the_token_changes_nothing(cluster, stack) -> None:
    """The model: "authtype": "none"."""
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "pod-1"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for token, status in ((cluster.token(), 200), ("a.b.c", 400)):
        body = urlencode(form | {"WebIdentityToken": token}).encode()
        assert stack.admin.send(headers, body, service="sts").status == status


def test_a_log_is_not_broken_by_what_a_token_says(cluster, stack) -> None:
    for sub in ('","outcome":"performed', "\u00e9\u4e2d", "a" * 255):
        cluster.ask(cluster.token(SigningKey("ES256", "one"), sub=sub))
        assert stack.record().who.via == f"{URL} {sub}"
