"""Rates, per principal and per source (research/security.md §4, row 65)."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker
from msgspec.structs import replace
from tests import harness
from tests.servers import keystead, serving
from tests.wireclient import WireClient

from keystead import config
from keystead.core.errors import InvalidArgument
from keystead.service.rates import Rates, Throttle


def limited(**rates: int) -> tuple[harness.Stack, harness.Person, str]:
    stack = harness.stack()
    key = stack.key()
    stack.means.authenticator._throttle = Throttle(Rates(**rates), lambda: True)
    return stack, stack.user("alice", policy=harness.ALLOW_ALL), key.id


def test_row_65_a_principal_beyond_its_rate_is_refused_on_record_and_only_for_a_second() -> None:
    stack, alice, key = limited(principal=3)
    codes = [alice.call("Encrypt", KeyId=key, Plaintext=b"x").code for _ in range(5)]
    assert codes == [None, None, None, "ThrottlingException", "ThrottlingException"]
    assert stack.record().outcome == "refused: RateLimited"
    assert stack.admin.call("Encrypt", KeyId=key, Plaintext=b"x").code is None, "it is nobody else's"
    stack.clock.forward(timedelta(seconds=1))
    assert alice.call("Encrypt", KeyId=key, Plaintext=b"x").code is None


def test_row_65_a_source_of_bad_signatures_waits_and_costs_no_verification(monkeypatch) -> None:
    stack, alice, key = limited(source=2)
    mallory = harness.Person(stack, alice.principal, alice.access_key_id, b"not the secret", None)
    codes = [mallory.call("Encrypt", KeyId=key, Plaintext=b"x").code for _ in range(2)]
    assert codes == ["InvalidSignatureException"] * 2
    verify = stack.means.authenticator._sigv4.verify
    monkeypatch.setattr(stack.means.authenticator._sigv4, "verify", lambda *_: pytest.fail("verified"))
    assert mallory.call("Encrypt", KeyId=key, Plaintext=b"x").code == "ThrottlingException"
    assert stack.record().outcome == "refused: RateLimited"
    monkeypatch.setattr(stack.means.authenticator._sigv4, "verify", verify)
    stack.clock.forward(timedelta(seconds=1))
    assert alice.call("Encrypt", KeyId=key, Plaintext=b"x").code is None


def test_row_65_the_words_and_codes_are_those_that_clients_wait_at() -> None:
    """botocore's standard and adaptive retries know a throttled request by its code."""
    _, alice, key = limited(principal=1)
    assert alice.call("Encrypt", KeyId=key, Plaintext=b"x").code is None
    reply = alice.call("Encrypt", KeyId=key, Plaintext=b"x")
    assert (reply.status, reply.code) == (400, "ThrottlingException")
    assert reply.message == (
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
    )
    codes = {"ThrottlingException"}
    for service, action in (("sts", "get_caller_identity"), ("iam", "list_users")):
        with pytest.raises(ClientError) as caught:
            getattr(alice.client(service), action)()
        said = caught.value.response
        assert said["ResponseMetadata"]["HTTPStatusCode"] == 400 and said["Error"]["Message"] == "Rate exceeded"
        codes.add(said["Error"]["Code"])
    assert codes == {"ThrottlingException", "Throttling"} <= set(ThrottledRetryableChecker._THROTTLED_ERROR_CODES)


@pytest.mark.parametrize("rate", ["principal", "source"])
def test_row_65_the_limited_are_on_record_by_who_they_say_they_are_and_from_where(rate) -> None:
    stack, alice, key = limited(**{rate: 1})
    wrong = harness.Person(stack, alice.principal, alice.access_key_id, b"not the secret", None)
    for _ in range(2):
        reply = (alice if rate == "principal" else wrong).call("Encrypt", KeyId=key, Plaintext=b"secret text")
    assert reply.code == "ThrottlingException"
    record = stack.record()
    assert record.outcome == "refused: RateLimited" and record.operation == "TrentService.Encrypt"
    assert record.who.via == alice.access_key_id and record.source == harness.PEER
    assert b"secret" not in stack.journal.lines[-1]


def test_row_65_one_source_does_not_wait_for_another() -> None:
    stack, alice, key = limited(source=1)
    wrong = harness.Person(stack, alice.principal, alice.access_key_id, b"not the secret", None)
    request = wrong.signed({"X-Amz-Target": "TrentService.ListKeys"}, b"{}")
    codes = [
        harness.Reply.of(stack.serve(replace(request, peer=peer))).code
        for peer in ("192.0.2.1", "192.0.2.2")
        for _ in "ab"
    ]
    assert codes == ["InvalidSignatureException", "ThrottlingException"] * 2
    assert alice.call("Encrypt", KeyId=key, Plaintext=b"x").code is None


def test_row_65_what_is_kept_of_who_came_is_dropped_each_second() -> None:
    throttle = Throttle(Rates(source=3), lambda: True)
    for second in range(3):
        for n in range(100):
            throttle.refused(f"192.0.2.{n}", second)
        assert len(throttle._sources._counts) == 100


@pytest.mark.client
def test_row_65_a_server_keeps_to_the_rates_it_is_given(tmp_path) -> None:
    directory = tmp_path / "data"
    with serving("dev", directory):
        pass
    with (directory / config.FILE_NAME).open("a") as file:
        file.write("rates = { principal = 5 }\n")
    with serving("dev", directory) as server:
        client = WireClient.administrator(server("env", "aws", "--json").json)
        key_id = client.call("CreateKey").body["KeyMetadata"]["KeyId"]
        answers = [client.call("Encrypt", KeyId=key_id, Plaintext=b"x") for _ in range(200)]
        client.close()
    errors = {answer.error for answer in answers}
    assert errors == {"", "ThrottlingException"}
    assert all(answer.status == 400 for answer in answers if answer.error)
    records = keystead("audit", "tail", "-n", "250", "--json", "--data", directory).out
    assert records.count("refused: RateLimited") == sum(bool(answer.error) for answer in answers)


def test_a_request_that_waits_for_a_thread_is_counted_once() -> None:
    on_loop = [True]
    throttle = Throttle(Rates(principal=1), lambda: on_loop[0])
    throttle.known("alice", 7)
    on_loop[0] = False
    throttle.known("alice", 7)


def test_rates_are_read_from_the_configuration(tmp_path) -> None:
    (tmp_path / "keystead.toml").write_text("rates = { principal = 100 }\n")
    assert config.read(tmp_path).rates == Rates(principal=100)
    (tmp_path / "keystead.toml").write_text("rates = { principle = 100 }\n")
    with pytest.raises(InvalidArgument, match="principle"):
        config.read(tmp_path)
