"""The one place where a Caller is made. tests/house holds every other module to that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from keystead.core.caller import Asked, Caller, Factor
from keystead.core.entities import CredentialKind, Mount, Principal, PrincipalKind
from keystead.core.errors import Denied, Unauthenticated, Unsupported
from keystead.core.policy.arn import tenant_of
from keystead.core.ports import Entropy
from keystead.core.rights import Rights
from keystead.service.credentials import Directory, Reason
from keystead.service.credentials.peer import verify_peer
from keystead.service.credentials.session import Sessions
from keystead.service.credentials.sigv4 import SigV4, Verified
from keystead.service.credentials.token import check_token, verify_token
from keystead.service.credentials.vouchers import Shown, Vouchers
from keystead.service.credentials.webidentity import WebIdentities
from keystead.service.held import HeldToken
from keystead.service.rates import Throttle
from keystead.wire.http import HttpRequest
from keystead.wire.jose import Token

__all__ = ["Authenticator", "Reason"]

R = TypeVar("R")
NOTHING_SHOWN: Mapping[str, Factor] = {}
MAX_SUBJECT = 255  # characters of who somebody else says it is
MAX_THEIRS = 128  # characters of a request id that is not ours


class Authenticator:
    """One method per kind of credential. Each raises Unauthenticated, its detail a Reason; RateLimited; WouldBlock."""

    def __init__(
        self,
        directory: Directory,
        sessions: Sessions,
        entropy: Entropy,
        throttle: Throttle | None = None,
        *,
        web_identities: WebIdentities | None = None,
        vouchers: Vouchers | None = None,
    ) -> None:
        self._directory, self._throttle, self._web_identities = directory, throttle, web_identities
        self._vouchers = vouchers
        self._sigv4 = SigV4(directory, sessions, entropy)
        self._xks = SigV4(directory, sessions, entropy, kind=CredentialKind.XKS)

    def aws(self, request: HttpRequest, *, service: str, door: str, wire_operation: str, request_id: str) -> Caller:
        """The caller of a request signed with SigV4 for `service` ("kms", "sts", "iam").

        Its namespace is "aws:<tenant of the credential>:<region of the scope>".
        """
        verified = self._verified(self._sigv4, request, service.encode())
        return _signed(verified, request, door, wire_operation, request_id)

    def xks(self, request: HttpRequest, *, door: str, wire_operation: str, request_id: str) -> Caller:
        """AWS KMS towards an external key store. Its namespace is the address that the credential was made for.

        XKS Proxy API, Appendix A: X-Amz-Date has to be there, and so to be signed.
        """
        if b"x-amz-date" not in request.headers:
            raise Unauthenticated("X-Amz-Date is missing", Reason.INCOMPLETE)
        verified = self._verified(self._xks, request, b"kms-xks-proxy")
        return _signed(verified, request, door, wire_operation, request_id)

    def web_identity(
        self, request: HttpRequest, token: Token, *, tenant: str, door: str, wire_operation: str, request_id: str
    ) -> Caller:
        """Whoever a token of one of the tenant's providers speaks of; they belong to no Region.

        Raises Unauthenticated, its detail a webidentity.Flaw; Unavailable where the issuer's keys cannot be had.
        """
        if self._web_identities is None:
            raise Unsupported("no tokens are taken here", "token")
        known = self._web_identities
        who = self._limited(request, lambda: known.verify(token, tenant, request.received_at), lambda who: who.id)
        return Caller(
            principal=who,
            rights=Rights.alone(who),
            credential_id=who.provider,
            namespace=f"aws:{tenant}:",
            door=door,
            wire_operation=wire_operation,
            request_id=request_id,
            source=request.peer,
            now=request.received_at,
            secure=request.secure,
        )

    def correlated(self, caller: Caller, theirs: str) -> Caller:
        """The same caller, on record with the id that its own side gives to the request, as far as it is short."""
        return replace(caller, request_id=f"{caller.request_id} for {theirs[:MAX_THEIRS]}")

    def _verified(self, sigv4: SigV4, request: HttpRequest, service: bytes) -> Verified:
        if self._throttle is None:  # every request of AWS's clients passes here
            return sigv4.verify(request, service)
        return self._limited(
            request, lambda: sigv4.verify(request, service), lambda verified: verified.rights.principal.id
        )

    def token(self, request: HttpRequest, text: str) -> HeldToken:
        """The Vault token of that text, good now and from here."""

        def verify() -> HeldToken:
            return verify_token(self._directory, text, request.peer, request.received_at)

        return self._limited(request, verify, lambda held: held.token.bearer)

    def again(self, held: HeldToken, request: HttpRequest) -> None:
        """As token(), of one that it has found, where nothing that is held of the store has changed since."""
        if self._throttle is None:  # every request of a token that is known passes here
            check_token(self._directory, held, request.peer, request.received_at)
            return
        self._limited(
            request,
            lambda: check_token(self._directory, held, request.peer, request.received_at),
            lambda _: held.token.bearer,
        )

    def _limited(self, request: HttpRequest, verify: Callable[[], R], who: Callable[[R], str]) -> R:
        """Within the rates that are set. `who`: by what name what was verified is counted."""
        if (throttle := self._throttle) is None:
            return verify()
        throttle.admit(request.peer, request.second)
        try:
            verified = verify()
        except Unauthenticated:
            throttle.refused(request.peer, request.second)
            raise
        throttle.known(who(verified), request.second)
        return verified

    def unknown(
        self,
        request: HttpRequest,
        *,
        tenant: str,
        namespace: str,
        door: str,
        wire_operation: str,
        request_id: str,
        asked: Asked,
        factors: Mapping[str, Factor] = NOTHING_SHOWN,
    ) -> Caller:
        """Whoever is about to log in: a principal of no rights that is nowhere kept. Raises RateLimited, Denied."""
        if self._throttle is not None:
            self._throttle.admit(request.peer, request.second)
        nobody = Principal(
            id=namespace,
            tenant=tenant,
            principal_kind=PrincipalKind.TOKEN,
            name="",
            name_digest="",
            created_at=request.received_at,
        )
        if (rights := self._directory.strangers(Rights.alone(nobody))) is None:
            raise Denied("permission denied")
        return Caller(
            principal=nobody,
            rights=rights,
            credential_id="",
            namespace=namespace,
            door=door,
            wire_operation=wire_operation,
            request_id=request_id,
            source=request.peer,
            now=request.received_at,
            secure=request.secure,
            asked=asked,
            certificates=request.certificates,
            factors=factors,
        )

    def claiming(self, who: Caller, role: str) -> Caller:
        """The same stranger, on record with the role that they ask for."""
        return replace(who, credential_id=role[:MAX_THEIRS])

    def vouched(self, who: Caller, mount: Mount, word: Shown) -> Caller:
        """Whoever is about to log in, once somebody has vouched for them: on record by their role and name.

        Raises InvalidArgument, Unauthenticated (detail Unfit) in words for whoever sent it; Unavailable.
        """
        if self._vouchers is None:
            raise Unsupported("nobody's word is taken here", "word")
        vouched = self._vouchers.verify(mount, word, who.certificates, who.now)
        subject = vouched.word.subject[:MAX_SUBJECT]
        id_ = f"{who.namespace}:{vouched.role}:{subject}"
        known = replace(who.principal, id=id_, name=subject, policies=vouched.policies)
        rights = replace(Rights.alone(known), rests_on=who.rights.rests_on)
        return replace(who, principal=known, rights=rights, credential_id=vouched.role, vouched=vouched)

    def turned_away(self, request: HttpRequest) -> None:
        """Count a login that did not succeed against where it came from."""
        if self._throttle is not None:
            self._throttle.refused(request.peer, request.second)

    def used(self, held: HeldToken, now: datetime) -> HeldToken:
        """The same token once a use of it has been counted: the last one may be under way. Raises Unauthenticated."""
        again = self._directory.token(held.token.id)
        if again is None or again.token.is_over(now):
            raise Unauthenticated("permission denied", Reason.UNKNOWN)
        return again

    def bearer(
        self,
        held: HeldToken,
        request: HttpRequest,
        *,
        namespace: str,
        door: str,
        wire_operation: str,
        request_id: str,
        asked: Asked | None,
        unlocking: bool = False,
    ) -> Caller:
        """The bearer of a token that token() has found. `asked`: the request as policies of paths look at it.

        The tenant that `namespace` names is the token's own or stands below it: there the bearer is one of its
        principals. Raises Denied for any other; Unavailable while its API is locked.
        """
        rights = self._directory.within(held.rights, tenant_of(namespace), unlocking=unlocking)
        return Caller(
            principal=rights.principal,
            rights=rights,
            credential_id=held.token.bearer,
            namespace=namespace,
            door=door,
            wire_operation=wire_operation,
            request_id=request_id,
            source=request.peer,
            now=request.received_at,
            secure=request.secure,
            asked=asked,
            certificates=request.certificates,
        )

    def itself(
        self, principal: Principal, *, namespace: str, door: str, operation: str, request_id: str, now: datetime
    ) -> Caller:
        """Keystead's own scheduler, or the process that has opened the installation as a library."""
        return Caller(
            principal=principal,
            rights=Rights.alone(principal),
            credential_id="",
            namespace=namespace,
            door=door,
            wire_operation=operation,
            request_id=request_id,
            source="",
            now=now,
        )

    def peer(self, request: HttpRequest, *, namespace: str, door: str, wire_operation: str, request_id: str) -> Caller:
        """The caller at the other end of a unix socket; request.peer is "uid:<n>"."""
        held = verify_peer(self._directory, request.peer)
        return Caller(
            principal=held.principal,
            rights=held.rights,
            credential_id=held.credential.id,
            namespace=namespace,
            door=door,
            wire_operation=wire_operation,
            request_id=request_id,
            source=request.peer,
            now=request.received_at,
            secure=request.secure,
        )


def _signed(verified: Verified, request: HttpRequest, door: str, wire_operation: str, request_id: str) -> Caller:
    caller = Caller(
        principal=verified.rights.principal,
        rights=verified.rights,
        credential_id=verified.credential_id,
        namespace=verified.namespace,
        door=door,
        wire_operation=wire_operation,
        request_id=request_id,
        source=request.peer,
        now=request.received_at,
        secure=request.secure,
    )
    session = verified.session
    if session is None:
        return caller
    return replace(
        caller,
        session=session.name,
        began_at=session.issued,
        ends_at=session.expires,
        provider=session.provider,
        behind=session.behind,
    )
