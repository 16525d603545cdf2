"""AWS access keys and sessions: whose signature is this?

A signature is good for five minutes around its time, header or not; within them a captured request may be sent
again. AWS keeps no nonce and neither do we: what a replay does is what the first request did, over TLS nobody else
sees one, and every use is on record. (KMS Developer Guide; AWS General Reference, "Protect against reuse".)

What may be told apart from outside: a wrong signature of an existing key, and a key that is not there, as AWS does.
What may not: a key that never was, one that is disabled, expired, or whose principal is. All of these cost
a whole verification against a secret that nobody has, and get one answer (security.md §4-B rows 15, 16).
"""

from __future__ import annotations

import hmac

from msgspec import Struct, field

from keystead.core.entities import CredentialKind
from keystead.core.errors import Unauthenticated
from keystead.core.ports import Entropy
from keystead.core.rights import Narrowing, Rights
from keystead.service.credentials import Directory, Reason
from keystead.service.credentials.session import Session, Sessions
from keystead.wire.aws import sigv4
from keystead.wire.aws.sigv4 import N_SIGNATURE, SKEW, Flaw, Presented, Signer
from keystead.wire.http import HttpRequest

MAX_PREPARED = 64  # signers per credential: a day, a region, a service and a set of headers each
MAX_SESSIONS = 4096
MAX_STAMPS = 1024
MAX_AUTHORIZATION = 2048  # bytes
_AT = len("AWS4-HMAC-SHA256 Credential=")
_QUESTION_MARK = ord("?")

_UNKNOWN = "The security token included in the request is invalid."
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
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

    rights: Rights
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
        self._nobody = entropy(32).hex().encode()
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
            claimant = self._claimant(key_id, token, request) if key_id.isalnum() else None
            if claimant is not None and (known := claimant.prepared.get(authorization[:-N_SIGNATURE])) is not None:
                signer, verified = known
                stamp = request.headers.get(b"x-amz-date") or _stamp(request)
                self._check_scope(signer.scope, stamp, service)
                self._check_time(stamp, request, SKEW)
                self._check(signer, stamp, authorization[-N_SIGNATURE:], request)
                if verified.rights is claimant.rights:
                    return verified
                return Verified(claimant.rights, claimant.credential_id, verified.namespace, claimant.session)
        return self._first(request, service)

    def _first(self, request: HttpRequest, service: bytes) -> Verified:
        """The whole way, for a signer not seen before; what it learns is kept only if the signature is good."""
        presented, stamp, prefix = self._presented(request, service)
        self._check_scope(presented.scope, stamp, service)
        self._check_time(stamp, request, SKEW if presented.expires is None else presented.expires)
        token = presented.token or request.headers.get(b"x-amz-security-token")
        claimant = self._claimant(presented.access_key_id.encode(), token, request)
        secret = self._nobody if claimant is None else claimant.secret
        signer = Signer(sigv4.signing_key(secret, presented.scope), presented.scope, presented.signed)
        try:
            self._check(signer, stamp, presented.signature, request)
        except Unauthenticated:
            if claimant is not None:
                raise
        if claimant is None:
            raise Unauthenticated(_UNKNOWN, Reason.UNKNOWN)
        namespace = claimant.at or f"aws:{claimant.rights.principal.tenant}:{presented.scope.region.decode()}"
        verified = Verified(claimant.rights, claimant.credential_id, namespace, claimant.session)
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

    def _claimant(self, key_id: bytes, token: bytes | None, request: HttpRequest) -> _Claimant | None:
        """Who that access key stands for now; None for every reason alike but a session that is over."""
        if key_id[:4] == b"ASIA" and self._kind is CredentialKind.ACCESS_KEY:
            return self._session(key_id, token, request)
        if token is not None:
            return None
        held = self._directory.credential(key_id.decode("ascii", "replace"))
        if held is None or (credential := held.credential).credential_kind is not self._kind:
            return None  # the kind first: what is known of a credential is known to one verifier alone
        if credential.expires_at is not None and credential.expires_at <= request.received_at:
            return None
        claimant: _Claimant | None = held.known  # made once: a change of credential or principal makes another `held`
        if claimant is None and credential.enabled and held.principal.enabled:
            claimant = held.known = _Claimant(held.rights, credential.id, credential.secret, {}, at=credential.at)
        return claimant

    def _session(self, key_id: bytes, token: bytes | None, request: HttpRequest) -> _Claimant | None:
        if token is None:
            return None
        known = self._open.get(token)
        if known is None:
            if (session := self._sessions.open_session(token)) is None:
                return None
            known = _Open(session, session.narrowing, self._sessions.secret(token).reveal())
            if len(self._open) >= MAX_SESSIONS:
                self._open.clear()
            self._open[token] = known
        session = known.session
        if session.access_key_id.encode() != key_id:
            return None
        rights = self._directory.narrowed_rights(session.principal_id, known.narrowing)
        if rights is None or not rights.principal.enabled:
            return None
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

    def _check(self, signer: Signer, stamp: bytes, signature: bytes, request: HttpRequest) -> None:
        headers = request.headers
        expected = signer.signature(request.method, request.target, headers, request.body, stamp)
        for name in signer.unsigned:
            if name in headers:
                raise _flawed(Flaw.UNSIGNED)
        if expected is None:
            raise _flawed(Flaw.UNSIGNED)
        if not hmac.compare_digest(expected, signature):
            raise Unauthenticated(_MISMATCH, Reason.MISMATCH)


def _stamp(request: HttpRequest) -> bytes:
    stamp = sigv4.header_timestamp(request.headers)
    if isinstance(stamp, Flaw):
        raise _flawed(stamp)
    return stamp


def _flawed(flaw: Flaw) -> Unauthenticated:
    reason, words = _FLAWS[flaw]
    return Unauthenticated(words, reason)
