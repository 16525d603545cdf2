"""Rates, per principal and per source (research/security.md §4, row 65)."""

from datetime import timedelta

import pytest
from tests import harness

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
