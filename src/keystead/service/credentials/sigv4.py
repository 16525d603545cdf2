"""AWS access keys and sessions: whose signature is this?

A signature is good for five minutes around its time, header or not; within them a captured request may be sent
again. AWS keeps no nonce and neither do we: what a replay does is what the first request did, over TLS nobody else
sees one, and every use is on record. (KMS Developer Guide; AWS General Reference, "Protect against reuse".)

What may be told apart from outside: a wrong signature of an existing key, and a key that is not there, as AWS does.
What may not: a key that never was, one that is disabled, expired, or whose principal is. All of these are verified
as a decoy, against a secret that nobody has, and get one answer (security.md §4-B rows 15, 16). A wrong signature
takes as long whosever it claims to be, also where a good one would be known at once: a decoy is prepared for it, too.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import UTC, datetime

from msgspec import Struct, field

from keystead.core.entities import Credential, CredentialKind, Principal, PrincipalKind
from keystead.core.errors import Unauthenticated
from keystead.core.ports import Entropy
from keystead.core.rights import Narrowing, Rights
from keystead.service.credentials import Directory, Reason
from keystead.service.credentials.session import Session, Sessions
from keystead.service.held import HeldCredential
from keystead.wire.aws import sigv4
from keystead.wire.aws.sigv4 import N_SIGNATURE, SKEW, Flaw, Presented, Signer
from keystead.wire.http import HttpRequest

MAX_PREPARED = 64  # signers per credential: a day, a region, a service and a set of headers each
MAX_SESSIONS = 4096
MAX_STAMPS = 1024
MAX_DECOYS = 1024
MAX_AUTHORIZATION = 2048  # bytes
_AT = len("AWS4-HMAC-SHA256 Credential=")
_QUESTION_MARK = ord("?")

_UNKNOWN = Reason.UNKNOWN, "The security token included in the request is invalid."
_MISMATCH = (
    Reason.MISMATCH,
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details.",
)
# AWS's words per Flaw, without its habit of repeating the header
_FLAWS: dict[Flaw, tuple[Reason, str]] = {
    Flaw.MISSING: (Reason.MISSING, "Request is missing Authentication Token"),
    Flaw.INCOMPLETE: (Reason.INCOMPLETE, "Request must contain a complete and well-formed SigV4 signature."),
    Flaw.MIXED: (Reason.INCOMPLETE, "Only one of Authorization header and X-Amz- query parameters may be used."),
    Flaw.DATE: (Reason.INCOMPLETE, "Date must be in ISO-8601 'basic format', in X-Amz-Date or Date."),
    Flaw.UNSIGNED: (
        Reason.MISMATCH,
        "'Host' and every 'X-Amz-' header that is present must be 'SignedHeaders' in the AWS Authorization.",
    ),
    Flaw.EXPIRES: (Reason.INCOMPLETE, "X-Amz-Expires must be from 1 to 604800 seconds."),
}


class Verified(Struct, frozen=True):
    """Whose request it is."""

    rights: Rights
    credential_id: str
    namespace: str  # "aws:<tenant>:<region>"
    session: Session | None = None


Prepared = dict[bytes, tuple[Signer, Verified]]
"""All of the Authorization header but its signature -> what it said, once its signature was good."""


class _Claimant(Struct, frozen=True):
    """Who the request may be from, if its signature is good."""

    rights: Rights | None  # None: a decoy
    credential_id: str
    secret: bytes
    prepared: Prepared
    at: str = ""  # the address it is good for, if it is for one only
    session: Session | None = None

    def __repr__(self) -> str:
        return f"_Claimant({self.credential_id})"


class _Open(Struct, frozen=True):
    session: Session
    narrowing: Narrowing | None
    secret: bytes
    prepared: Prepared = field(default_factory=dict)

    def __repr__(self) -> str:
        return "_Open(…)"


_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY = Principal(
    id="", tenant="", principal_kind=PrincipalKind.USER, name="", name_digest="", created_at=_EVER, enabled=False
)


class SigV4:
    """Verifies signed requests against a directory. `signed_query`: services that take X-Amz-Signature in the URL.

    A URL is logged by proxies, so a service has to ask for that form; STS does, for presigned GetCallerIdentity.
    `kind`: the credentials that are looked at. Those that are no access keys have no sessions.
    """

    def __init__(
        self,
        directory: Directory,
        sessions: Sessions,
        entropy: Entropy,
        *,
        signed_query: frozenset[bytes] = frozenset({b"sts"}),
        kind: CredentialKind = CredentialKind.ACCESS_KEY,
    ) -> None:
        self._kind = kind
        self._directory, self._sessions, self._signed_query = directory, sessions, signed_query
        self._decoy = _Claimant(None, "", b64encode(entropy(30)), {})  # as long as a real one: HMAC's time is of blocks
        self._decoys: dict[bytes, Signer] = {}
        self._nobody = HeldCredential(
            Credential(id="", principal_id="", credential_kind=kind, created_at=_EVER, enabled=False),
            Rights.alone(_NOBODY),
        )
        self._nobody.known = self._decoy
        self._seconds: dict[bytes, int] = {}
        self._open: dict[bytes, _Open] = {}

    def verify(self, request: HttpRequest, service: bytes) -> Verified:
        """Whose request this is. `service` is the name the scope must carry: b"kms", b"sts", b"iam".

        Raises Unauthenticated with a Reason as its detail and AWS's words; WouldBlock on the event loop.
        """
        authorization = request.headers.get(b"authorization", b"")
        if authorization and _QUESTION_MARK not in request.target and len(authorization) <= MAX_AUTHORIZATION:
            key_id = authorization[_AT : authorization.find(b"/", _AT)]
            token = request.headers.get(b"x-amz-security-token")
            claimant = self._claimant(key_id, token, request) if key_id.isalnum() else self._decoy
            prefix = authorization[:-N_SIGNATURE]
            if (known := claimant.prepared.get(prefix)) is None:
                if (decoy := self._decoys.get(prefix)) is None:
                    return self._first(request, service, claimant, unheard=True)
                self._flaw(decoy, authorization, request, service)
                return self._first(request, service, claimant)
            signer, verified = known
            if self._flaw(signer, authorization, request, service) is not None:
                return self._first(request, service, claimant, unheard=prefix not in self._decoys)
            if verified.rights is claimant.rights:
                return verified
            if claimant.rights is None:  # nothing is ever prepared of a decoy
                raise Unauthenticated(_UNKNOWN[1], _UNKNOWN[0])
            return Verified(claimant.rights, claimant.credential_id, verified.namespace, claimant.session)
        return self._first(request, service)

    def _flaw(
        self, signer: Signer, authorization: bytes, request: HttpRequest, service: bytes
    ) -> tuple[Reason, str] | None:
        """What is wrong with a request of a known signer."""
        stamp = request.headers.get(b"x-amz-date") or _stamp(request)
        timely = (stamp, request.second, service)
        if signer.timely != timely:
            self._check_scope(signer.scope, stamp, service)
            self._check_time(stamp, request, SKEW)
            signer.timely = timely
        return self._wrong(signer, stamp, authorization[-N_SIGNATURE:], request)

    def _first(
        self, request: HttpRequest, service: bytes, claimant: _Claimant | None = None, *, unheard: bool = False
    ) -> Verified:
        """The whole way, for a signer not seen before; what it learns is kept only if the signature is good.

        `claimant`: as the header has it, if it is of the common form.
        `unheard`: not even a wrong one has come from there. From now on it has, and costs what a known one does.
        """
        presented, stamp, prefix = self._presented(request, service)
        self._check_scope(presented.scope, stamp, service)
        self._check_time(stamp, request, SKEW if presented.expires is None else presented.expires)
        if claimant is None or not prefix:
            token = presented.token or request.headers.get(b"x-amz-security-token")
            claimant = self._claimant(presented.access_key_id.encode(), token, request)
        signer = Signer(sigv4.signing_key(claimant.secret, presented.scope), presented.scope, presented.signed)
        wrong = self._wrong(signer, stamp, presented.signature, request)
        rights = claimant.rights
        if wrong is not None or rights is None:
            if unheard and prefix:
                if len(self._decoys) >= MAX_DECOYS:
                    self._decoys.clear()
                secret = sigv4.signing_key(self._decoy.secret, presented.scope)
                self._decoys[prefix] = Signer(secret, presented.scope, presented.signed)
            reason, words = _UNKNOWN if rights is None or wrong is None else wrong
            raise Unauthenticated(words, reason)
        namespace = claimant.at or f"aws:{rights.principal.tenant}:{presented.scope.region.decode()}"
        verified = Verified(rights, claimant.credential_id, namespace, claimant.session)
        if prefix:
            if len(claimant.prepared) >= MAX_PREPARED:
                claimant.prepared.clear()
            claimant.prepared[prefix] = (signer, verified)
        return verified

    def _presented(self, request: HttpRequest, service: bytes) -> tuple[Presented, bytes, bytes]:
        """(claims, timestamp, what to remember the signer by)"""
        authorization = request.headers.get(b"authorization")
        query = request.target.partition(b"?")[2]
        if sigv4.is_overlong(query):
            raise _flawed(Flaw.INCOMPLETE)
        in_query = sigv4.is_query_signed(query)
        if in_query and (authorization is not None or b"x-amz-security-token" in request.headers):
            raise _flawed(Flaw.MIXED)
        if in_query and service in self._signed_query:
            presented = sigv4.parse_query(query)
            if isinstance(presented, Flaw):
                raise _flawed(presented)
            return presented, presented.timestamp, b""
        if authorization is None:
            raise _flawed(Flaw.MISSING)
        if len(authorization) > MAX_AUTHORIZATION or isinstance(presented := sigv4.parse_header(authorization), Flaw):
            raise _flawed(Flaw.INCOMPLETE)
        # Only a header that ends with its signature has a prefix that says all the rest.
        prefix = authorization[:-N_SIGNATURE] if authorization.endswith(presented.signature) else b""
        return presented, _stamp(request), prefix if prefix[_AT - 11 : _AT] == b"Credential=" else b""

    # --- who

    def _claimant(self, key_id: bytes, token: bytes | None, request: HttpRequest) -> _Claimant:
        """Who that access key stands for now; the decoy for every reason alike but a session that is over."""
        if key_id[:4] == b"ASIA" and self._kind is CredentialKind.ACCESS_KEY:
            return self._session(key_id, token, request)
        if token is not None:
            return self._decoy
        held = self._directory.credential(key_id.decode()) or self._nobody
        if (credential := held.credential).credential_kind is not self._kind:
            return self._decoy  # the kind first: what is known of a credential is known to one verifier alone
        if credential.expires_at is not None and credential.expires_at <= request.received_at:
            return self._decoy
        claimant: _Claimant | None = held.known  # made once: a change of credential or principal makes another `held`
        if claimant is None:
            claimant = held.known = (
                _Claimant(held.rights, credential.id, credential.secret, {}, at=credential.at)
                if credential.enabled and held.principal.enabled
                else self._decoy
            )
        return claimant

    def _session(self, key_id: bytes, token: bytes | None, request: HttpRequest) -> _Claimant:
        if token is None:
            return self._decoy
        known = self._open.get(token)
        if known is None:
            if (session := self._sessions.open_session(token)) is None:
                return self._decoy
            known = _Open(session, session.narrowing, self._sessions.secret(token).reveal())
            if len(self._open) >= MAX_SESSIONS:
                self._open.clear()
            self._open[token] = known
        session = known.session
        if session.access_key_id.encode() != key_id:
            return self._decoy
        rights = self._directory.narrowed_rights(session.principal_id, known.narrowing)
        if rights is None or not rights.principal.enabled:
            return self._decoy
        if session.expires <= request.second:
            raise Unauthenticated("The security token included in the request is expired", Reason.EXPIRED_TOKEN)
        return _Claimant(rights, session.access_key_id, known.secret, known.prepared, session=session)

    # --- when, where, what

    def _check_scope(self, scope: sigv4.Scope, stamp: bytes, service: bytes) -> None:
        if scope.service != service:
            raise Unauthenticated(
                f"Credential should be scoped to correct service: '{service.decode()}'. ", Reason.WRONG_SCOPE
            )
        if stamp[:8] != scope.date:
            raise Unauthenticated(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
                Reason.WRONG_SCOPE,
            )

    def _check_time(self, stamp: bytes, request: HttpRequest, lasts_for: int) -> None:
        signed = self._seconds.get(stamp)
        if signed is None:
            if (signed := sigv4.seconds(stamp)) is None:
                raise _flawed(Flaw.DATE)
            if len(self._seconds) >= MAX_STAMPS:
                self._seconds.clear()
            self._seconds[stamp] = signed
        now = request.second
        if signed + lasts_for < now:
            minutes = f"{lasts_for // 60} min." if lasts_for == SKEW else f"{lasts_for} sec."
            oldest = sigv4.timestamp(now - lasts_for).decode()
            raise Unauthenticated(
                f"Signature expired: {stamp.decode()} is now earlier than {oldest} "
                f"({sigv4.timestamp(now).decode()} - {minutes})",
                Reason.EXPIRED,
            )
        if signed - SKEW > now:
            newest = sigv4.timestamp(now + SKEW).decode()
            raise Unauthenticated(
                f"Signature not yet current: {stamp.decode()} is still later than {newest} "
                f"({sigv4.timestamp(now).decode()} + {SKEW // 60} min.)",
                Reason.NOT_YET_CURRENT,
            )

    def _wrong(self, signer: Signer, stamp: bytes, signature: bytes, request: HttpRequest) -> tuple[Reason, str] | None:
        """What is wrong with it, and AWS's words for that; None: it fits."""
        headers = request.headers
        expected = signer.signature(request.method, request.target, headers, request.body, stamp)
        for name in signer.unsigned:
            if name in headers:
                return _FLAWS[Flaw.UNSIGNED]
        if expected is None:
            return _FLAWS[Flaw.UNSIGNED]
        return None if hmac.compare_digest(expected, signature) else _MISMATCH


def _stamp(request: HttpRequest) -> bytes:
    stamp = sigv4.header_timestamp(request.headers)
    if isinstance(stamp, Flaw):
        raise _flawed(stamp)
    return stamp


def _flawed(flaw: Flaw) -> Unauthenticated:
    reason, words = _FLAWS[flaw]
    return Unauthenticated(words, reason)
