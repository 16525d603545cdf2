"""Keying material made and wrapped with the commands of the Developer Guide, "Step 3: Encrypt the key material"."""

import subprocess

import pytest
from tests.clients.test_boto3 import create

pytestmark = pytest.mark.client
OAEP = ("rsa_padding_mode:oaep", "rsa_oaep_md:{0}", "rsa_mgf1_md:{0}")
PAIRS = {
    "RSA_2048": ("RSA", "rsa_keygen_bits:2048"),
    "ECC_NIST_P384": ("EC", "ec_paramgen_curve:P-384"),
    "ECC_SECG_P256K1": ("EC", "ec_paramgen_curve:secp256k1"),
}


@pytest.fixture
def kms(aws):
    return aws("kms")


@pytest.fixture
def openssl(tmp_path):
    """Runs OpenSSL in a directory of its own; what it wrote to `out`."""

    def run(command: str, *words: str, **files: bytes) -> bytes:
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        subprocess.run(["openssl", command, "-out", "out", *words], cwd=tmp_path, check=True, capture_output=True)
        return (tmp_path / "out").read_bytes()

    return run


def wrapped_by(openssl, public_key: bytes, digest: str, text: bytes) -> bytes:
    options = [word for option in OAEP for word in ("-pkeyopt", option.format(digest))]
    asked = ("pkeyutl", "-encrypt", "-in", "text", "-inkey", "key", "-keyform", "DER", "-pubin", *options)
    return openssl(*asked, text=text, key=public_key)


def imported(kms, key_id, given, wrapped) -> None:
    asked = {"KeyId": key_id, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": wrapped}
    kms.import_key_material(**asked, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")


@pytest.mark.parametrize("digest", ["SHA_1", "SHA_256"])
def test_a_symmetric_key(kms, openssl, digest) -> None:
    key_id = create(kms, Origin="EXTERNAL")
    given = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm=f"RSAES_OAEP_{digest}", WrappingKeySpec="RSA_2048"
    )
    material = openssl("rand", "32")
    imported(kms, key_id, given, wrapped_by(openssl, given["PublicKey"], digest.replace("_", "").lower(), material))
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


@pytest.mark.parametrize(("digest", "spec"), list(zip(["SHA_1", "SHA_256", "SHA_256"], PAIRS, strict=True)))
def test_a_pair(kms, openssl, digest, spec) -> None:
    key_id = create(kms, Origin="EXTERNAL", KeySpec=spec, KeyUsage="SIGN_VERIFY")
    given = kms.get_parameters_for_import(
        KeyId=key_id, WrappingAlgorithm=f"RSA_AES_KEY_WRAP_{digest}", WrappingKeySpec="RSA_3072"
    )
    kind, option = PAIRS[spec]
    private = openssl("genpkey", "-algorithm", kind, "-pkeyopt", option, "-outform", "DER")
    aes = openssl("rand", "32")
    behind = ("enc", "-id-aes256-wrap-pad", "-K", aes.hex(), "-iv", "A65959A6", "-in", "text")  # RFC 5649 §3
    wrapped = wrapped_by(openssl, given["PublicKey"], digest.replace("_", "").lower(), aes)
    imported(kms, key_id, given, wrapped + openssl(*behind, text=private))
    public = openssl("pkey", "-inform", "DER", "-in", "text", "-pubout", "-outform", "DER", text=private)
    assert kms.get_public_key(KeyId=key_id)["PublicKey"] == public
