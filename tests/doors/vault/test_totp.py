"""totp: keys, codes. The words are held to OpenBao in test_totp_openbao.py."""

from __future__ import annotations

import base64
import threading
import zlib
from base64 import b64decode
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace
from tests import harness

from keystead.core.cutoffs import Cutoffs, Rules
from keystead.core.entities import Binding, OtpKey
from keystead.core.errors import WrongState
from keystead.core.sensitive import Sensitive
from keystead.crypto import otp
from keystead.doors import vault
from keystead.service.barrier import Commit
from keystead.service.proof import prove_destroyed
from keystead.stores.sqlite import SqliteStore

SEEDS = {"sha1": b"1234567890" * 2, "sha256": b"1234567890" * 3 + b"12", "sha512": b"1234567890" * 6 + b"1234"}
# RFC 6238 appendix B, with the seeds of its erratum 2866
VECTORS = {
    59: ("94287082", "46119246", "90693936"),
    1111111109: ("07081804", "68084774", "25091201"),
    1111111111: ("14050471", "67062674", "99943326"),
    1234567890: ("89005924", "91819424", "93441116"),
    2000000000: ("69279037", "90698825", "38618901"),
    20000000000: ("65353130", "77737706", "47863826"),
}
# RFC 4226 appendix D
HOTP = ("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")


@pytest.fixture
def totp(root):
    root.data("POST", "sys/mounts/totp", type="totp")
    root.stack.forget_records()
    return root


def b32(secret: bytes) -> str:
    return base64.b32encode(secret).decode().rstrip("=")


