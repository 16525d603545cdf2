"""Logging in by somebody else's word; and what a mount has been told of whose word counts."""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import CertSettings, JwtSettings, LoginSecret, LoginSettings
from keystead.core.errors import Conflict, Denied, InvalidArgument, NotFound
from keystead.core.operations import LoggedIn
from keystead.core.vouching import admitted
from keystead.core.vouching.words import Certified
from keystead.service.credentials.token import is_within
from keystead.service.handlers.joining import join
from keystead.service.handlers.logins import mount_of
from keystead.service.handlers.loginsettings import check_settings
from keystead.service.handlers.logintokens import drawn, short
from keystead.service.handlers.secondfactor import Entering, let_in
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome


def write_login_settings(op: ops.WriteLoginSettings, targets: tuple[HeldTenant], _act: Act) -> Outcome[LoginSettings]:
    (tenant,) = targets
    mount = mount_of(op, tenant)
    check_settings(op.settings)
    before = tenant.login_settings(mount) or LoginSettings(id=mount.uuid, settings=op.settings)
    settings = replace(before, settings=op.settings)
    if op.secret is None:
        first = (mount,) if not before.revision else ()  # what logins rest on that have looked at none
        return Outcome(answer=settings, put=(settings, *first), seen=(mount,), made=mount.uuid)
    gone = () if (old := tenant.login_secret(before)) is None else (old,)
    if not op.secret:
        settings = replace(settings, shows=False)
        return Outcome(answer=settings, put=(settings,), delete=gone, destroy=gone, seen=(mount,), made=mount.uuid)
    number = before.n_secrets + 1
    settings = replace(settings, n_secrets=number, shows=True)
    secret = LoginSecret(id=f"{mount.uuid}/{number}", number=number, mount=mount.uuid)
    return Outcome(
        answer=settings,
        put=(settings, secret),
        material={secret.id: op.secret},
        delete=gone,
        destroy=gone,
        seen=(mount,),
        made=secret.id,
    )


def read_login_settings(op: ops.ReadLoginSettings, targets: tuple[HeldTenant], _act: Act) -> Outcome[LoginSettings]:
    (tenant,) = targets
    if (found := tenant.login_settings(mount_of(op, tenant))) is None:
        raise NotFound("the mount has no settings yet", "settings")
    return Outcome(answer=found)


def _binds(settings: object) -> bool:
    """Whether whoever renews a token has to show what it was got with."""
    return not isinstance(settings, CertSettings) or settings.binds


def log_in_vouched(op: ops.LogInVouched, targets: tuple[HeldTenant], act: Act) -> Outcome[LoggedIn]:
    """What was looked at has to be what is there: neither the role nor the mount may have changed in between."""
    (tenant,) = targets
    mount, vouched = mount_of(op, tenant), act.caller.vouched
    if vouched is None or act.caller.namespace != mount.id:
        raise Denied("permission denied")
    account, settings = tenant.account(mount, vouched.role), tenant.login_settings(mount)
    if account is None or account.bounds is None:
        raise InvalidArgument(f'role "{vouched.role}" could not be found', "role")
    revision = settings.revision if settings is not None else 0
    if (account.revision, revision) != (vouched.role_revision, vouched.revision):
        raise Conflict("the role or the configuration has changed meanwhile", "role")
    if not is_within(account.terms.bound_cidrs, act.caller.source):
        raise Denied("permission denied", "from elsewhere")
    chosen = settings.settings if settings is not None else None
    issuer = chosen.bound_issuer if isinstance(chosen, JwtSettings) else ""
    who = admitted(vouched, account.bounds, issuer, act.now)
    name = f"{short(mount)}-{who.display_name}" if who.display_name else short(mount)
    whose = join(tenant, mount, who.alias, dict(who.meta), act, groups=who.groups)
    drawn_up = drawn(mount, account.terms, act, op.path, name, dict(who.meta), whose.id)
    if _binds(chosen) and isinstance(vouched.word, Certified) and not drawn_up.token.is_batch:
        drawn_up = replace(drawn_up, token=replace(drawn_up.token, bound_key=vouched.word.key))
    one = Entering(
        mount=mount,
        account=account,
        settings=settings,
        drawn=drawn_up,
        whose=whose,
        seen=(account, mount if settings is None else settings),
    )
    return let_in(tenant, one, act)


HANDLERS: dict[type, Handler] = {
    ops.WriteLoginSettings: write_login_settings,
    ops.ReadLoginSettings: read_login_settings,
    ops.LogInVouched: log_in_vouched,
}
