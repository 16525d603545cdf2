"""keystead key attest: printed with a server and without, verified offline."""

from __future__ import annotations

from tests.servers import at_once

from keystead.core.audit.note import VerifierKey


def test_an_attestation_is_printed_and_verified_offline(ks, tmp_path) -> None:
    id_ = ks("key", "create").out.strip()
    file = tmp_path / "note"
    assert ks("key", "attest", id_, "-o", file).status == 0
    text = file.read_text()
    assert f"\nkey {id_}\n" in text and "\nprotection software\n" in text
    done = ks("key", "attest", "--verify", file, "--json")
    assert done.json["key"] == id_ and done.json["log"].startswith("keystead/")
    file.write_text(text.replace("protection software", "protection hsm"))
    done = ks("key", "attest", "--verify", file)
    assert done.status == 6 and "proves nothing" in done.err


def test_it_is_held_to_a_key_from_elsewhere(server, tmp_path) -> None:
    id_ = server("key", "create").out.strip()
    file = tmp_path / "note"
    file.write_text(server("key", "attest", id_).out)
    beside = (server.directory / "audit" / "key.pub").read_text().strip()
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    done = at_once("key", "attest", "--verify", file, "--key", beside, "--data", nowhere)
    assert done.status == 0 and id_ in done.out
    other = str(VerifierKey(VerifierKey.parse(beside).name, bytes(32)))
    assert at_once("key", "attest", "--verify", file, "--key", other, "--data", nowhere).status == 6


def test_one_of_the_two_is_asked_for(ks, tmp_path) -> None:
    assert ks("key", "attest").status == ks("key", "attest", "x", "--verify", tmp_path / "note").status == 2
