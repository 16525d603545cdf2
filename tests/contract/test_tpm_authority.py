"""A TPM seal's authority, which allows other PCRs; and a TPM whose owner hierarchy has a password. Against swtpm."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace
from tests.swtpm import SoftwareTpm, software_tpm

from keystead.core.errors import Conflict, InvalidArgument, KeysteadError, Unauthenticated, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.crypto import p256
from keystead.tpm import Approval, Tpm, device
from keystead.tpm.authorizing import policy_of
from keystead.tpm.nv import FIRST

SECRET, AUTH, OTHER = Sensitive(b"u" * 32), Sensitive(b"a" * 32), Sensitive(b"b" * 32)
INDEX = FIRST + 0x4B53


def pair() -> tuple[Sensitive, bytes]:
    """(PEM private key, point)"""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return Sensitive(private), p256.point(public)


PEM, PUBLIC = pair()
OTHER_PEM, OTHER_PUBLIC = pair()


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[SoftwareTpm]:
    with software_tpm(tmp_path_factory.mktemp("tpm")) as tpm:
        yield tpm


@pytest.fixture
def tpm(running) -> Iterator[Tpm]:
    yield Tpm(running.tcti)
    left = running.tool("tpm2_getcap", "handles-transient") + running.tool("tpm2_getcap", "handles-loaded-session")
    assert left.strip() == "", "something was left in the TPM"


# --- PCRs that an authority allows


def approval(tpm, blob, pem=PEM, **changes) -> Approval:
    which = tuple(sorted(blob.pcrs))
    asked = replace(Approval(which, tpm.pcrs(which), blob.reference), **changes)
    return replace(asked, signature=p256.sign(pem, asked.signed)[1])


def test_the_policy_of_pcrs_is_what_the_tpm_makes_of_them(running, tpm) -> None:
    for which in ((7,), (0, 7, 14), tuple(range(24))):
        blob = tpm.seal(SECRET, which, PUBLIC, os.urandom(32))
        assert policy_of(which, tpm.pcrs(which)) == blob.policy
    said = running.tool("tpm2_pcrread", "sha256:7").lower()
    assert tpm.pcrs((7,))[0].hex() in said


def test_an_authority_allows_other_pcrs_and_nobody_else_does(running, tpm) -> None:
    blob = tpm.seal(SECRET, (14, 7), PUBLIC, os.urandom(32))
    assert tpm.unseal(blob).reveal() == SECRET.reveal()  # as they are, without any approval
    before = approval(tpm, blob)
    running.extend(14)
    good = approval(tpm, blob)
    flipped = bytes([good.signature[0] ^ 1]) + good.signature[1:]
    wrong = {
        "of before": [before],
        "none": [],
        "another's": [approval(tpm, blob, OTHER_PEM)],
        "another blob's": [approval(tpm, blob, reference=os.urandom(32))],
        "renamed": [replace(approval(tpm, blob, reference=bytes(32)), reference=blob.reference)],
        "altered": [replace(good, signature=flipped)],
        "empty": [replace(good, signature=b"")],
        "values": [replace(before, values=good.values)],
    }
    for what, approvals in wrong.items():
        with pytest.raises((Unauthenticated, Conflict, Unavailable)):
            tpm.unseal(blob, lambda approvals=approvals: approvals)
            pytest.fail(what)
    assert tpm.unseal(blob, lambda: [before, good]).reveal() == SECRET.reveal()
    for impostor in ({"authority": OTHER_PUBLIC}, {"reference": bytes(32)}, {"policy": good.policy}):
        changed = replace(blob, **impostor)
        approvals = [approval(tpm, changed, OTHER_PEM), approval(tpm, changed)]
        with pytest.raises(KeysteadError):
            tpm.unseal(changed, lambda approvals=approvals: approvals)
    again = tpm.seal(SECRET, (14, 7), PUBLIC, os.urandom(32))
    running.extend(14)
    of_another = approval(tpm, blob)
    with pytest.raises(Unauthenticated, match="nor approved"):
        tpm.unseal(again, lambda: [of_another])


def test_a_blob_without_an_authority_asks_for_no_approvals(running, tpm) -> None:
    blob = tpm.seal(SECRET, (14,))
    running.extend(14)
    with pytest.raises(Unauthenticated):
        tpm.unseal(blob, lambda: pytest.fail("asked"))
    for authority, reference in ((PUBLIC, b""), (PUBLIC[:-1], bytes(32)), (bytes(64), bytes(32))):
        with pytest.raises(KeysteadError):
            tpm.seal(SECRET, (14,), authority, reference)


@pytest.mark.parametrize(
    ("pcrs", "values"),
    [
        ((), ()),
        ((7,), ()),
        ((7,), (bytes(31),)),
        ((14, 7), (bytes(32),) * 2),
        ((7, 7), (bytes(32),) * 2),
        ((24,), (bytes(32),)),
    ],
)
def test_what_is_no_policy_of_pcrs(pcrs, values) -> None:
    with pytest.raises(InvalidArgument):
        policy_of(pcrs, values)


# --- a TPM whose owner hierarchy has a password


def test_an_owner_with_a_password_that_nobody_hears(tmp_path, monkeypatch) -> None:
    """Every byte between us and the TPM is recorded by the TSS's own proxy: the password is not among them."""
    monkeypatch.setattr(device, "WAYS", (*device.WAYS, "pcap"))
    monkeypatch.setenv("TCTI_PCAP_FILE", str(tmp_path / "capture"))
    with software_tpm(tmp_path / "owned") as running:
        before = Tpm(running.tcti).seal(SECRET, (7,))
        running.tool("tpm2_changeauth", "-c", "owner", "the owner's own")
        for owner in (None, lambda: Sensitive(b"another")):
            for ask in (lambda one: one.random(8), lambda one: one.seal(SECRET, (7,)), lambda one: one.unseal(before)):
                with pytest.raises(Unauthenticated, match="owner hierarchy has another"):
                    ask(Tpm(running.tcti, owner))
        tpm = Tpm(f"pcap:{running.tcti}", lambda: Sensitive(b"the owner's own"))
        assert len(tpm.random(8)) == 8 and tpm.unseal(before).reveal() == SECRET.reveal()
        assert tpm.unseal(tpm.seal(OTHER, (7,))).reveal() == OTHER.reveal()
        tpm.nv.define(INDEX, AUTH, SECRET)
        assert tpm.nv.read(INDEX, AUTH).reveal() == SECRET.reveal() and tpm.nv.indices() == (INDEX,)
        tpm.nv.undefine(INDEX)
        assert tpm.nv.indices() == ()
    seen = (tmp_path / "capture").read_bytes()
    assert len(seen) > 2000
    for secret in (b"the owner's own", SECRET.reveal(), AUTH.reveal()):
        assert secret not in seen
