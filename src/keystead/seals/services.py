"""Key management services that wrap a key for us, by their public HTTPS APIs: a table, service -> how it is asked.

    aws     KMS Encrypt, Decrypt (API Reference; JSON 1.1, SigV4): AWS itself, or another Keystead at its aws door
    vault   transit encrypt, decrypt (Vault HTTP API): Vault, OpenBao, or another Keystead at its vault door
    google  Cloud KMS v1 cryptoKeys.encrypt, decrypt
    azure   Key Vault 7.4 wrapkey, unwrapkey with RSA-OAEP-256, of a key or a managed HSM's

What a service answers is read as a message of its protocol or not at all; of a refusal no more is told than its code.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from keystead.core.errors import InvalidArgument, KeysteadError, NotFound, Unauthenticated, Unavailable
from keystead.core.ports import Net, Terms, Unreached
from keystead.core.sensitive import Sensitive
from keystead.wire.aws import sigv4

WITHIN = 10.0  # seconds
MOST = 65536  # bytes of an answer
CONTEXT = "keystead-seal"
"""What the ciphertext is bound to, where the service binds it to anything."""


class Credential(Struct, frozen=True):
    """What a service knows us by: a bearer's token, or an access key with its secret."""

    secret: Sensitive
    access_key_id: str = ""
    session_token: Sensitive | None = None  # aws


class Place(Struct, frozen=True, kw_only=True):
    """One key at one service. `endpoint`: https:// and a host, without a path. `key`: as the service names it."""

    name: str  # what the configuration calls it
    service: str
    endpoint: str
    key: str
    region: str = ""
    mount: str = ""
    namespace: str = ""
    credential: Callable[[], Credential]
    net: Net
    terms: Terms


class Kept(Struct, frozen=True):
    """What the service gave back. `key`: the version of its key that opens it, where it has to be told."""

    ciphertext: bytes
    key: str = ""


class Service(Protocol):
    def wrap(self, at: Place, key: Sensitive) -> Kept: ...

    def unwrap(self, at: Place, kept: Kept) -> Sensitive: ...


def wrap(at: Place, key: Sensitive) -> Kept:
    """`key`, 32 bytes, under the key there. Raises Unauthenticated, NotFound, Unavailable, InvalidArgument."""
    return _service(at).wrap(at, key)


def unwrap(at: Place, kept: Kept) -> Sensitive:
    """The same, and Unauthenticated for a ciphertext that does not open there."""
    return _service(at).unwrap(at, kept)


def _service(at: Place) -> Service:
    if (found := SERVICES.get(at.service)) is None:
        raise InvalidArgument(f"there are {', '.join(SERVICES)}, and no {at.service!r}", "service")
    return found


# --- asking

_encode = msgspec.json.encode
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.#]{0,99}")
OF_STATUS: Final[Mapping[int, tuple[type[KeysteadError], str]]] = {
    400: (Unauthenticated, "does not open or take it"),
    401: (Unauthenticated, "does not accept the credential"),
    403: (Unauthenticated, "does not accept the credential, or denies it the key"),
    404: (NotFound, "has no such key"),
    429: (Unavailable, "is asked too often"),
}


