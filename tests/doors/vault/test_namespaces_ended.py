"""What has ended counts for nobody at any door, however much of it is still there (docs/adr/0023).

The stack is left in the state between the commit that ends a namespace and the first step that takes something away.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from tests.doors.aws_kms.test_sessions import assume, person_of, trust
from tests.harness import ALLOW_ALL, REGION, TENANT, Person, Reply, b64, stack
from tests.tokens import SigningKey, key_set

from keystead.core import operations as ops
from keystead.core.algorithms import key_spec
from keystead.core.entities import Credential, Key, Namespace, PolicyText, Principal
from keystead.core.states import KeyState
from keystead.doors import aws_xks
from keystead.service.barrier import Commit
from keystead.service.endings import Endings

ANYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
UNKNOWN = (400, "UnrecognizedClientException")
PREFIX, ISSUER = "stores/one", "https://oidc.example.com/id/A"


class Estate:
    """A namespace `ns1/ch` that is an AWS account too, and all the ways that lead into it or to its keys."""

    def __init__(self) -> None:
        self.stack = stack()
        self.root = self.stack.bearer()
        assert self.root.ask("POST", "sys/namespaces/ns1").status == 200
        assert self.root.ask("POST", "sys/namespaces/ch", x_vault_namespace="ns1").status == 200
        self.spaces = {one.name: one for one in self.stack.barrier.every(Namespace)}
        self.tenant = self.spaces["ch"].id
        self.stack.keyring(self.tenant)
        self.alice = self.stack.user("alice", ANYTHING, tenant=self.tenant)
        self.outsider = self.stack.user("bob", ANYTHING)
        self.arn = f"arn:aws:iam::{self.tenant}:role/deploy"
        iam = self.alice.client("iam")
        iam.create_role(
            RoleName="deploy",
            AssumeRolePolicyDocument=trust(*(f"arn:aws:iam::{t}:root" for t in (self.tenant, TENANT))),
        )
        iam.put_role_policy(RoleName="deploy", PolicyName="may", PolicyDocument=ALLOW_ALL)
        self.key = self._key()
        self.ciphertext = self.alice.call("Encrypt", KeyId=self.key_arn, Plaintext=b"x").json["CiphertextBlob"]
        self.grant = self.alice.call(
            "CreateGrant", KeyId=self.key_arn, GranteePrincipal=self.outsider.arn, Operations=["Encrypt", "Decrypt"]
        ).json["GrantToken"]
        made = self.alice.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
        self.session = person_of(self.stack, made)
        self.assumed = assume(self.stack, self.alice, self.arn)
        self.guest = assume(self.stack, self.outsider, self.arn)
        self.proxy = self._proxy()
        self._trust_an_issuer(iam)

    @property
    def key_arn(self) -> str:
        return self.stack.arn(self.key)

    def _key(self) -> Key:
        spec = key_spec("aws", "SYMMETRIC_DEFAULT")
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{one}:root"}, "Action": "kms:*", "Resource": "*"}
            for one in (self.tenant, TENANT)
        ]
        policy = PolicyText("default", "aws", json.dumps({"Version": "2012-10-17", "Statement": statements}))
        ring = ops.KeyringRef(f"aws:{self.tenant}:{REGION}")
        made = ops.CreateKey(keyring=ring, spec=spec, purpose=spec.purposes[0], policy=policy)
        return self.stack.perform(made, self.alice).key

    def _proxy(self) -> Person:
        """AWS KMS, to which the keys of the account are an external key store."""
        at, tenant = f"xks:{self.tenant}:{PREFIX}", ops.TenantRef(self.tenant)
        self.stack.by_system(ops.BindKeyring(keyring=self.key.keyring, namespace=at))
        made = self.stack.by_system(ops.CreateXksCredential(tenant=tenant, name="alice", namespace=at))
        self.front = aws_xks.DOOR.open(self.stack.means)
        return Person(self.stack, self.alice.principal, made.credential.id, made.secret.reveal(), None)

    def _trust_an_issuer(self, iam: Any) -> None:
        self.issuer_key = SigningKey("ES256", "one")
        self.stack.key_sets[ISSUER] = key_set(self.issuer_key)
        iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["here"])
        name = ISSUER.removeprefix("https://")
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{self.tenant}:oidc-provider/{name}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
        }
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_role(RoleName="web", AssumeRolePolicyDocument=text)

    def by_word_of_an_issuer(self) -> tuple[int, str]:
        now = int(self.stack.clock.now().timestamp())
        claims = {"iss": ISSUER, "sub": "pod", "aud": ["here"], "iat": now, "nbf": now, "exp": now + 600}
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": f"arn:aws:iam::{self.tenant}:role/web",
            "RoleSessionName": "pod",
            "WebIdentityToken": self.issuer_key.token(claims),
        }
        return _xml(self.stack.unsigned(form))

    def by_proxy(self) -> tuple[int, str]:
        body = {"plaintext": b64(b"x"), "encryptionAlgorithm": "AES_GCM", "requestMetadata": METADATA}
        url = f"https://xks.test/{PREFIX}/kms/xks/v1/keys/{self.key.id}/encrypt"
        headers = {"Content-Type": "application/json"}
        request = self.proxy.signed(headers, json.dumps(body).encode(), "POST", url, "kms-xks-proxy")
        reply = Reply.of(self.stack.serve(request, self.front))
        return reply.status, reply.json.get("errorName", "")

    def assumed_anew(self) -> tuple[int, str]:
        form = f"Action=AssumeRole&Version=2011-06-15&RoleArn={self.arn}&RoleSessionName=late".encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return _xml(self.outsider.send(headers, form, url="https://sts.test/", service="sts"))

    def ended(self, name: str = "ch") -> None:
        """From the acknowledgement of the first commit on; nothing has gone."""
        above = {"ch": self.spaces["ns1"].id, "ns1": TENANT}[name]
        self.stack.by_system(ops.EndNamespace(tenant=ops.TenantRef(above), name=name))


def _xml(reply: Reply) -> tuple[int, str]:
    code = re.search(rb"<Code>([A-Za-z]+)</Code>", reply.body)
    return reply.status, code[1].decode() if code else ""


METADATA = {
    "awsPrincipalArn": "arn:aws:iam::123456789012:user/Alice",
    "kmsKeyArn": "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "kmsOperation": "Encrypt",
    "kmsRequestId": "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
}


def kms(
    person: Callable[[Estate], Person], operation: str = "Encrypt", *, granted: bool = False
) -> Callable[[Estate], tuple[int, str]]:
    def ask(estate: Estate) -> tuple[int, str]:
        about = {"KeyId": estate.key_arn} if operation != "Decrypt" else {"CiphertextBlob": estate.ciphertext}
        plaintext = {"Plaintext": b64(b"x")} if operation == "Encrypt" else {}
        tokens = {"GrantTokens": [estate.grant]} if granted else {}
        reply = person(estate).call(operation, **about, **plaintext, **tokens)
        return reply.status, reply.code or ""

    return ask


OTHERS = (400, "AccessDeniedException")
"""What anybody hears of another account's key that is not there."""

