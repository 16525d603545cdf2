"""Ed25519ph in a token (CK_EDDSA_PARAMS): who makes the SHA-512, the token or we, is tried. SoftHSM2 has none."""

import hashlib
import os

import pytest
from tests import softhsm

from keystead.core.algorithms import ALGORITHMS, KEY_SPECS, MessageForm
from keystead.core.errors import InvalidArgument, Unsupported
from keystead.crypto import keys
from keystead.crypto.sign import SCHEMES
from keystead.cryptoki.errors import Failed
from keystead.cryptoki.session import Session
from keystead.cryptoki.structures import EddsaParams
from keystead.cryptoki.words import Ckr
from keystead.providers.pkcs11 import Pkcs11Provider, making
from keystead.providers.pkcs11.bringing import Bringing
from keystead.providers.software import SoftwareProvider

SPEC, PH = KEY_SPECS["ED25519"], ALGORITHMS["ED25519PH"]
DIGEST = hashlib.sha512(b"message").digest()
HASHED = {hashlib.sha512(one).digest(): one for one in (DIGEST, bytes(range(64)))}
RAW = MessageForm.RAW


@pytest.fixture
def token():
    made = softhsm.open_token()
    yield made
    made.close()


def with_prehash(monkeypatch, token, who):
    """SoftHSM2 made to have it: `who` hashes. Its pairs are of one key that is known."""
    made = SoftwareProvider(os.urandom).generate(SPEC)
    private, plain = keys.load(SPEC, made.material.reveal()), Session.sign
    seen = []

    def pair(session, spec, by, its_id, named_by, uses=None):
        bringing = token.run(lambda desk: Bringing(session, desk.connection, os.urandom, named_by))
        one, other = (bringing.bring(spec, made.material, its_id, making.USES[spec.family]) for _ in range(2))
        return one, other, made.public_key

    def sign(session, mechanism, key, data):
        parameter = mechanism._kept[0]
        if not isinstance(parameter, EddsaParams):
            return plain(session, mechanism, key, data)
        assert (parameter.prehashed, parameter.context_length, parameter.context) == (1, 0, None)
        seen.append(data)
        if who == "token":
            return SCHEMES["ED25519PH"].sign(private, data, MessageForm.DIGEST)
        if data not in HASHED:
            raise Failed("C_Sign", Ckr.DATA_LEN_RANGE)
        return SCHEMES["ED25519PH"].sign(private, HASHED[data], MessageForm.DIGEST)

    monkeypatch.setattr(making, "pair", pair)
    monkeypatch.setattr(Session, "sign", sign)
    return seen


@pytest.mark.parametrize("who", ["token", "caller"])
def test_it_is_signed_as_the_token_has_it(monkeypatch, token, who):
    seen = with_prehash(monkeypatch, token, who)
    provider = Pkcs11Provider(token, os.urandom)
    assert provider.offers(SPEC) == {"ED25519", "ED25519PH"}
    its = os.urandom(16).hex()
    made = provider.generate(SPEC, its)
    key = provider.load(SPEC, made.material, key_id="1234abcd-12ab-34cd-56ef-1234567890ab", version=1)
    signature = key.sign(PH, DIGEST, MessageForm.DIGEST)
    assert seen[-1] == (DIGEST if who == "token" else hashlib.sha512(DIGEST).digest())
    assert key.verify(PH, DIGEST, signature, MessageForm.DIGEST)
    assert not key.verify(PH, bytes(64), signature, MessageForm.DIGEST)
    assert key.verify(ALGORITHMS["ED25519"], b"m", key.sign(ALGORITHMS["ED25519"], b"m", RAW), RAW)
    with pytest.raises(InvalidArgument):
        key.sign(PH, b"short", MessageForm.DIGEST)


def test_a_token_that_signs_without_looking_at_the_parameter_is_found_out(token):
    """SoftHSM2: what it gives is an Ed25519 signature, of another message than it would be taken for."""
    provider = Pkcs11Provider(token, os.urandom)
    assert provider.offers(SPEC) == {"ED25519"}
    with pytest.raises(Unsupported, match="software does not verify the signature"):
        provider.abilities.require(SPEC, "ED25519PH")
