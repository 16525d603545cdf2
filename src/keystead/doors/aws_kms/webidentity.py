"""sts:AssumeRoleWithWebIdentity: the one request that is not signed. Its credential is the token in it.

Spec: STS API Reference 2011-06-15, under this name.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from keystead.core import operations as ops
from keystead.core.federation import SCHEME, WebIdentity
from keystead.core.operations import PrincipalRef
from keystead.doors.aws_kms.query import not_offered, query_operation
from keystead.doors.aws_kms.sessions import (
    OF_A_POLICY,
    Arn,
    AssumedRoleUser,
    Credentials,
    Opened,
    PolicyDescriptor,
    SessionName,
    SessionPolicy,
    TokenSize,
    policies_named,
    role_named,
    session_policy,
    token_size,
    utilization,
)
from keystead.kit import Call, Message
from keystead.service.credentials.webidentity import invalid
from keystead.wire import Malformed, jose


class AssumeRoleWithWebIdentityRequest(Message, frozen=True, kw_only=True, rename="pascal"):
    role_arn: Arn
    role_session_name: SessionName
    web_identity_token: Annotated[str, Meta(min_length=4, max_length=20000)]
    provider_id: Annotated[str, Meta(min_length=4, max_length=2048)] | None = None
    policy_arns: list[PolicyDescriptor] | None = None
    policy: Annotated[SessionPolicy, Meta(max_length=2048)] | None = None
    duration_seconds: Annotated[int, Meta(ge=900, le=43200)] | None = None
    minimum_session_token_size: TokenSize | None = None


class AssumeRoleWithWebIdentityResponse(Opened, frozen=True, kw_only=True, rename="pascal"):
    subject_from_web_identity_token: str
    assumed_role_user: AssumedRoleUser
    provider: str
    audience: str
    packed_policy_size: int | None = None  # percent


N_FORM, N_PARAMETERS = 32 * 1024, 64


def bounded(form: bytes) -> bytes:
    """The form of a request that nobody has signed, before it is read. Raises Malformed for more than it could need."""
    if len(form) > N_FORM or form.count(b"&") > N_PARAMETERS:
        raise Malformed("too many parameters")
    return form


class Presented:
    """What a request says of who sends it, before anybody has looked whether it is true."""

    def __init__(self, req: AssumeRoleWithWebIdentityRequest, *, in_url: bool) -> None:
        """Raises InvalidArgument for a role that is none, Unauthenticated for a token that is none.

        `in_url`: the token came in the URL, where proxies write it into their logs.
        """
        self.tenant = role_named(req.role_arn).tenant
        if in_url:
            raise invalid("The token is taken from the body of a request alone")
        try:
            self.token = jose.token(req.web_identity_token)
        except Malformed as error:
            raise invalid(f"The ID Token provided is not a valid JWT: {error}") from None
        claims = self.token.claims
        self.claims = f"{claims.iss} {claims.sub}"


@query_operation(
    "sts",
    "AssumeRoleWithWebIdentity",
    errors=OF_A_POLICY | {"InvalidIdentityToken", "ExpiredTokenException", "IDPRejectedClaim", "IDPCommunicationError"},
)
def assume_role_with_web_identity(
    req: AssumeRoleWithWebIdentityRequest, call: Call
) -> AssumeRoleWithWebIdentityResponse:
    not_offered(
        provider_id=req.provider_id,
        minimum_session_token_size=req.minimum_session_token_size or None,
    )
    who = call.caller.principal
    assert isinstance(who, WebIdentity)  # noqa: S101 - the door lets nobody else do this
    role, name = role_named(req.role_arn), req.role_session_name
    made = call(
        ops.AssumeRoleWithWebIdentity(
            principal=PrincipalRef(role.tenant, role.kind, role.name, role.path),
            session_name=name,
            seconds=req.duration_seconds,
            policy=session_policy(req.policy),
            policies=policies_named(req.policy_arns or []),
        )
    )
    packs, size = req.policy is not None or req.policy_arns, token_size(made)
    return AssumeRoleWithWebIdentityResponse(
        credentials=Credentials.of(made),
        subject_from_web_identity_token=who.name,
        assumed_role_user=AssumedRoleUser.of(made, role, name),
        provider=SCHEME + who.issuer,
        audience=who.audiences[0],
        packed_policy_size=utilization(size) if packs else None,
        session_token_size=size,
        session_token_utilization=utilization(size),
    )


OPERATIONS = (assume_role_with_web_identity,)