WAYS: dict[str, tuple[Callable[[Estate], tuple[int, str]], tuple[int, str]]] = {
    # what is done, what it comes to once the namespace has ended
    "an access key of it": (kms(lambda e: e.alice), UNKNOWN),
    "its session": (kms(lambda e: e.session), UNKNOWN),
    "a role of it, taken on before": (kms(lambda e: e.assumed), UNKNOWN),
    "a role of it, taken on by another account": (kms(lambda e: e.guest), UNKNOWN),
    "a role of it, taken on now": (Estate.assumed_anew, (403, "AccessDenied")),
    "a role of it, by an issuer's word": (Estate.by_word_of_an_issuer, (400, "InvalidIdentityToken")),
    "another account, by key policy": (kms(lambda e: e.outsider), OTHERS),
    "another account, by grant": (kms(lambda e: e.outsider, granted=True), OTHERS),
    "another account, by ciphertext": (kms(lambda e: e.outsider, "Decrypt"), OTHERS),
    "another account, that looks": (kms(lambda e: e.outsider, "DescribeKey"), OTHERS),
    "AWS KMS, at the key store's door": (Estate.by_proxy, (401, "AuthenticationFailedException")),
}


@pytest.fixture
def estate() -> Estate:
    return Estate()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_it_counts_from_its_end_on(estate: Estate, way: str) -> None:
    """Held in this process since before, so that it is the change that drops it."""
    ask, refused = WAYS[way]
    assert ask(estate)[0] == 200
    estate.ended()
    assert estate.stack.barrier.get(Principal, estate.alice.principal.id) is not None
    assert estate.stack.barrier.get(Credential, estate.alice.access_key_id) is not None
    assert ask(estate) == ask(estate) == refused


@pytest.mark.parametrize("way", WAYS)
def test_nor_in_a_process_that_has_never_seen_it(estate: Estate, way: str) -> None:
    ask, refused = WAYS[way]
    estate.ended()
    estate.stack.view.forget()
    assert ask(estate) == refused


def test_who_is_turned_away_costs_no_thread_each_time(estate: Estate) -> None:
    estate.ended()
    assert WAYS["an access key of it"][0](estate) == UNKNOWN
    estate.stack.on_the_loop()
    request = estate.alice.signed({"X-Amz-Target": "TrentService.ListKeys"}, b"{}")
    assert Reply.of(estate.stack.front.serve(request)).code == UNKNOWN[1]  # and no WouldBlock


def test_what_stands_below_ends_with_it(estate: Estate) -> None:
    """No namespace with others in it is ended; were it so all the same, those below would be no way in."""
    above = estate.stack.barrier.get(Namespace, estate.spaces["ns1"].id)
    assert above is not None
    estate.stack.put(replace(above, ends=True))
    for way, (ask, refused) in WAYS.items():
        assert ask(estate) == refused, way


def test_a_change_that_was_under_way_is_refused(estate: Estate) -> None:
    """Its commit rests on the namespace as it was."""
    barrier = estate.stack.barrier
    commit, came = barrier.commit, []

    def overtaken(change: Commit) -> None:
        if not came:
            came.append(True)
            thread = threading.Thread(target=estate.ended)
            thread.start()
            thread.join()
        commit(change)

    barrier.commit = overtaken
    assert estate.alice.call("DisableKey", KeyId=estate.key_arn).code == "AccessDeniedException"
    assert came and estate.stack.stored(estate.key).lifecycle.state is KeyState.ACTIVE


def test_a_lock_is_none_of_the_aws_door(estate: Estate) -> None:
    """It drops what is held, and that is all."""
    estate.stack.by_system(ops.LockNamespace(tenant=ops.TenantRef(TENANT), path="ns1/ch"))
    assert kms(lambda e: e.alice)(estate) == kms(lambda e: e.guest)(estate) == (200, "")


def test_the_rest_of_the_tree_goes_on_and_its_rows_go_too(estate: Estate) -> None:
    """CVE-2026-42186."""
    estate.ended()
    assert estate.outsider.call("ListKeys").status == 200
    assert estate.root.ask("GET", "sys/mounts", x_vault_namespace="ns1").status == 200
    endings = Endings(estate.stack.barrier, estate.stack.store, estate.stack.by_system)
    while endings.step():
        pass
    assert estate.stack.barrier.get(Principal, estate.alice.principal.id) is None
    assert estate.stack.barrier.get(Key, estate.key.id) is None