@pytest.mark.parametrize("at", VECTORS)
def test_rfc_6238_appendix_b(at):
    for (digest, secret), expected in zip(SEEDS.items(), VECTORS[at], strict=True):
        assert otp.password(Sensitive(secret), at // 30, digest, 8).reveal().decode() == expected


def test_rfc_4226_appendix_d():
    made = [otp.password(Sensitive(SEEDS["sha1"]), n, "sha1", 6).reveal().decode() for n in range(10)]
    assert tuple(made) == HOTP


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512"])
def test_a_code_is_what_the_rfc_says(totp, algorithm):
    digest = algorithm.lower()
    totp.data("POST", "totp/keys/a", key=b32(SEEDS[digest]), algorithm=algorithm, digits=8)
    now = totp.stack.clock.now()
    made = totp.data("GET", "totp/code/a")
    assert (
        made["code"] == otp.password(Sensitive(SEEDS[digest]), int(now.timestamp()) // 30, digest, 8).reveal().decode()
    )
    assert made["generated"] == int(now.timestamp()) and made["period"] == "30s"
    assert 0 < made["expire_time"] - made["generated"] <= 30


def test_row_19_a_code_is_accepted_once(totp):
    """CVE-2025-6014, CVE-2025-55000."""
    totp.data("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))
    code = totp.data("GET", "totp/code/a")["code"]
    assert totp.data("POST", "totp/code/a", code=code) == {"valid": True}
    used = (400, "code already used; wait until the next time period")
    assert totp.refusal("POST", "totp/code/a", code=code) == used
    totp.stack.clock.forward(timedelta(seconds=30))
    assert totp.refusal("POST", "totp/code/a", code=code) == used  # within the skew still
    totp.stack.clock.forward(timedelta(seconds=30))
    assert totp.data("POST", "totp/code/a", code=code) == {"valid": False}
    assert totp.data("POST", "totp/code/a", code=totp.data("GET", "totp/code/a")["code"]) == {"valid": True}


def test_row_19_of_fifty_who_bring_one_code_one_gets_through(totp):
    totp.data("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))
    code = totp.data("GET", "totp/code/a")["code"]
    stack, answers = totp.stack, []
    stack.view.loop_thread = 0
    go = threading.Barrier(50)

    def bring():
        go.wait()
        answers.append(totp.call("POST", "totp/code/a", code=code).status)

    threads = [threading.Thread(target=bring) for _ in range(50)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers) == [200] + [400] * 49


def test_row_19_only_digits_and_only_so_many(totp):
    """CVE-2025-6014, CVE-2025-55000: a space makes no other code of it."""
    totp.data("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))
    for code in ("12345", "1234567", " 12345", "12345 ", "", "\uff11\uff12\uff13\uff14\uff15\uff16"):
        assert totp.refusal("POST", "totp/code/a", code=code)[0] == 400
    for code in ("abcdef", "+12345", "-12345", "12.456"):
        assert totp.data("POST", "totp/code/a", code=code) == {"valid": False}


def test_skew(totp):
    totp.data("POST", "totp/keys/none", key=b32(SEEDS["sha1"]), skew=0)
    totp.data("POST", "totp/keys/one", key=b32(SEEDS["sha1"]), skew=1)
    code = totp.data("GET", "totp/code/one")["code"]
    totp.stack.clock.forward(timedelta(seconds=30))
    assert totp.data("POST", "totp/code/none", code=code) == {"valid": False}
    assert totp.data("POST", "totp/code/one", code=code) == {"valid": True}


def test_a_generated_key_is_told_once(totp):
    made = totp.data(
        "POST", "totp/keys/a", generate=True, issuer="Acme & Co", account_name="a@b", key_size=32, digits=8
    )
    url = urlsplit(made["url"])
    asked = {name: value for name, (value,) in parse_qs(url.query).items()}
    secret = base64.b32decode(asked.pop("secret") + "====")
    assert url.scheme == "otpauth" and url.netloc == "totp" and url.path == "/Acme%20&%20Co:a@b" and len(secret) == 32
    assert asked == {"algorithm": "SHA1", "digits": "8", "issuer": "Acme & Co", "period": "30"}
    step = int(totp.stack.clock.now().timestamp()) // 30
    assert totp.data("GET", "totp/code/a")["code"] == otp.password(Sensitive(secret), step, "sha1", 8).reveal().decode()
    shown = totp.data("GET", "totp/keys/a")
    assert shown == {"account_name": "a@b", "algorithm": "SHA1", "digits": 8, "issuer": "Acme & Co", "period": 30}
    assert totp.call("POST", "totp/keys/b", generate=True, issuer="I", account_name="a", exported=False).status == 204
    assert "barcode" not in totp.data("POST", "totp/keys/b", generate=True, issuer="I", account_name="a", qr_size=0)


def test_a_url_is_read_back(totp):
    made = totp.data(
        "POST", "totp/keys/a", generate=True, issuer="I:s", account_name="x/y z", algorithm="SHA256", period=60
    )
    totp.data("POST", "totp/keys/b", url=made["url"])
    assert totp.data("GET", "totp/code/a")["code"] == totp.data("GET", "totp/code/b")["code"]
    assert totp.data("GET", "totp/keys/b")["issuer"] == "I:s"


def pixels(data: bytes) -> list[str]:
    """The rows of a PNG of one bit of grey without filters: "1" is white."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, size = 8, b"", 0
    while at < len(data):
        n, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + n]
        assert zlib.crc32(kind + body) == int.from_bytes(data[at + 8 + n : at + 12 + n], "big")
        size = int.from_bytes(body[:4], "big") if kind == b"IHDR" else size
        packed += body if kind == b"IDAT" else b""
        at += 12 + n
    raw, width = zlib.decompress(packed), 1 + -(-size // 8)
    assert len(raw) == width * size
    return ["".join(f"{b:08b}" for b in raw[n * width + 1 : (n + 1) * width])[:size] for n in range(size)]


@pytest.mark.parametrize("size", [41, 100, 200, 203, 2048])
def test_the_picture_is_a_square_of_that_size_with_three_corners(totp, size):
    made = totp.data("POST", "totp/keys/a", generate=True, issuer="I", account_name="acc", qr_size=size)
    rows = pixels(b64decode(made["barcode"]))
    assert len(rows) == size and {len(row) for row in rows} == {size}
    dark = [n for n, row in enumerate(rows) if "0" in row]
    first = rows[dark[0]]
    left, right = first.index("0"), first.rindex("0")
    unit = (first[left:].index("1")) // 7  # a corner is seven modules wide
    assert (right - left + 1) % unit == 0 and dark[-1] - dark[0] == right - left
    corner = [rows[dark[0] + n * unit][left : left + 7 * unit : unit] for n in range(7)]
    assert corner == ["0000000", "0111110", "0100010", "0100010", "0100010", "0111110", "0000000"]


def test_too_small_a_picture_makes_no_key(totp):
    assert totp.refusal("POST", "totp/keys/a", generate=True, issuer="I", account_name="a", qr_size=20)[0] == 500
    assert totp.refusal("POST", "totp/keys/a", generate=True, issuer="I", account_name="a", qr_size=4096)[0] == 400
    assert totp.refusal("POST", "totp/keys/a", generate=True, issuer="I" * 500, account_name="a" * 500, key_size=1024)[
        0
    ] in {400, 500}
    assert totp.refusal("GET", "totp/keys/a") == (404, "")


def key_named(totp, name: str) -> OtpKey:
    mount = totp.stack.barrier.get(Binding, f"vault:{harness.TENANT}:totp")
    named = totp.stack.barrier.name_id(f"otp:{mount.keyring}", name)
    (found,) = totp.stack.barrier.linked(OtpKey, named)
    return found


@pytest.mark.parametrize("end", ["DELETE totp/keys/a", "POST totp/keys/a", "DELETE sys/mounts/totp"])
def test_row_97_what_goes_is_destroyed(totp, end):
    totp.data("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))
    old = key_named(totp, "a")
    assert totp.stack.barrier.material(old).reveal() == SEEDS["sha1"]
    method, path = end.split()
    totp.data(method, path, **({"key": b32(SEEDS["sha256"])} if method == "POST" else {}))
    with pytest.raises(WrongState):
        totp.stack.barrier.material(old)
    assert totp.stack.barrier.get(OtpKey, old.id) is None
    if method == "POST":
        assert totp.stack.barrier.material(key_named(totp, "a")).reveal() == SEEDS["sha256"]


def test_a_mount_that_moves_takes_them_along(totp):
    totp.data("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))
    code = totp.data("GET", "totp/code/a")["code"]
    totp.data("POST", "sys/remount", **{"from": "totp", "to": "otp"})
    assert totp.data("GET", "otp/code/a")["code"] == code


def test_keys_of_two_mounts_are_not_each_others(totp):
    totp.data("POST", "sys/mounts/other", type="totp")
    totp.data("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))
    assert totp.refusal("GET", "other/code/a") == (400, "unknown key: a")
    assert totp.call("DELETE", "other/keys/a").status == 204
    assert totp.data("GET", "totp/keys/a")


def test_row_67_no_secret_and_no_code_is_on_record(totp):
    totp.data("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))
    code = totp.data("GET", "totp/code/a")["code"]
    totp.data("POST", "totp/code/a", code=code)
    text = b"".join(totp.stack.journal.lines) + b"".join(row for _, row in totp.stack.store.records(0, 1000))
    assert b32(SEEDS["sha1"]).encode() not in text and SEEDS["sha1"] not in text and code.encode() not in text
    assert "94287082" not in repr(key_named(totp, "a"))


def test_row_35_making_and_checking_are_two_rights(totp):
    totp.data("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))
    checker = totp.child('path "totp/code/*" { capabilities = ["update"] }')
    code = totp.data("GET", "totp/code/a")["code"]
    assert checker.refusal("GET", "totp/code/a")[0] == 403
    assert checker.refusal("GET", "totp/keys/a")[0] == 403
    assert checker.refusal("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))[0] == 403
    assert checker.data("POST", "totp/code/a", code=code) == {"valid": True}


@pytest.mark.parametrize("name", ["a@b", "a.b-c_d"])
def test_names(totp, name):
    totp.data("POST", f"totp/keys/{name}", key=b32(SEEDS["sha1"]))
    assert totp.data("LIST", "totp/keys") == {"keys": [name]}


@pytest.mark.parametrize("name", ["-a", "a-", "a" * 600, "a%20b"])
def test_what_is_no_name(totp, name):
    assert totp.call("POST", f"totp/keys/{name}", key=b32(SEEDS["sha1"])).status == 404


@pytest.mark.parametrize(
    "url",
    [
        "otpauth://totp/%",
        "otpauth://totp/%ff?secret=JBSWY3DP",
        "x" * 9000,
        "otpauth://totp/a?" + "&".join(["a=1"] * 99),
        "//[",
    ],
)
def test_row_62_what_is_no_url(totp, url):
    assert totp.refusal("POST", "totp/keys/a", url=url) == (400, "an error occurred while parsing url string")


def test_row_96_profiles(totp):
    totp.data("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))
    totp.stack.service._cutoffs = Cutoffs(Rules(profile="cnsa-2.0"))
    assert totp.refusal("GET", "totp/code/a")[0] == 501
    assert totp.refusal("POST", "totp/keys/b", key=b32(SEEDS["sha1"]), algorithm="SHA256")[0] == 501
    assert totp.call("POST", "totp/keys/b", key=b32(SEEDS["sha1"]), algorithm="SHA512").status == 204


def test_row_97_no_backup_and_no_key_of_today_opens_what_is_gone(tmp_path, monkeypatch):
    """The proof of service.proof tries everything that there is, passwords' keys among it."""
    store = SqliteStore(tmp_path / "keystead.db")
    monkeypatch.setattr(harness, "MemoryStore", lambda: store)
    stack = harness.stack(door=vault.DOOR)
    root = stack.bearer()
    root.data("POST", "sys/mounts/totp", type="totp")
    for name in ("gone", "stays"):
        root.data("POST", f"totp/keys/{name}", key=b32(SEEDS["sha1"]))
    store.backup(tmp_path / "backup.db")
    root.data("DELETE", "totp/keys/gone")
    old = SqliteStore(tmp_path / "backup.db")
    proof = prove_destroyed(old, stack.barrier, store)
    assert proof.holds and proof.n_destroyed == 1 and proof.n_survivors >= 1 and not proof.root_opened
    old.close()
    store.close()


def test_of_two_keys_written_under_one_name_at_once_the_later_counts_and_both_go(totp):
    totp.data("POST", "totp/keys/a", key=b32(SEEDS["sha1"]))
    first = key_named(totp, "a")
    twin = replace(first, id="0" * 36 + "/1", revision=0, position=-1, wrapped=b"", issuer="earlier")
    twin = replace(twin, created_at=first.created_at - timedelta(seconds=1))
    totp.stack.barrier.commit(Commit(put=(twin,), material={twin.id: Sensitive(b"another")}))
    assert totp.data("GET", "totp/keys/a")["issuer"] == ""
    assert totp.data("LIST", "totp/keys") == {"keys": ["a"]}
    totp.data("DELETE", "totp/keys/a")
    assert totp.stack.barrier.get(OtpKey, twin.id) is None and totp.refusal("GET", "totp/keys/a")[0] == 404
