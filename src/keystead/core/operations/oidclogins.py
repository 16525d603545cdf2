"""Logging in in a browser, at an issuer of OpenID Connect. `mount` is as for other logins."""

from __future__ import annotations

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import OidcLogin
from keystead.core.operations.logins import LoginOperation
from keystead.core.sensitive import Sensitive

NOTHING = Sensitive(b"")


class Begun(Struct, frozen=True, kw_only=True):
    """`url`: where to go. `state`, `user_code` and `poll_interval` (seconds): of a login on another device."""

    url: Sensitive = NOTHING
    state: Sensitive = NOTHING
    user_code: str = ""
    poll_interval: int = 0


class BeginOidcLogin(LoginOperation[Begun], frozen=True, kw_only=True):
    """By a caller for whom the issuer has been asked where it lets people in (Caller.vouched: Published).

    Answers the URL to go to; an empty one where the role allows no such `redirect_uri`. Raises InvalidArgument,
    Denied, and Conflict where role or settings have changed since the issuer was asked.
    """

    action = Action.BEGIN_OIDC_LOGIN
    changes = True
    redirect_uri: str
    client_nonce: Sensitive


class TakeOidcLogin(LoginOperation[OidcLogin | None], frozen=True, kw_only=True):
    """The one that was begun with this state, which nobody takes twice.

    None: `client_nonce` is another than it was begun with, and it is over. Raises InvalidArgument for a state that is
    not known at this mount, or not any more.
    """

    action = Action.TAKE_OIDC_LOGIN
    changes = True
    state: Sensitive
    client_nonce: Sensitive
    on_another_device: bool = False  # it was begun there, and nobody comes back from it
    stays: bool = False  # it is only looked at: of a login on another device, which is asked about again and again