def _ask(at: Place, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, Any]]:
    """A POST. (status, answer); the empty answer for one that is no JSON object. Raises Unavailable."""
    lines, url = [("Accept", "application/json"), ("User-Agent", "keystead"), *headers.items()], at.endpoint.rstrip("/")
    try:
        status, raw = at.net.request(
            "POST", url + path, headers=lines, body=body, most=MOST, timeout_for=WITHIN, terms=at.terms
        )
    except Unreached as error:
        raise Unavailable(f"the KMS {at.name} cannot be asked: {error}") from None
    finally:
        at.net.close()  # it is asked once in a long while
    try:
        answer = msgspec.json.decode(raw, type=dict[str, Any]) if raw else {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer = {}
    return status, answer


def _answered(at: Place, status: int, answer: Mapping[str, Any], code: object = "") -> Mapping[str, Any]:
    """Raises the error of a status that is none of success. `code`: the service's word for it."""
    if status == 200:
        return answer
    kind, words = OF_STATUS.get(status, (Unavailable, "does not serve it"))
    told = f", {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""
    raise kind(f"the KMS {at.name} {words} (HTTP {status}{told})")


def _member(at: Place, answer: Mapping[str, Any], name: str) -> str:
    found = answer.get(name)
    if not isinstance(found, str):
        raise Unavailable(f"the KMS {at.name} answers what is not its protocol's")
    return found


def _octets(at: Place, decode: Callable[[str], bytes], text: str) -> bytes:
    try:
        return decode(text)
    except ValueError:
        raise Unavailable(f"the KMS {at.name} answers what is not its protocol's") from None


def _from_base64(text: str) -> bytes:
    return b64decode(text, validate=True)


# --- AWS


class Aws:
    def wrap(self, at: Place, key: Sensitive) -> Kept:
        text = b64encode(key.reveal()).decode()
        answer = self._call(at, "Encrypt", {"KeyId": at.key, "Plaintext": text, "EncryptionContext": {"for": CONTEXT}})
        return Kept(_octets(at, _from_base64, _member(at, answer, "CiphertextBlob")))

    def unwrap(self, at: Place, kept: Kept) -> Sensitive:
        blob = b64encode(kept.ciphertext).decode()
        message = {"KeyId": at.key, "CiphertextBlob": blob, "EncryptionContext": {"for": CONTEXT}}
        return Sensitive(_octets(at, _from_base64, _member(at, self._call(at, "Decrypt", message), "Plaintext")))

    def _call(self, at: Place, operation: str, message: object) -> Mapping[str, Any]:
        body = _encode(message)
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"}
        signed = _signed(at, headers, body, datetime.now(UTC))
        status, answer = _ask(at, "/", signed, body)
        code = str(answer.get("__type", "")).rpartition("#")[2]
        if status == 400:
            kind, words = OF_AWS.get(code, (Unavailable, "does not serve it"))
            told = f", {code}" if _CODE.fullmatch(code) else ""
            raise kind(f"the KMS {at.name} {words} (HTTP {status}{told})")
        return _answered(at, status, answer, code)


OF_AWS: Final[Mapping[str, tuple[type[KeysteadError], str]]] = {
    "AccessDeniedException": (Unauthenticated, "denies us the key"),
    "ExpiredTokenException": (Unauthenticated, "does not accept the credential any more"),
    "IncompleteSignatureException": (Unauthenticated, "does not accept the credential"),
    "InvalidSignatureException": (Unauthenticated, "does not accept the credential"),
    "MissingAuthenticationTokenException": (Unauthenticated, "does not accept the credential"),
    "UnrecognizedClientException": (Unauthenticated, "does not accept the credential"),
    "NotFoundException": (NotFound, "has no such key"),
    "InvalidCiphertextException": (Unauthenticated, "does not open what seal.json says it has wrapped"),
    "IncorrectKeyException": (Unauthenticated, "does not open what seal.json says it has wrapped"),
    "InvalidKeyUsageException": (InvalidArgument, "has a key there that is not for encryption"),
}
"""Of KMS's errors with the status 400; others are Unavailable: a key that is disabled may be enabled again."""


def _signed(at: Place, headers: Mapping[str, str], body: bytes, now: datetime) -> dict[str, str]:
    """The headers with a signature (Signature Version 4) over all of them, the host and the body."""
    who = at.credential()
    stamp = sigv4.timestamp(int(now.timestamp()))
    scope = sigv4.Scope(stamp[:8], at.region.encode(), b"kms")
    sent = {**headers, "X-Amz-Date": stamp.decode()}
    if who.session_token is not None:
        sent["X-Amz-Security-Token"] = who.session_token.reveal().decode()
    host = at.endpoint.removeprefix("https://").rstrip("/").removesuffix(":443")
    lines = {name.lower().encode(): value.encode() for name, value in {**sent, "Host": host}.items()}
    names = tuple(sorted(lines))
    key = sigv4.signing_key(who.secret.reveal(), scope)
    signature = sigv4.Signer(key, scope, names).signature(b"POST", b"/", lines, body, stamp) or b""
    credential = f"{who.access_key_id}/{bytes(scope).decode()}"
    list_ = b";".join(names).decode()
    sent["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={list_}, Signature={signature.decode()}"
    )
    return sent


# --- Vault


class Vault:
    def wrap(self, at: Place, key: Sensitive) -> Kept:
        answer = self._call(at, "encrypt", {"plaintext": b64encode(key.reveal()).decode()})
        return Kept(_member(at, answer, "ciphertext").encode())

    def unwrap(self, at: Place, kept: Kept) -> Sensitive:
        answer = self._call(at, "decrypt", {"ciphertext": kept.ciphertext.decode("ascii", "replace")})
        return Sensitive(_octets(at, _from_base64, _member(at, answer, "plaintext")))

    def _call(self, at: Place, act: str, message: object) -> Mapping[str, Any]:
        headers = {"X-Vault-Token": at.credential().secret.reveal().decode(), "X-Vault-Request": "true"}
        if at.namespace:
            headers["X-Vault-Namespace"] = at.namespace
        status, answer = _ask(at, f"/v1/{at.mount.strip('/')}/{act}/{at.key}", headers, _encode(message))
        data = _answered(at, status, answer).get("data")
        return data if isinstance(data, dict) else {}


# --- Google


class Google:
    def wrap(self, at: Place, key: Sensitive) -> Kept:
        message = {"plaintext": b64encode(key.reveal()).decode(), "additionalAuthenticatedData": _AAD}
        return Kept(_octets(at, _from_base64, _member(at, self._call(at, "encrypt", message), "ciphertext")))

    def unwrap(self, at: Place, kept: Kept) -> Sensitive:
        message = {"ciphertext": b64encode(kept.ciphertext).decode(), "additionalAuthenticatedData": _AAD}
        return Sensitive(_octets(at, _from_base64, _member(at, self._call(at, "decrypt", message), "plaintext")))

    def _call(self, at: Place, act: str, message: object) -> Mapping[str, Any]:
        status, answer = _ask(at, f"/v1/{at.key}:{act}", _bearer(at), _encode(message))
        told = answer.get("error")
        return _answered(at, status, answer, told.get("status") if isinstance(told, dict) else "")


_AAD = b64encode(CONTEXT.encode()).decode()


def _bearer(at: Place) -> dict[str, str]:
    """RFC 6750 §2.1"""
    return {
        "Authorization": f"Bearer {at.credential().secret.reveal().decode()}",
        "Content-Type": "application/json",
    }


# --- Azure

API = "7.4"
WRAP_ALGORITHM = "RSA-OAEP-256"


class Azure:
    def wrap(self, at: Place, key: Sensitive) -> Kept:
        answer = self._call(at, f"/keys/{at.key}", "wrapkey", key.reveal())
        version = _member(at, answer, "kid").rpartition("/keys/")[2]
        if version.partition("/")[0] != at.key.partition("/")[0]:
            raise Unavailable(f"the KMS {at.name} answers for another key")
        return Kept(_octets(at, _from_url, _member(at, answer, "value")), version)

    def unwrap(self, at: Place, kept: Kept) -> Sensitive:
        """By the version of the key that wrapped it."""
        answer = self._call(at, f"/keys/{kept.key}", "unwrapkey", kept.ciphertext)
        return Sensitive(_octets(at, _from_url, _member(at, answer, "value")))

    def _call(self, at: Place, path: str, act: str, value: bytes) -> Mapping[str, Any]:
        message = {"alg": WRAP_ALGORITHM, "value": urlsafe_b64encode(value).rstrip(b"=").decode()}
        status, answer = _ask(at, f"{path}/{act}?api-version={API}", _bearer(at), _encode(message))
        told = answer.get("error")
        return _answered(at, status, answer, told.get("code") if isinstance(told, dict) else "")


def _from_url(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)


SERVICES: dict[str, Service] = {"aws": Aws(), "vault": Vault(), "google": Google(), "azure": Azure()}
