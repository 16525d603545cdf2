"""Key pairs in a token that somebody else has named (providers.pkcs11.adopting), against SoftHSM2 and pkcs11-tool."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from tests import softhsm
from tests.softhsm import open_token

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, MessageForm, Purpose
from keystead.core.errors import Conflict, InvalidArgument, NotFound
from keystead.cryptoki.words import Cka
from keystead.providers.pkcs11 import Pkcs11Provider

RSA = [KEY_SPECS["RSA_2048"], KEY_SPECS["RSA_3072"], KEY_SPECS["RSA_4096"]]
EC = [KEY_SPECS["EC_P256"], KEY_SPECS["EC_P384"]]
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture
def token():
    return open_token()


@pytest.fixture
def provider(token):
    return Pkcs11Provider(token, os.urandom)


def theirs(token, label: str, kind: str, its_id: str = "01") -> None:
    """A key pair as an operator makes one."""
    if shutil.which("pkcs11-tool") is None:
        (pytest.fail if os.environ.get("KEYSTEAD_EVERY_CLIENT") else pytest.skip)("opensc is not installed")
    words = ["--module", softhsm.module(), "--token-label", token.name, "--login", "--pin", softhsm.PIN]
    make = ["--keypairgen", "--key-type", kind, "--label", label, "--id", its_id, "--usage-sign"]
    subprocess.run(["pkcs11-tool", *words, *make], check=True, capture_output=True)


def signs(provider, spec, made) -> bool:
    loaded = provider.load(spec, made.material, key_id=KEY_ID, version=1)
    algorithm = next(ALGORITHMS[name] for name in spec.algorithms if ALGORITHMS[name].purpose is Purpose.SIGNATURE)
    signature = loaded.sign(algorithm, b"message", MessageForm.RAW)
    public = provider.load_public(spec, made.public_key)
    return public.verify(algorithm, b"message", signature, MessageForm.RAW)


@pytest.mark.parametrize(("kind", "specs", "name"), [("rsa:2048", RSA, "RSA_2048"), ("EC:secp384r1", EC, "EC_P384")])
def test_what_an_operator_has_made_is_found_and_used(token, provider, kind, specs, name) -> None:
    theirs(token, "their key", kind)
    for label, its_id in (("their key", b""), ("", b"\x01"), ("their key", b"\x01")):
        spec, made = provider.adopt(specs, label, its_id, make=False)
        assert spec.name == name and signs(provider, spec, made)
    again = Pkcs11Provider(token, os.urandom)  # another process
    assert signs(again, spec, made)
    facts = again.facts(spec, made.material)
    assert facts["made_by"] == "another" and facts["never_extractable"] == "true"


def test_where_there_is_none_one_is_made_if_that_is_allowed(token, provider) -> None:
    with pytest.raises(NotFound):
        provider.adopt(EC[:1], "mine", b"", make=False)
    with pytest.raises(NotFound):
        provider.adopt(EC, "mine", b"", make=True)  # which of them, nobody says
    with pytest.raises(NotFound):
        provider.adopt(EC[:1], "mine", b"\x07", make=True)  # an id is the HSM's to give
    spec, made = provider.adopt(EC[:1], "mine", b"", make=True)
    assert signs(provider, spec, made)
    assert provider.adopt(EC[:1], "mine", b"", make=True)[1].public_key == made.public_key
    assert {one.label for one in token.names({Cka.TOKEN: True})} == {"mine"}


def test_it_is_never_erased_by_its_name(token, provider) -> None:
    _, made = provider.adopt(EC[:1], "mine", b"", make=True)
    (its_id,) = {one.id for one in token.names({Cka.TOKEN: True})}
    provider.destroy(its_id.hex())
    assert len(token.names({Cka.TOKEN: True})) == 2
    assert signs(provider, EC[0], made)


def test_what_is_not_taken(token, provider) -> None:
    theirs(token, "their key", "rsa:2048")
    for specs in (RSA[1:], EC):
        with pytest.raises(InvalidArgument):
            provider.adopt(specs, "their key", b"", make=True)
    theirs(token, "their key", "rsa:2048", "02")
    with pytest.raises(Conflict):
        provider.adopt(RSA, "their key", b"", make=False)
    assert provider.adopt(RSA, "their key", b"\x02", make=False)
    provider.generate(EC[0], "ab" * 16)
    with pytest.raises(InvalidArgument):
        provider.adopt(EC, "keystead", b"", make=False)
