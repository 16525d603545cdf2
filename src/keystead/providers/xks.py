"""Key stores behind an XKS proxy: Keystead as the caller. XKS Proxy API specification 1.0.3, version 1 of the API.

Rule 1: a call takes 250 ms in all ("KMS will time out"), and its answer is looked at in full before it is believed.
Rule 2: what a proxy says is a word of the specification's table, or malformed; its own words go no further.
Rule 3: the proxy sees ciphertext of ours, and of the context a digest (core.doubled).
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, Final, NoReturn

import msgspec
from msgspec import Meta, Struct

from keystead.core import doubled
from keystead.core.algorithms import Algorithm
from keystead.core.caller import Caller
from keystead.core.detached import Detached
from keystead.core.entities import Key
from keystead.core.errors import DecryptionFailed
from keystead.core.keystores import KeyStore, Moment, Trouble, failed
from keystead.core.policy.arn import arn_of_caller, resource_arn
from keystead.core.ports import PUBLIC, Clock, Net, Terms, Unreached
from keystead.core.providers import Loaded
from keystead.core.sensitive import Sensitive
from keystead.providers.refusing import Refusing
from keystead.wire import Malformed
from keystead.wire.aws import sigv4
from keystead.wire.json import reader

WITHIN = 0.250  # seconds; "Encrypt", "KMS Considerations"
MAX_REPLY = 48 * 1024  # bytes; an answer has at most some 6 KB
SERVICE = b"kms-xks-proxy"
SIGNED = (b"host", b"x-amz-date")
ALGORITHM, DIGEST = "AES_GCM", "SHA_256"
SPEC, USAGES, ENABLED = "AES_256", frozenset({"ENCRYPT", "DECRYPT"}), "ENABLED"
NO_PLACE = "local"  # the region of a request that came in at no address of AWS's
MAX_SIGNERS = 256
OK = 200

# "Error codes", first table. Unknown names are no answer.
NAMED: Final[dict[str, Trouble]] = {
    "ValidationException": Trouble.REFUSED,
    "InvalidStateException": Trouble.KEY_DISABLED,
    "InvalidCiphertextException": Trouble.BAD_CIPHERTEXT,
    "InvalidKeyUsageException": Trouble.KEY_UNFIT,
    "AuthenticationFailedException": Trouble.UNAUTHENTICATED,
    "AccessDeniedException": Trouble.DENIED,
    "KeyNotFoundException": Trouble.KEY_ABSENT,
    "InvalidUriPathException": Trouble.BAD_PATH,
    "ThrottlingException": Trouble.THROTTLED,
    "UnsupportedOperationException": Trouble.UNSUPPORTED,
    "DependencyTimeoutException": Trouble.DEPENDENCY,
    "InternalException": Trouble.FAILED,
}

# --- messages


class RequestMetadata(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    aws_principal_arn: str = ""
    kms_key_arn: str = ""
    kms_operation: str
    kms_request_id: str


class Ask(Struct, frozen=True, kw_only=True, rename="camel"):
    request_metadata: RequestMetadata


class EncryptAsk(Ask, frozen=True, kw_only=True, rename="camel"):
    additional_authenticated_data: bytes
    plaintext: bytes
    encryption_algorithm: str = ALGORITHM
    ciphertext_data_integrity_value_algorithm: str = DIGEST

    def __repr__(self) -> str:
        return "EncryptAsk()"


class DecryptAsk(Ask, frozen=True, kw_only=True, rename="camel"):
    additional_authenticated_data: bytes
    ciphertext: bytes
    ciphertext_metadata: bytes | msgspec.UnsetType = msgspec.UNSET
    encryption_algorithm: str = ALGORITHM
    initialization_vector: bytes
    authentication_tag: bytes


class Sealed(Struct, frozen=True, kw_only=True, rename="camel"):
    ciphertext: bytes
    ciphertext_metadata: bytes | None = None
    initialization_vector: bytes
    authentication_tag: bytes
    ciphertext_data_integrity_value: bytes


class Opened(Struct, frozen=True, kw_only=True):
    plaintext: bytes

    def __repr__(self) -> str:
        return "Opened()"


class KeyMetadata(Struct, frozen=True, kw_only=True, rename="camel"):
    key_spec: str
    key_usage: Annotated[list[str], Meta(max_length=10)]
    key_status: str


class Manager(Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    model: str
    health_status: str


class Health(Struct, frozen=True, kw_only=True, rename="camel"):
    xks_proxy_fleet_size: Annotated[int, Meta(gt=0, le=2**31)]
    xks_proxy_vendor: str
    xks_proxy_model: str
    ekm_vendor: str
    ekm_fleet_details: Annotated[list[Manager], Meta(min_length=1, max_length=10)]


class Refusal(Struct, frozen=True, kw_only=True, rename="camel"):
    error_name: str


_encode = msgspec.json.Encoder().encode
_sealed, _opened = reader(Sealed), reader(Opened)
_metadata, _health, _refusal = reader(KeyMetadata), reader(Health), reader(Refusal)

# --- asking


class XksStores:
    """core.providers.KeyStores over a Net. `terms`: those on which a host is asked."""

    def __init__(self, net: Net, clock: Clock, terms: Callable[[str], Terms] = lambda _host: PUBLIC) -> None:
        self._net, self._clock, self._terms = net, clock, terms
        self._lock = threading.Lock()
        self._signers: dict[tuple[str, bytes, str, str], sigv4.Signer] = {}

    def check(self, store: KeyStore, caller: Caller) -> None:
        """GetHealthStatus. `DEGRADED` "can still serve traffic"."""
        moment = Moment.SET_UP
        about = RequestMetadata(kms_operation=_operation(caller), kms_request_id=caller.request_id)
        health = self.ask(store, "health", Ask(request_metadata=about), _health, caller.namespace, moment)
        states = {manager.health_status for manager in health.ekm_fleet_details}
        if not states <= {"ACTIVE", "DEGRADED", "UNAVAILABLE"}:
            raise failed(Trouble.MALFORMED, moment)
        if states == {"UNAVAILABLE"}:
            raise failed(Trouble.EXHAUSTED, moment)

    def examine(self, store: KeyStore, name: str, caller: Caller) -> None:
        """GetKeyMetadata, "KMS Considerations"."""
        moment = Moment.KEY_MADE
        asked = Ask(request_metadata=_about(caller))
        found = self.ask(store, f"keys/{name}/metadata", asked, _metadata, caller.namespace, moment)
        if found.key_spec != SPEC or not USAGES.issubset(found.key_usage):
            raise failed(Trouble.KEY_UNFIT, moment)
        if found.key_status != ENABLED:
            raise failed(Trouble.KEY_DISABLED, moment)

    def load(self, store: KeyStore, key: Key, ours: Loaded, caller: Caller, *, version: int) -> Loaded:
        return Doubled(self, store, key, ours, caller, version)

    def close(self) -> None:
        self._net.close()

    def ask(self, store: KeyStore, rest: str, message: Ask, read: Any, namespace: str, moment: Moment) -> Any:
        """The answer to one call, read. Raises what core.keystores.failed makes."""
        proxy = store.proxy
        target, body, terms = f"{proxy.path}/{rest}", _encode(message), self._terms(proxy.host)
        url, headers = f"https://{proxy.host}{target}", self._signed(store, target, body, _region(namespace))
        try:
            status, answer = self._net.request(
                "POST", url, headers=headers, body=body, most=MAX_REPLY, timeout_for=WITHIN, terms=terms
            )
            if status == OK:
                return read(answer)
            trouble = NAMED.get(_refusal(answer).error_name, Trouble.MALFORMED)
        except Unreached as error:
            trouble = error.trouble
        except Malformed:
            trouble = Trouble.MALFORMED
        raise failed(trouble, moment)

    def _signed(self, store: KeyStore, target: str, body: bytes, region: str) -> list[tuple[str, str]]:
        """Appendix A. The region is the one from which the proxy is called."""
        stamp = sigv4.timestamp(int(self._clock.now().timestamp()))
        signer = self._signer(store, stamp[:8].decode(), region)
        headers = {b"host": store.proxy.host.encode(), b"x-amz-date": stamp}
        signature = signer.signature(b"POST", target.encode(), headers, body, stamp) or b""
        credential = f"{store.access_key_id}/{bytes(signer.scope).decode()}"
        names = b";".join(SIGNED).decode()
        return [
            ("Content-Type", "application/json"),
            ("X-Amz-Date", stamp.decode()),
            (
                "Authorization",
                f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature.decode()}",
            ),
        ]

    def _signer(self, store: KeyStore, day: str, region: str) -> sigv4.Signer:
        """Prepared for the day, and kept under the secret itself: it may be another one before it is stored."""
        facts = (store.access_key_id, store.secret, day, region)
        if (found := self._signers.get(facts)) is not None:
            return found
        scope = sigv4.Scope(day.encode(), region.encode(), SERVICE)
        made = sigv4.Signer(sigv4.signing_key(store.secret, scope), scope, SIGNED)
        with self._lock:
            if len(self._signers) >= MAX_SIGNERS:
                self._signers.clear()
            self._signers[facts] = made
        return made


class Doubled(Refusing):
    """A key for one request: encrypted with our half first, and then by the store."""

    __slots__ = ("_about", "_header", "_namespace", "_ours", "_path", "_store", "_stores")

    def __init__(
        self, stores: XksStores, store: KeyStore, key: Key, ours: Loaded, caller: Caller, version: int
    ) -> None:
        super().__init__(key.spec)
        self._stores, self._store, self._ours, self._namespace = stores, store, ours, caller.namespace
        self._header = doubled.header(key.id, version)
        self._path = f"keys/{key.elsewhere.name if key.elsewhere else ''}"
        self._about = _about(caller, key)

    def encrypt(self, algorithm: Algorithm, plaintext: Sensitive, aad: bytes) -> bytes:
        inner = self._ours.encrypt(algorithm, plaintext, aad)
        bound = doubled.bound(self._header, aad)
        asked = EncryptAsk(request_metadata=self._about, additional_authenticated_data=bound, plaintext=inner)
        sealed: Sealed = self._ask("encrypt", asked, _sealed)
        parts = Detached(
            ciphertext=sealed.ciphertext,
            nonce=sealed.initialization_vector,
            tag=sealed.authentication_tag,
            header=sealed.ciphertext_metadata or b"",
        )
        whole = doubled.fits(parts) and len(parts.ciphertext) == len(inner)
        if not (whole and hmac.compare_digest(integrity(bound, parts), sealed.ciphertext_data_integrity_value)):
            self._fail(Trouble.MALFORMED)
        return doubled.pack(self._header, parts)

    def decrypt(self, algorithm: Algorithm, ciphertext: bytes, aad: bytes) -> Sensitive:
        """Raises DecryptionFailed without a detail for what is no ciphertext of the key's."""
        parts = doubled.unpack(self._header, ciphertext)
        asked = DecryptAsk(
            request_metadata=self._about,
            additional_authenticated_data=doubled.bound(self._header, aad),
            ciphertext=parts.ciphertext,
            ciphertext_metadata=parts.header or msgspec.UNSET,
            initialization_vector=parts.nonce,
            authentication_tag=parts.tag,
        )
        opened: Opened = self._ask("decrypt", asked, _opened)
        if len(opened.plaintext) != len(parts.ciphertext):
            self._fail(Trouble.MALFORMED)
        try:
            return self._ours.decrypt(algorithm, opened.plaintext, aad)
        except DecryptionFailed:
            self._fail(Trouble.BAD_PLAINTEXT)

    def _ask(self, verb: str, message: Ask, read: Any) -> Any:
        return self._stores.ask(self._store, f"{self._path}/{verb}", message, read, self._namespace, Moment.USE)

    def _fail(self, trouble: Trouble) -> NoReturn:
        raise failed(trouble, Moment.USE)


def integrity(aad: bytes, parts: Detached) -> bytes:
    """ciphertextDataIntegrityValue, Appendix C."""
    return sha256(aad + parts.header + parts.nonce + parts.ciphertext + parts.tag).digest()


def _operation(caller: Caller) -> str:
    """kmsOperation: "TrentService.Encrypt" is Encrypt; an operation that is not AWS's goes by its own name."""
    return caller.wire_operation.rpartition(".")[2]


def _about(caller: Caller, key: Key | None = None) -> RequestMetadata:
    region = _region(caller.namespace)
    return RequestMetadata(
        aws_principal_arn=arn_of_caller(caller),
        kms_key_arn=resource_arn(f"aws:{key.tenant}:{region}", f"key/{key.id}") if key else "",
        kms_operation=_operation(caller),
        kms_request_id=caller.request_id,
    )


def _region(namespace: str) -> str:
    """A key is asked for in its own region."""
    dialect, _, rest = namespace.partition(":")
    return rest.rpartition(":")[2] if dialect == "aws" else NO_PLACE
