"""keys: written, read, listed, deleted. OpenBao, totp/path_keys.go."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.operations import KeyringRef, OtpFacts
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.tokens import Nothing
from keystead.doors.vault.totp.picture import MOST_PIXELS, png
from keystead.doors.vault.totp.uri import Told, read, secret_of, text_of, written
from keystead.kit import Call
from keystead.wire.vault.envelope import UNSUPPORTED_PATH
from keystead.wire.vault.kinds import Duration, Int
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

PAGE = 1000
MOST_TEXT = 512  # characters of a name, an issuer, an account
DIGESTS = {"SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}
WORDS = {digest: word for word, digest in DIGESTS.items()}
NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.@-]*[A-Za-z0-9_])?")  # framework.GenericNameWithAtRegex


class NameRequest(Parameters, frozen=True, kw_only=True):
    name: str = CAPTURED


class WriteRequest(NameRequest, frozen=True, kw_only=True):
    generate: bool = False
    exported: bool = True
    key_size: Int = 20
    key: str = ""
    issuer: str = ""
    account_name: str = ""
    period: Duration = 30
    algorithm: str = "SHA1"
    digits: Int = 6
    skew: Int = 1
    qr_size: Int = 200
    url: str = ""

    def __repr__(self) -> str:
        return "WriteRequest(…)"


def ring(call: Call) -> KeyringRef:
    return KeyringRef(call.namespace)


def checked(name: str) -> str:
    """Raises Said (404) for what is no name of a key."""
    if len(name) > MOST_TEXT or NAME.fullmatch(name) is None:
        raise Said(404, UNSUPPORTED_PATH)
    return name


def _told(req: WriteRequest) -> Told:
    """What a request says of the key, itself or by a URL. Raises Said."""
    if req.generate and req.key:
        raise Said(400, "a key should not be passed if generate is true")
    if req.generate and req.url:
        raise Said(400, "a url should not be passed if generate is true")
    told = Told(
        key=req.key,
        issuer=req.issuer,
        account=req.account_name,
        period=req.period,
        digits=req.digits,
        algorithm=req.algorithm,
    )
    told = read(req.url, told) if req.url else told
    for right, words in (
        (told.digits in {6, 8}, "the digits value can only be 6 or 8"),
        (told.algorithm in DIGESTS, "the algorithm value is not valid"),
        (told.period > 0, "the period value must be greater than zero"),
        (req.skew in {0, 1}, "the skew value must be 0 or 1"),
        (req.qr_size >= 0, "the qr_size value must be greater than or equal to zero"),
        (req.qr_size <= MOST_PIXELS, f"the qr_size value must be at most {MOST_PIXELS} here"),
        (req.key_size > 0, "the key_size value must be greater than zero"),
        (req.key_size <= ops.MOST_BYTES, f"the key_size value must be at most {ops.MOST_BYTES} here"),
        (len(told.issuer) <= MOST_TEXT and len(told.account) <= MOST_TEXT, f"at most {MOST_TEXT} characters here"),
        (not req.generate or told.account, "the account_name value is required for generated keys"),
        (not req.generate or told.issuer, "the issuer value is required for generated keys"),
        (req.generate or told.key, "the key value is required"),
    ):
        if not right:
            raise Said(400, words)
    return told


@endpoint("totp", Verb.WRITE, "keys/{name}")
def write_key(req: WriteRequest, call: Call) -> dict[str, Any] | None:
    """In the place of one that is there."""
    name, told = checked(req.name), _told(req)
    secret = None if req.generate else secret_of(told.key)
    if secret is not None and not 0 < len(secret) <= ops.MOST_BYTES:
        raise Said(400, f"the key has 1 to {ops.MOST_BYTES} bytes here")
    facts = OtpFacts(
        digest=DIGESTS[told.algorithm],
        digits=told.digits,
        period=told.period,
        skew=req.skew,
        issuer=told.issuer,
        account=told.account,
    )
    if req.generate and req.exported and req.qr_size:
        _require_room(told, req)
    op = ops.WriteOtpKey(keyring=ring(call), name=name, facts=facts, secret=secret, n_bytes=req.key_size)
    try:
        done = call(op)
    except e.InvalidArgument as error:
        raise Said(400, f"the {error.detail} value is out of bounds here") from error
    if not req.generate or not req.exported:
        return None
    url = written(_with(told, done.secret))
    if not req.qr_size:
        return {"url": url}
    return {"barcode": Sensitive(b64encode(png(url.reveal().decode(), req.qr_size))), "url": url}


def _with(told: Told, secret: Sensitive) -> Told:
    return Told(
        key=text_of(secret),
        issuer=told.issuer,
        account=told.account,
        period=told.period,
        digits=told.digits,
        algorithm=told.algorithm,
    )


def _require_room(told: Told, req: WriteRequest) -> None:
    """A picture of a URL as long, before there is a key that nobody would be told. Raises Said."""
    png(written(_with(told, Sensitive(bytes(req.key_size)))).reveal().decode(), req.qr_size)


@endpoint("totp", Verb.READ, "keys/{name}")
def read_key(req: NameRequest, call: Call) -> Answer:
    """Never the shared secret."""
    try:
        key = call(ops.ReadOtpKey(keyring=ring(call), name=checked(req.name)))
    except e.NotFound:
        return Answer(data={"errors": []}, status=404, bare=True)
    return Answer(
        data={
            "account_name": key.account,
            "algorithm": WORDS[key.digest],
            "digits": key.digits,
            "issuer": key.issuer,
            "period": key.period,
        }
    )


@endpoint("totp", Verb.LIST, "keys/?")
def list_keys(_req: Nothing, call: Call) -> Answer:
    names: set[str] = set()
    after: str | None = ""
    while after is not None:
        page = call(ops.ListOtpKeys(keyring=ring(call), after=after, limit=PAGE))
        names.update(page.items)
        after = page.after
    if not names:
        return Answer(data={"errors": []}, status=404, bare=True)
    return Answer(data={"keys": sorted(names)})


@endpoint("totp", Verb.DELETE, "keys/{name}")
def delete_key(req: NameRequest, call: Call) -> None:
    call(ops.DeleteOtpKey(keyring=ring(call), name=checked(req.name)))


OPERATIONS = (write_key, read_key, list_keys, delete_key)
