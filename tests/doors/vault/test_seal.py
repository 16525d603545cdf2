"""The seal API in one process, before a custodian that only listens: who may ask, what is asked, what is on record."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from tests import vaultstack
from tests.harness import OTHER_TENANT, PEER

from keystead.core.entities import Tenant
from keystead.core.errors import Sealed
from keystead.crypto.shamir import packed, split
from keystead.doors import vault as door
from keystead.doors.vault.system import rekeying, rooting, sealing, shares
from keystead.kit import custody as c
from keystead.kit.custody import No, Why
from keystead.service.barrier import Commit
from keystead.service.bootstrap import first_token


class Custodian:
    """Hears what is asked; answers what it was told to."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.no: Exception | None = None

    def __call__(self, request: Any) -> Any:
        self.heard.append(request)
        if self.no is not None:
            raise self.no
        if isinstance(request, c.Look | c.Offer):
            return c.Standing(kind="shamir", is_sealed=True, n_shares=3, threshold=2, progress=1, nonce="n")
        if isinstance(request, c.LookAtRootToken):
            return c.Rooting()
        if isinstance(request, c.LookAtRoot):
            return c.RootKey(term=3, since=datetime(2026, 1, 1, tzinfo=UTC), n_commits=9)
        if isinstance(request, c.LookAtServer):
            return c.Gauges(gauges=(c.Gauge("keystead.keys", 3.0),))
        return c.Done()


class Stand(vaultstack.Vault):
    def __init__(self) -> None:
        super().__init__()
        self.custodian = Custodian()
        means = msgspec.structs.replace(self.stack.means, custody=self.custodian)
        self.stack.front = door.DOOR.open(means)


@pytest.fixture
def vault() -> Stand:
    return Stand()


SHARE = split(bytes(32), 2, 3, lambda n: bytes(n - 1) + b"\1")[0]


@pytest.mark.parametrize("spelling", [SHARE, packed(SHARE).hex(), b64encode(packed(SHARE)).decode()])
def test_a_share_is_taken_in_every_spelling_without_a_token_and_is_not_on_record(vault, spelling) -> None:
    answer = vault.nobody("PUT", "sys/unseal", {"key": spelling}).json
    assert (answer["progress"], answer["nonce"], answer["t"], answer["n"]) == (1, "n", 2, 3)
    (offer,) = vault.custodian.heard
    assert offer.share.reveal().decode() == SHARE
    record = vault.stack.record()
    assert (record.operation, record.outcome, record.source) == ("system write unseal", "performed", PEER)
    assert not any(spelling.encode() in entry for entry in vault.stack.journal.lines)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", sealing.LACKING),
        ("zz!", "'key' must be a valid hex or base64 string"),
        ("00" * 41, "invalid key: key is shorter than minimum 42 bytes"),
        ("00" * 43, "invalid key: key is longer than maximum 42 bytes"),
        ("0" * 10_000, "'key' must be a valid hex or base64 string"),
    ],
)
def test_what_is_no_share_comes_no_further(vault, key, words) -> None:
    assert vault.nobody.refused("PUT", "sys/unseal", {"key": key}) == (400, words)
    assert not vault.custodian.heard and vault.stack.record().outcome == "refused: InvalidArgument"


def test_row_75_a_wrong_set_is_on_record(vault) -> None:
    vault.custodian.no = No(Why.WRONG_SHARES)
    assert vault.nobody.refused("PUT", "sys/unseal", {"key": SHARE})[0] == 400
    record = vault.stack.record()
    assert (record.operation, record.outcome) == ("system write unseal", "refused: InvalidArgument")


STEERING = [
    ("PUT", "sys/seal", None, c.SealUp),
    ("PUT", "sys/rotate", None, c.RotateRoot),
    ("PUT", "sys/rotate/keyring", None, c.RotateRoot),
    ("PUT", "sys/rotate/root", None, c.RotateRoot),
    ("GET", "sys/key-status", None, c.LookAtRoot),
    ("GET", "sys/metrics", None, c.LookAtServer),
    ("DELETE", "sys/rekey/init", None, c.CancelRekey),
    ("DELETE", "sys/generate-root/attempt", None, c.CancelRoot),
]


