"""A key pair that an operator has made in SoftHSM2, used through Vault's managed keys with `bao` in front."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from tests import softhsm
from tests.clients.vault import Vault
from tests.servers import Done, serving

from keystead.app.development import save_token
from keystead.app.installation import initialise, prepare, save_credentials
from keystead.config import Config, Hsm
from keystead.seals.file import FileSeal

pytestmark = pytest.mark.client
PIN, LABEL, AT = "operators-pin", "payments", "sys/managed-keys/pkcs11/payments"
Bao = Callable[..., str]


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    tmp_path = tmp_path_factory.mktemp("managed")
    token = softhsm.new_token(pin=PIN)
    if shutil.which("pkcs11-tool") is None:
        (pytest.fail if os.environ.get("KEYSTEAD_EVERY_CLIENT") else pytest.skip)("opensc is not installed")
    words = ["--module", softhsm.module(), "--token-label", token, "--login", "--pin", PIN]
    make = ["--keypairgen", "--key-type", "rsa:2048", "--label", LABEL, "--id", "07", "--usage-sign"]
    subprocess.run(["pkcs11-tool", *words, *make], check=True, capture_output=True)
    pin, directory = tmp_path / "pin", tmp_path / "data"
    pin.write_text(PIN)
    prepare(directory)
    settings = Config(hsms={"luna": Hsm(module=softhsm.module(), token=token, pin=f"file:{pin}")})
    save_credentials(directory, initialise(directory, settings, FileSeal.create(directory, os.urandom)))
    save_token(directory)
    with serving("dev", directory, "--listen", "vault=127.0.0.1:0", errors=tmp_path / "errors") as server:
        at = Vault(server)
        yield lambda *words: said(at.bao(tmp_path, *words))


def said(done: Done) -> str:
    assert done.status == 0, done.err
    return done.out


@pytest.fixture(scope="module")
def managed(bao: Bao) -> None:
    bao("write", AT, "library=luna", f"pin={PIN}", f"key_label={LABEL}", "mechanism=0x0001")
    assert json.loads(bao("read", "-format=json", AT))["data"]["pin"] == "redacted"
    bao("write", "-f", f"{AT}/test/sign")
    bao("secrets", "enable", "-path=held", "transit")
    bao("write", "sys/mounts/held/tune", "allowed_managed_keys=payments")
    bao("write", "held/keys/pay", "type=managed_key", "managed_key_name=payments")


def test_it_signs_and_openssls_library_verifies(bao: Bao, managed: None) -> None:
    told = json.loads(bao("read", "-format=json", "held/keys/pay"))["data"]
    public = serialization.load_pem_public_key(told["keys"]["1"]["public_key"].encode())
    hello = b64encode(b"hello").decode()
    words = ("write", "-field=signature", "held/sign/pay", f"input={hello}", "signature_algorithm=pkcs1v15")
    signature = b64decode(bao(*words).strip().rpartition(":")[2])
    public.verify(signature, b"hello", padding.PKCS1v15(), hashes.SHA256())
    assert told["type"] == "managed_key"


def test_its_object_is_there_when_the_key_is_gone(bao: Bao, managed: None) -> None:
    bao("write", "held/keys/pay/config", "deletion_allowed=true")
    bao("delete", "held/keys/pay")
    bao("write", "-f", f"{AT}/test/sign")
