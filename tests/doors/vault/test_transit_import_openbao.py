"""Imported keys beside a real OpenBao: the same material wrapped for each, and their answers compared."""

from __future__ import annotations

import json
import os

import pytest
from tests.doors.vault import parcels
from tests.doors.vault.test_transit_openbao import sides
from tests.openbao import openbao

pytestmark = pytest.mark.client
PAIRS = {kind: parcels.pair(kind) for kind in ("rsa-2048", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "ed25519")}
PKCS8 = {kind: parcels.pkcs8(key) for kind, key in PAIRS.items()}
PEM = {kind: parcels.public_pem(key) for kind, key in PAIRS.items()}
RAW = {n: os.urandom(n) for n in (16, 31, 32, 33, 48, 64, 512, 513)}
HELLO = "aGVsbG8="


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    with openbao(tmp_path_factory.mktemp("openbao")) as peer:
        yield peer


@pytest.fixture(scope="module")
def both(peer):
    found = sides(peer)
    for side in found:
        side.same_material = True
        side.ask("GET", "transit/wrapping_key", "", {"pem": "public_key"})
    return found


def body(side, fields) -> str:
    made = {}
    for name, value in fields.items():
        if name == "wraps":
            material, *how = value if isinstance(value, tuple) else (value,)
            made["ciphertext"] = parcels.wrapped(side.kept["pem"], material, *how)
        else:
            made[name] = side.kept.get(value[1:-1], value) if isinstance(value, str) else value
    return json.dumps(made)


def post(path, **fields):
    return "POST", f"transit/{path}", fields, {}


def get(path):
    return "GET", f"transit/{path}", {}, {}


