"""Logging in in a browser: a state that goes to the issuer and comes back once. OpenID Connect Core 1.0 §3.1.2.

Strangers begin logins, so those that are under way are bounded for each mount; where there are too many, one of
the older gives way of the address that has most.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Account, JwtBounds, JwtSettings, LoginSettings, OidcLogin
from keystead.core.errors import Conflict, Denied, InvalidArgument
from keystead.core.sensitive import Sensitive
from keystead.core.vouching.browsers import LOGIN_FAILED, NO_STATE, drawn, is_back, parted
from keystead.core.vouching.words import Granted, Published
from keystead.service.credentials.token import digest
from keystead.service.handlers.crowding import gone, neighbourhood
from keystead.service.handlers.logins import mount_of
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.wire.oidc import authorization_url, challenge

LASTS = timedelta(minutes=10)
MOST = 512  # under way at a mount
N_STATE, N_SEED = 24, 32  # bytes
MAX_URI = 2048  # characters
MAX_STATE = 256  # characters


def begin_oidc_login(op: ops.BeginOidcLogin, targets: tuple[HeldTenant], act: Act) -> Outcome[ops.Begun]:
    """What the issuer was asked for has to be what is there: neither role nor settings may have changed in between."""
    (tenant,) = targets
    mount, vouched = mount_of(op, tenant), act.caller.vouched
    if vouched is None or not isinstance(vouched.word, Published) or act.caller.namespace != mount.id:
        raise Denied("permission denied")
    account, settings = tenant.account(mount, vouched.role), tenant.login_settings(mount)
    if account is None or settings is None or not isinstance(settings.settings, JwtSettings):
        raise InvalidArgument(f'role "{vouched.role}" could not be found', "role")
    if (account.revision, settings.revision) != (vouched.role_revision, vouched.revision):
        raise Conflict("the role or the configuration has changed meanwhile", "role")
    if (granted := vouched.word.granted) is not None:
        return _on_another_device(op, granted, account, settings, act, tenant.oidc_logins(mount))
    bounds, place = account.bounds, vouched.word.authorization_endpoint
    if len(op.redirect_uri) > MAX_URI:
        raise InvalidArgument("redirect_uri is too long", "redirect_uri")
    back, namespace = parted(op.redirect_uri, settings.settings)
    if not place or not isinstance(bounds, JwtBounds) or not is_back(bounds, back):
        return Outcome(answer=ops.Begun(), why="redirect_uri")
    state = _new_state(act)
    begun = replace(_begun(op, account, act, state, settings.revision), redirect_uri=back)
    told = f"{state},ns={namespace}" if namespace else state
    url = authorization_url(place, _asked(begun, bounds, settings.settings, told))
    answer, delete = ops.Begun(url=Sensitive(url.encode())), _gone(tenant.oidc_logins(mount), begun, act)
    return Outcome(answer=answer, put=(begun,), delete=delete, seen=(mount, account, settings))


def _new_state(act: Act) -> str:
    return "st_" + urlsafe_b64encode(act.entropy(N_STATE)).decode()


def _on_another_device(
    op: ops.BeginOidcLogin,
    granted: Granted,
    account: Account,
    settings: LoginSettings,
    act: Act,
    under_way: list[OidcLogin],
) -> Outcome[ops.Begun]:
    """RFC 8628 §3.2. Only who has begun it may ask about it: without a nonce of theirs there is none."""
    if not op.client_nonce:
        raise InvalidArgument("missing client_nonce", "client_nonce")
    state, lasts = _new_state(act), min(timedelta(seconds=granted.expires_in) or LASTS, LASTS)
    begun = replace(
        _begun(op, account, act, state, settings.revision),
        redirect_uri="",
        device_code=granted.device_code,
        poll_interval=granted.interval,
        expires_at=act.now + lasts,
    )
    answer = ops.Begun(
        url=Sensitive(granted.page.encode()),
        state=Sensitive(state.encode()),
        user_code=granted.user_code,
        poll_interval=granted.interval,
    )
    return Outcome(answer=answer, put=(begun,), delete=_gone(under_way, begun, act), seen=(account, settings))


def _begun(op: ops.BeginOidcLogin, role: Account, act: Act, state: str, revision: int) -> OidcLogin:
    return OidcLogin(
        id=f"{role.mount}/{digest(Sensitive(state.encode()))}",
        mount=role.mount,
        role=role.name,
        redirect_uri=op.redirect_uri,
        seed=act.entropy(N_SEED),
        client_nonce=_kept(op.client_nonce),
        settings_revision=revision,
        source=act.caller.source,
        begun_at=act.now,
        expires_at=act.now + LASTS,
    )


def _kept(nonce: Sensitive) -> str:
    return digest(nonce) if nonce else ""


def _asked(begun: OidcLogin, bounds: JwtBounds, settings: JwtSettings, state: str) -> dict[str, str]:
    """The parameters of an authentication request. OpenID Connect Core 1.0 §3.1.2.1, RFC 7636 §4.3."""
    scopes = tuple(dict.fromkeys(("openid", *bounds.scopes)))
    said = {
        "client_id": settings.client_id,
        "code_challenge": challenge(drawn(begun.seed, "verifier")),
        "code_challenge_method": "S256",
        "nonce": drawn(begun.seed, "nonce"),
        "redirect_uri": begun.redirect_uri,
        "response_type": "code",
        "scope": " ".join(scopes),
        "state": state,
    }
    return said | ({"max_age": str(bounds.max_age)} if bounds.max_age else {})


def _gone(under_way: list[OidcLogin], begun: OidcLogin, act: Act) -> tuple[OidcLogin, ...]:
    return gone(under_way, begun, MOST, lambda one: neighbourhood(one.source), act.now)


def take_oidc_login(op: ops.TakeOidcLogin, targets: tuple[HeldTenant], act: Act) -> Outcome[OidcLogin | None]:
    (tenant,) = targets
    mount = mount_of(op, tenant)
    if act.caller.namespace != mount.id:
        raise Denied("permission denied")
    if tenant.login_settings(mount) is None:
        raise InvalidArgument(f"{LOGIN_FAILED} Could not load configuration", "settings")
    begun = tenant.oidc_login(f"{mount.uuid}/{digest(op.state)}") if 0 < len(op.state) <= MAX_STATE else None
    if begun is None or begun.is_over(act.now) or bool(begun.device_code) is not op.on_another_device:
        raise InvalidArgument(NO_STATE, "state")
    if begun.client_nonce and not hmac.compare_digest(begun.client_nonce, _kept(op.client_nonce)):
        return Outcome(answer=None, delete=(begun,), why="client_nonce")
    return Outcome(answer=begun, delete=() if op.stays else (begun,))


HANDLERS: dict[type, Handler] = {
    ops.BeginOidcLogin: begin_oidc_login,
    ops.TakeOidcLogin: take_oidc_login,
}
