"""Signed notes, checkpoints and one-record proofs: C2SP's forms, and no others."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from keystead.core.audit.checkpoint import Checkpoint, open_checkpoint, split_notes
from keystead.core.audit.merkle import Tree, inclusion, leaf_hash
from keystead.core.audit.note import Note, Signature, VerifierKey, sign, verifier_key
from keystead.core.audit.proof import Proof
from keystead.core.errors import InvalidArgument, KeysteadError, Malformed, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.crypto.notes import NoteSigner, verify_ed25519

SIGNER = NoteSigner("keystead.test/audit", Sensitive(bytes(range(32))))
OTHER = NoteSigner("keystead.test/audit", Sensitive(bytes(32)))
KEY = verifier_key(SIGNER)
CHECKPOINT = Checkpoint("keystead.test/audit", 20852163, bytes(range(32)))
NOTE = CHECKPOINT.sign(SIGNER)

# golang.org/x/mod/sumdb/note, the package documentation's example: an implementation that is not ours.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()

# c2sp.org/tlog-checkpoint, the example.
C2SP_NOTE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
).encode()


def test_a_note_of_another_implementation_verifies() -> None:
    key = VerifierKey.parse(GO_KEY)
    assert str(key) == GO_KEY
    note = Note.parse(GO_NOTE)
    note.require(key, verify_ed25519)
    assert note.encode() == GO_NOTE
    with pytest.raises(Unauthenticated):
        Note.parse(GO_NOTE.replace(b"answer", b"ansver")).require(key, verify_ed25519)


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\x9b2J", "a\u202eb", "a\x07"])
def test_no_name_of_a_key_moves_a_cursor(name) -> None:
    """It comes beside a log of which nothing is believed yet, and is shown to people."""
    with pytest.raises(Malformed):
        VerifierKey.parse(str(VerifierKey(name, KEY.public_key)))


def test_the_example_of_the_specification_parses() -> None:
    note = Note.parse(C2SP_NOTE)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert note.encode() == C2SP_NOTE


def test_round_trip() -> None:
    assert open_checkpoint(NOTE, KEY, verify_ed25519) == CHECKPOINT
    assert CHECKPOINT.sign(SIGNER) == NOTE


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_any_checkpoint_survives(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("keystead.test/audit", size, root)
    assert open_checkpoint(checkpoint.sign(SIGNER), KEY, verify_ed25519) == checkpoint


def test_every_flipped_bit_and_every_cut_is_refused() -> None:
    for at in range(len(NOTE)):
        for bit in range(8):
            forged = bytearray(NOTE)
            forged[at] ^= 1 << bit
            with pytest.raises(KeysteadError):
                open_checkpoint(bytes(forged), KEY, verify_ed25519)
        with pytest.raises(KeysteadError):
            open_checkpoint(NOTE[:at], KEY, verify_ed25519)


def test_only_the_right_key_counts() -> None:
    with pytest.raises(Unauthenticated):
        open_checkpoint(CHECKPOINT.sign(OTHER), KEY, verify_ed25519)
    cosigned = sign(CHECKPOINT.text(), [OTHER, SIGNER])  # an unknown key's line is passed over
    assert open_checkpoint(cosigned, KEY, verify_ed25519) == CHECKPOINT
    note = Note.parse(cosigned)
    bad = replace(note.signatures[0], key_id=KEY.id)  # ours by name and id, and it does not verify
    with pytest.raises(Unauthenticated):
        open_checkpoint(replace(note, signatures=(bad, note.signatures[1])).encode(), KEY, verify_ed25519)


def test_a_checkpoint_of_another_log_is_refused() -> None:
    with pytest.raises(Malformed):
        open_checkpoint(sign(replace(CHECKPOINT, origin="example.com/other").text(), [SIGNER]), KEY, verify_ed25519)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "keystead.test/audit\n",
        CHECKPOINT.text() + "extension\n",
        CHECKPOINT.text().removesuffix("\n"),
        CHECKPOINT.text().replace("20852163", "020852163"),
        CHECKPOINT.text().replace("20852163", "-1"),
        CHECKPOINT.text().replace("20852163", "+1"),
        CHECKPOINT.text().replace("20852163", "2_0"),
        CHECKPOINT.text().replace("20852163", "\N{ARABIC-INDIC DIGIT ONE}"),
        CHECKPOINT.text().replace("20852163", str(2**63)),
        CHECKPOINT.text().replace("20852163", ""),
        CHECKPOINT.text().replace("=", ""),
        f"keystead.test/audit\n1\n{b64encode(bytes(31)).decode()}\n",
        CHECKPOINT.text().replace("keystead.test/audit", ""),
    ],
)
def test_a_checkpoint_has_one_form(text: str) -> None:
    with pytest.raises(Malformed):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"text\n",
        b"text\n\n",
        NOTE.replace(b"\n\n", b"\n"),
        NOTE + b"\n",
        NOTE.removesuffix(b"\n"),
        NOTE.replace(b"\xe2\x80\x94", b"-"),
        NOTE.replace("— ".encode(), "—".encode()),
        NOTE.replace(b"keystead.test/audit", b"keystead.test\t/audit"),
        NOTE.replace(b"keystead.test/audit\n", b"keystead.test\r/audit\n"),
        NOTE.replace("— keystead.test".encode(), "— keystead+test".encode()),
        NOTE + b"\xff",
        NOTE + "— x AAAA\n".encode(),
        NOTE + "— x !!!!\n".encode(),
        NOTE + "— keystead.test/audit AAAAAAA\n".encode() * 64,
    ],
)
def test_a_note_has_one_form(note: bytes) -> None:
    with pytest.raises(KeysteadError):
        open_checkpoint(note, KEY, verify_ed25519)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        GO_KEY + "\n",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY[:-4],
    ],
)
def test_a_verifier_key_has_one_form(text: str) -> None:
    with pytest.raises(Malformed):
        VerifierKey.parse(text)


def test_a_key_of_another_type_is_refused() -> None:
    with pytest.raises(Malformed):
        VerifierKey.parse("x+00000000+" + b64encode(b"\x04" + bytes(32)).decode())


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\N{NO-BREAK SPACE}b", "a\x00b"])
def test_a_key_name_can_stand_in_a_note(name: str) -> None:
    with pytest.raises(InvalidArgument):
        verifier_key(NoteSigner(name, Sensitive(bytes(32))))


def test_a_signer_shows_no_seed() -> None:
    assert repr(SIGNER) == "NoteSigner('keystead.test/audit')"
    assert not verify_ed25519(b"short", bytes(64), b"")


def test_a_history_is_split_into_its_notes() -> None:
    notes = [replace(CHECKPOINT, size=n).sign(SIGNER) for n in range(3)]
    lines = b"".join(note + b"\n" for note in notes).splitlines(keepends=True)
    assert list(split_notes(lines)) == notes
    assert list(split_notes(lines[:-2])) == notes[:2]  # one that is being written


def test_a_signature_line_prints() -> None:
    assert str(Signature("x", bytes(4), b"ab")) == "— x AAAAAGFi\n"


# --- proofs of one record


def proof(index: int, n: int) -> Proof:
    leaves = [leaf_hash(b"record %d" % i) for i in range(n)]
    tree = Tree()
    files = dict(enumerate(tree.extend(leaves)))
    note = Checkpoint("keystead.test/audit", n, tree.root()).sign(SIGNER)
    path = inclusion(index, n, lambda level, first, count: files[level][first : first + count])
    return Proof(b"record %d" % index, index, tuple(path), note)


@pytest.mark.parametrize("index, n", [(0, 1), (0, 2), (6, 7), (255, 300), (256, 300), (299, 300)])
def test_a_proof_proves(index: int, n: int) -> None:
    text = proof(index, n).encode()
    assert text.startswith(b"c2sp.org/tlog-proof@v1\nextra ")
    parsed = Proof.parse(text)
    assert parsed == proof(index, n)
    assert parsed.require(KEY, verify_ed25519).size == n
    assert parsed.record == b"record %d" % index


def test_every_changed_byte_of_a_proof_is_found() -> None:
    text = proof(5, 11).encode()
    for at in range(len(text)):
        for bit in range(8):
            forged = bytearray(text)
            forged[at] ^= 1 << bit
            with pytest.raises(KeysteadError):
                Proof.parse(bytes(forged)).require(KEY, verify_ed25519)
        with pytest.raises(KeysteadError):
            Proof.parse(text[:at]).require(KEY, verify_ed25519)


def test_a_proof_of_another_record_is_refused() -> None:
    forged = replace(proof(5, 11), record=b"record 6")
    with pytest.raises(Unauthenticated):
        forged.require(KEY, verify_ed25519)
    with pytest.raises(Unauthenticated):
        replace(proof(5, 11), index=6).require(KEY, verify_ed25519)
    with pytest.raises(KeysteadError):
        proof(5, 11).require(verifier_key(OTHER), verify_ed25519)
