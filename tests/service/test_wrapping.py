"""A wrapped answer is sealed under its token's text, which nobody keeps (service/handlers/wrapping.py)."""

from __future__ import annotations

from msgspec.structs import replace
from tests import vaultstack

from keystead.core.entities import WrappedAnswer
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Commit
from keystead.service.credentials.token import token_id
from keystead.service.handlers.wrapping import sealed_for

SECRET = "wrapped-and-not-to-be-found"


def _wrapped() -> tuple[vaultstack.Vault, str, WrappedAnswer]:
    vault = vaultstack.door()
    said = vault.root("POST", "sys/wrapping/wrap", {"secret": SECRET}, wrap="60s").json
    vault.stack.view.loop_thread = None
    (row,) = vault.stack.barrier.every(WrappedAnswer, limit=10)
    return vault, said["wrap_info"]["token"], row


def test_whoever_opens_a_backup_with_every_key_of_the_installation_reads_no_wrapped_answer() -> None:
    _, text, row = _wrapped()
    assert row.id == token_id(text)
    assert SECRET.encode() not in row.sealed


def test_the_token_opens_it_once() -> None:
    vault, text, _ = _wrapped()
    assert vault.root.data("POST", "sys/wrapping/unwrap", {"token": text}) == {"secret": SECRET}
    assert vault.root.refused("POST", "sys/wrapping/unwrap", {"token": text})[0] == 400


def test_a_rewrapped_answer_is_sealed_anew() -> None:
    vault, text, before = _wrapped()
    again = vault.root("POST", "sys/wrapping/rewrap", {"token": text}).json["wrap_info"]["token"]
    (after,) = vault.stack.barrier.every(WrappedAnswer, limit=10)
    assert after.id == token_id(again) and after.sealed != before.sealed
    assert vault.root.data("POST", "sys/wrapping/unwrap", {"token": again}) == {"secret": SECRET}


def test_an_answer_put_under_another_token_does_not_open() -> None:
    vault, text, row = _wrapped()
    other = vault.root("POST", "sys/wrapping/wrap", {"a": "b"}, wrap="60s").json["wrap_info"]["token"]
    mine = vault.stack.barrier.get(WrappedAnswer, row.id)
    theirs = vault.stack.barrier.get(WrappedAnswer, token_id(other))
    assert mine is not None and theirs is not None
    vault.stack.barrier.commit(Commit(put=(replace(theirs, sealed=mine.sealed),)))
    assert vault.root.refused("POST", "sys/wrapping/unwrap", {"token": other})[0] == 400
    assert vault.root.data("POST", "sys/wrapping/unwrap", {"token": text}) == {"secret": SECRET}


def test_the_same_answer_for_two_tokens_is_two_sealed_texts() -> None:
    one, two = sealed_for(Sensitive(b"hvs.one"), b"answer"), sealed_for(Sensitive(b"hvs.two"), b"answer")
    assert one != two