FORMATTED = [
    *((kind, part, "") for kind in PAIRS for part in ("signing-key", "public-key")),
    ("rsa-2048", "encryption-key", "/1"),
    ("ecdsa-p256", "encryption-key", ""),
    ("mac48", "hmac-key", "/latest"),
    ("ed25519", "public-key", "/v1"),
    ("mac33", "hmac-key", ""),
    ("mac33", "public-key", ""),
    ("xchacha", "encryption-key", "/latest"),
    ("a", "encryption-key", ""),
    ("a", "certificate-chain", ""),
    ("rsa-2048", "certificate-chain", ""),
    ("rsa-2048", "certificate-chain", "/0"),
    ("rsa-2048", "certificate-chain", "/7"),
    ("nope", "certificate-chain", ""),
    ("nope", "public-key", ""),
]
"""(key, what of it, version): in every format, also in those that it has not."""
STEPS = [
    post("keys/a/import", wraps=RAW[32]),
    get("keys/a"),
    post("keys/a/import", wraps=RAW[32]),
    post("keys/a/rotate"),
    post("keys/a/import_version", wraps=RAW[32]),
    post("keys/a/import_version", wraps=RAW[16]),
    get("keys/a"),
    ("POST", "transit/encrypt/a", {"plaintext": HELLO}, {"sealed": "ciphertext"}),
    post("decrypt/a", ciphertext="{sealed}"),
    post("keys/b/import", wraps=RAW[16]),
    post("keys/b/import", ciphertext="!!"),
    post("keys/b/import", ciphertext="YQ=="),
    post("keys/b/import", ciphertext="A" * 800),
    post("keys/b/import", wraps=(RAW[32], "SHA1")),
    post("keys/b/import", wraps=RAW[32], hash_function="MD5"),
    post("keys/b/import", wraps=RAW[32], type="foo"),
    post("keys/b/import", wraps=RAW[32], convergent_encryption=True),
    post("keys/b/import", wraps=RAW[32], auto_rotate_period="24h"),
    post("keys/b/import"),
    post("keys/b/import", type="rsa-2048"),
    post("keys/b/import", type="rsa-2048", public_key="x"),
    post("keys/b/import", public_key=PEM["rsa-2048"]),
    post("keys/b/import_version", wraps=RAW[32]),
    *(post(f"keys/h-{h}/import", wraps=(RAW[32], h), hash_function=h) for h in parcels.HASHES),
    post("keys/lower/import", wraps=(RAW[32], "SHA512"), hash_function="sha512"),
    post("keys/aes128/import", wraps=RAW[16], type="AES128-gcm96"),
    post("keys/chacha/import", wraps=RAW[32], type="chacha20-poly1305"),
    post("keys/xchacha/import", wraps=RAW[32], type="xchacha20-poly1305", exportable=True),
    post("keys/xchacha16/import", wraps=RAW[16], type="xchacha20-poly1305"),
    *(post(f"keys/mac{n}/import", wraps=RAW[n], type="hmac", exportable=True) for n in (32, 33, 48, 64, 512)),
    get("keys/mac33"),
    get("keys/mac48"),
    post("keys/mac513/import", wraps=RAW[513], type="hmac"),
    post("keys/mac31/import", wraps=RAW[31], type="hmac"),
    *(post(f"keys/{kind}/import", wraps=PKCS8[kind], type=kind, exportable=True) for kind in PAIRS),
    *(get(f"keys/{kind}") for kind in PAIRS),
    *(post(f"keys/{kind}/import_version", wraps=PKCS8[kind], version=1) for kind in PAIRS),
    post("keys/rsa-2048/import_version", wraps=PKCS8["rsa-2048"], version=7),
    post("keys/a/import_version", wraps=RAW[32], version=1),
    # allowed to rotate: then it is a key like any other
    post("keys/r/import", wraps=RAW[32], allow_rotation=True, auto_rotate_period="24h"),
    get("keys/r"),
    post("keys/r/rotate"),
    post("keys/r/import_version", wraps=RAW[32]),
    post("keys/none/import_version", wraps=RAW[32]),
    post("keys/made"),
    post("keys/made/import_version", wraps=RAW[32]),
    # public halves
    *(post(f"keys/p-{kind}/import", public_key=PEM[kind], type=kind) for kind in PAIRS),
    *(get(f"keys/p-{kind}") for kind in PAIRS),
    ("POST", "transit/sign/rsa-2048", {"input": HELLO}, {"signed": "signature"}),
    post("verify/p-rsa-2048", input=HELLO, signature="{signed}"),
    post("verify/p-rsa-2048", input="YQ==", signature="{signed}"),
    ("POST", "transit/encrypt/p-rsa-2048", {"plaintext": HELLO}, {"oaep": "ciphertext"}),
    post("decrypt/rsa-2048", ciphertext="{oaep}"),
    post("decrypt/p-rsa-2048", ciphertext="{oaep}"),
    post("sign/p-rsa-2048", input=HELLO),
    post("sign/p-ecdsa-p256", input=HELLO),
    post("sign/p-ed25519", input=HELLO),
    post("keys/p-rsa-2048/import_version", public_key=PEM["rsa-2048"], version=1),
    post("keys/p-ecdsa-p256/import_version", wraps=parcels.pkcs8(parcels.pair("ecdsa-p256")), version=1),
    post("keys/p-ecdsa-p256/import_version", wraps=PKCS8["ecdsa-p256"], version=1),
    post("sign/p-ecdsa-p256", input=HELLO),
    get("keys/p-ecdsa-p256"),
    post("keys/p-ed25519/import_version", wraps=PKCS8["ed25519"]),
    get("keys/p-ed25519"),
    post("keys/p-ed25519/import_version", wraps=PKCS8["ed25519"]),
    get("keys/p-ed25519"),
    post("keys/p-ed25519/import_version", public_key=PEM["ed25519"]),
    # out again, to the letter: it is the same material
    *(
        get(f"export/{part}/{kind}{version}?format={form}")
        for kind, part, version in FORMATTED
        for form in ("", "raw", "der", "pem", "x")
    ),
    get("byok-export/rsa-2048/none"),
    get("byok-export/none/rsa-2048"),
    get("byok-export/rsa-2048/a"),
    get("byok-export/a/rsa-2048"),
    get("byok-export/ecdsa-p256/rsa-2048"),
    get("byok-export/rsa-2048/ed25519"),
    get("byok-export/p-rsa-2048/ed25519/latest"),
    get("byok-export/p-rsa-2048/ed25519/v1"),
    get("byok-export/p-rsa-2048/ed25519/2"),
    get("byok-export/p-rsa-2048/ed25519/0"),
    get("byok-export/p-rsa-2048/ed25519/x"),
    get("byok-export/p-rsa-2048/ed25519?hash=SHA1"),
    get("byok-export/p-rsa-2048/ed25519?hash=MD5"),
    ("LIST", "transit/keys", {}, {}),  # where OpenBao has a folder of its own, "import/"
]
PARSING = [
    # Go's words for what is no key of that type; ours say it otherwise, with the same status and beginning
    post("keys/x/import", wraps=PKCS8["ecdsa-p256"], type="rsa-2048"),
    post("keys/x/import", wraps=PKCS8["rsa-2048"], type="rsa-4096"),
    post("keys/x/import", wraps=PKCS8["ecdsa-p256"], type="ecdsa-p384"),
    post("keys/x/import", wraps=b"junk of a few bytes", type="ed25519"),
    post("keys/x/import", public_key=PEM["rsa-2048"], type="rsa-4096"),
    post("keys/x/import", public_key=PEM["rsa-2048"], type="ed25519"),
]