@pytest.mark.parametrize(("method", "path", "body", "asked"), STEERING)
def test_the_first_tenant_alone_steers_and_nothing_is_asked_that_was_refused(vault, method, path, body, asked) -> None:
    stack = vault.stack
    now = stack.clock.now()
    stack.barrier.commit(Commit(put=(Tenant(id=OTHER_TENANT, name="other", created_at=now),)))
    made = first_token(stack.barrier, OTHER_TENANT, now, stack.entropy)
    other = vaultstack.Bearer(stack, made.text.reveal().decode())
    assert other.refused(method, path, body) == (400, "operation only available in root namespace")
    assert vault.nobody.refused(method, path, body) == (403, "permission denied")
    assert not vault.custodian.heard
    assert vault.root(method, path, body).status in {200, 204}
    assert [type(one) for one in vault.custodian.heard] == [asked]


@pytest.mark.parametrize(
    ("method", "path", "needs_sudo"), [(m, p, w not in {c.LookAtRoot, c.LookAtServer}) for m, p, _, w in STEERING[:6]]
)
def test_what_a_policy_has_to_say(vault, method, path, needs_sudo) -> None:
    vault.root.policy("app", f'path "{path}" {{ capabilities = ["read", "update"] }}')
    vault.root.policy("ops", f'path "{path}" {{ capabilities = ["read", "update", "sudo"] }}')
    app, ops = (vault.root.token(policies=[name]) for name in ("app", "ops"))
    assert app(method, path).status == (403 if needs_sudo else 200)
    assert ops(method, path).status in {200, 204}


def test_without_a_custodian_nothing_is_offered() -> None:
    vault = vaultstack.door()
    words = "1 error occurred:\n\t* unsupported operation\n\n"
    for method, path, body in (
        ("PUT", "sys/seal", None),
        ("PUT", "sys/rotate", None),
        ("PUT", "sys/unseal", {"reset": True}),
        ("PUT", "sys/rekey/update", {"key": SHARE}),
        ("GET", "sys/generate-root/attempt", None),
    ):
        assert vault.root.refused(method, path, body) == (405, words)


def test_every_refusal_has_words_in_every_topic() -> None:
    everywhere = set(shares.REFUSALS)
    for words, lacking in (
        (
            sealing.WORDS,
            {Why.IN_PROGRESS, Why.NOTHING_BEGUN, Why.TO_BE_VERIFIED, Why.WRONG_NONCE},
        ),  # there is no attempt
        (rekeying.WORDS, set()),
        (rekeying.OF_VERIFYING, {Why.IN_PROGRESS}),  # nothing begins there
        (rooting.WORDS, {Why.TO_BE_VERIFIED}),  # nor is a token verified
    ):
        assert everywhere | set(words) | lacking == set(Why)


def test_sealed_it_answers_so_and_decodes_nothing(vault) -> None:
    vault.custodian.no = Sealed("sealed")
    given = {"encoded_token": "AAAA", "otp": "abc"}
    for path, body in (
        ("rekey/update", {"key": SHARE}),
        ("generate-root/update", {"key": SHARE}),
        ("decode-token", given),
    ):
        assert vault.nobody.refused("PUT", f"sys/{path}", body) == (503, "Vault is sealed")


def test_decoding(vault) -> None:
    token, pad = b"hvs.abc", b"1234567"
    hidden = b64encode(bytes(a ^ b for a, b in zip(token, pad, strict=True))).decode().rstrip("=")
    decode = {"encoded_token": hidden, "otp": pad.decode()}
    assert vault.nobody.data("PUT", "sys/decode-token", decode) == {"token": "hvs.abc"}
    assert not any(token in entry or pad in entry for entry in vault.stack.journal.lines)
    assert vault.nobody.refused("PUT", "sys/decode-token", {"encoded_token": "A" * 513, "otp": "a"})[0] == 400


def test_key_status_is_said_twice(vault) -> None:
    answer = vault.root("GET", "sys/key-status").json
    assert answer["term"] == answer["data"]["term"] == 3 and answer["install_time"] == "2026-01-01T00:00:00Z"