def told(answer, path):
    """Parcels are as different as two ciphertexts are."""
    status, data, *rest = answer
    if data and "export/" in path and "byok" not in path:
        return answer
    if data and isinstance(data.get("keys"), dict):
        data["keys"] = {n: ("…" if isinstance(v, str) and len(v) > 100 else v) for n, v in data["keys"].items()}
    if data and isinstance(data.get("keys"), list):
        data["keys"] = [name for name in data["keys"] if name != "import/"]
    return status, data, *rest


def test_both_answer_alike(both):
    differing = []
    for method, path, fields, keep in STEPS:
        mine, other = (told(side.ask(method, path, body(side, fields) if fields else "", keep), path) for side in both)
        if mine != other:
            differing.append(f"{method} {path} {str(fields)[:150]}\n  ours   {mine}\n  theirs {other}")
    assert not differing, f"{len(differing)} of {len(STEPS)} differ:\n" + "\n".join(differing)


@pytest.mark.parametrize("step", PARSING)
def test_what_is_no_such_key_is_refused_by_both(both, step):
    method, path, fields, keep = step
    mine, other = (side.ask(method, path, body(side, fields), keep) for side in both)
    assert mine[0] == other[0] == 500
    begins = "1 error occurred:\n\t* error importing key: "
    assert mine[2][0].startswith(begins) and other[2][0].startswith(begins)


def test_each_opens_what_the_other_has_wrapped(both, peer):
    """byok-export to the other's wrapping_key, and import there: a signature of the one verifies at the other."""
    ours, theirs = both
    for one, other in ((ours, theirs), (theirs, ours)):
        suffix = "to-bao" if one is ours else "from-bao"
        public = other.kept["pem"]
        one.ask("POST", f"transit/keys/w-{suffix}/import", body(one, {"public_key": public, "type": "rsa-4096"}), {})
        for kind in ("ed25519", "rsa-2048", "ecdsa-p521"):
            name = f"{kind}-{suffix}"
            one.ask("GET", f"transit/byok-export/w-{suffix}/{kind}", "", {"parcel": "keys.1"})
            fields = {"ciphertext": one.kept["parcel"], "type": kind}
            assert other.ask("POST", f"transit/keys/{name}/import", body(other, fields), {})[0] == 204
            one.ask("POST", f"transit/sign/{kind}", body(one, {"input": HELLO}), {"signed": "signature"})
            check = {"input": HELLO, "signature": one.kept["signed"]}
            assert other.ask("POST", f"transit/verify/{name}", body(other, check), {})[1] == {"valid": True}
