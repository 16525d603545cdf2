"""Logging in, and who may. Vault documentation, "Userpass auth method", "AppRole auth method", "User lockout"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import ip_network
from itertools import islice
from typing import Any

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Account, Bounds, CertBounds, Entity, Mount, SecretId
from keystead.core.errors import AlreadyExists, InvalidArgument, NotFound
from keystead.core.identifiers import new_id
from keystead.core.operations import LoggedIn, MadeSecretId, Nothing
from keystead.core.sensitive import Sensitive
from keystead.crypto.kdf import SALT_BYTES
from keystead.service.credentials.password import is_right, kept
from keystead.service.credentials.token import digest, is_within
from keystead.service.handlers.joining import join
from keystead.service.handlers.lockouts import failed, forgiven, is_locked
from keystead.service.handlers.loginsettings import check_bounds, check_room
from keystead.service.handlers.logintokens import drawn, short
from keystead.service.handlers.mounts import table_of
from keystead.service.handlers.secondfactor import Entering, let_in
from keystead.service.handlers.secretidbounds import are_granted, check_bounds_of_secret_id
from keystead.service.handlers.tokenparts import most_at
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

MAX_SWEPT = 1000
ROLE = "role"
"""detail of the NotFound for an account that is missing, where something of its own was asked for."""


def mount_of(op: ops.LoginOperation[Any], tenant: HeldTenant) -> Mount:
    for mount in table_of(tenant).mounts:
        if mount.id == op.mount:
            return mount
    raise NotFound("no such mount", "mount")


# --- who may


def write_account(op: ops.WriteAccount, targets: tuple[HeldTenant], act: Act) -> Outcome[Account]:
    (tenant,) = targets
    mount, given = mount_of(op, tenant), op.account
    if not given.name:
        raise InvalidArgument("missing name", "name")
    _check(given)
    if given.bounds is not None:
        check_bounds(given.bounds)
    before = tenant.account(mount, given.name)
    check_room(given, before, tenant)
    role_id = given.role_id or new_id(act.entropy)
    role_digest = tenant.role_digest(mount, role_id) if mount.engine == "approle" else ""
    other = tenant.account_of_role(mount, role_digest) if role_digest else None
    if other is not None and other.name != given.name:
        raise InvalidArgument("role_id is already in use", "role_id")
    account = replace(
        given,
        bounds=_dated(given.bounds, before, act.now),
        id=tenant.account_id(mount, given.name),
        revision=before.revision if before is not None else 0,
        mount=mount.uuid,
        role_id=role_id if role_digest else "",
        role_digest=role_digest,
        password=kept(op.password, act.entropy(SALT_BYTES)) if op.password else before.password if before else b"",
        n_failed=before.n_failed if before is not None else 0,
        failed_at=before.failed_at if before is not None else None,
        locked_until=before.locked_until if before is not None else None,
    )
    if op.password:
        account = forgiven(account)
    return Outcome(answer=account, put=(account,), seen=(mount,), made=account.id)


def _dated(bounds: Bounds | None, before: Account | None, now: datetime) -> Bounds | None:
    """With when its certificate was written: of two of one name the first counts (service.anchors)."""
    if not isinstance(bounds, CertBounds):
        return bounds
    had = before.bounds if before is not None else None
    is_same = isinstance(had, CertBounds) and had.certificate == bounds.certificate
    return replace(bounds, since=had.since if is_same and isinstance(had, CertBounds) else now)


def _check(account: Account) -> None:
    terms = account.terms
    if terms.max_ttl and terms.ttl > terms.max_ttl:
        raise InvalidArgument("'token_ttl' cannot be greater than 'token_max_ttl'", "token_ttl")
    for name, n_uses in (("'token_num_uses'", terms.n_uses), ("secret_id_num_uses", account.secret_id_n_uses)):
        _check_uses(name, n_uses)
    for network in terms.bound_cidrs:
        words = f'error parsing address "{network}": Unable to convert "{network}" to an IPv4 or IPv6 address'
        _check_network(network, f"{words}, or a UNIX Socket")
    for network in account.secret_id_cidrs:
        _check_network(network, f"failed to validate CIDR blocks: invalid CIDR address: {network}")


def _check_network(network: str, words: str) -> None:
    try:
        ip_network(network, strict=False)
    except ValueError:
        raise InvalidArgument(words, "cidr") from None


def _check_uses(name: str, n_uses: int) -> None:
    if n_uses < 0:
        raise InvalidArgument(f"{name} cannot be negative", name)


def read_account(op: ops.ReadAccount, targets: tuple[HeldTenant], _act: Act) -> Outcome[Account]:
    return Outcome(answer=_account(op, targets[0], op.name))


def _account(op: ops.LoginOperation[Any], tenant: HeldTenant, name: str) -> Account:
    if (found := tenant.account(mount_of(op, tenant), name)) is None:
        raise NotFound("no such name at this mount", ROLE)
    return found


def list_accounts(op: ops.ListAccounts, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[str, ...]]:
    (tenant,) = targets
    return Outcome(answer=tuple(sorted(one.name for one in tenant.accounts(mount_of(op, tenant)))))


def delete_account(op: ops.DeleteAccount, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    found = tenant.account(mount_of(op, tenant), op.name)
    return Outcome(answer=Nothing(), delete=() if found is None else with_secret_ids(tenant, found))


def with_secret_ids(tenant: HeldTenant, account: Account) -> tuple[Entity, ...]:
    return (account, *tenant.secret_ids(account))


# --- secret ids


def make_secret_id(op: ops.MakeSecretId, targets: tuple[HeldTenant], act: Act) -> Outcome[MadeSecretId]:
    (tenant,) = targets
    account = _account(op, tenant, op.name)
    if not account.needs_secret_id:
        raise InvalidArgument("bind_secret_id is not set on the role", "bind_secret_id")
    _check_uses("num_uses", op.n_uses or 0)
    for what, networks in (("", op.cidrs), ("token ", op.token_cidrs)):
        for network in networks:
            _check_network(network, f"failed to validate {what}CIDR blocks: invalid CIDR address: {network}")
    check_bounds_of_secret_id(op, account)
    text = op.text or Sensitive(new_id(act.entropy).encode())
    id_ = f"{account.id}/{digest(text)}"
    if (before := tenant.secret_id(id_)) is not None and not before.is_over(act.now):
        raise AlreadyExists("SecretID is already registered", "secret_id")
    ttl = account.secret_id_ttl if op.ttl is None else op.ttl
    ttl = min(ttl, most_at(mount_of(op, tenant)))
    made = SecretId(
        id=id_,
        revision=before.revision if before is not None else 0,
        account_id=account.id,
        accessor=new_id(act.entropy),
        created_at=act.now,
        updated_at=act.now,
        expires_at=act.now + timedelta(seconds=ttl) if ttl else None,
        ttl=ttl,
        n_uses=account.secret_id_n_uses if op.n_uses is None else op.n_uses,
        meta=dict(op.meta),
        cidrs=op.cidrs,
        token_cidrs=op.token_cidrs,
    )
    return Outcome(answer=MadeSecretId(made, text), put=(made, account), made=made.accessor)


def _secret_id(op: ops.SecretIdOperation[Any], tenant: HeldTenant, now: datetime) -> SecretId:
    account = _account(op, tenant, op.name)
    if op.text is not None:
        found = tenant.secret_id(f"{account.id}/{digest(op.text)}")
    else:
        found = tenant.secret_id_of_accessor(account, op.accessor)
    if found is None or found.is_over(now):
        raise NotFound("no such secret id", "secret_id")
    return found


def read_secret_id(op: ops.ReadSecretId, targets: tuple[HeldTenant], act: Act) -> Outcome[SecretId]:
    return Outcome(answer=_secret_id(op, targets[0], act.now))


def destroy_secret_id(op: ops.DestroySecretId, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    """With the logins that it began and that wait for a second factor."""
    (tenant,) = targets
    found = _secret_id(op, tenant, act.now)
    alias = tenant.alias_at(mount_of(op, tenant).accessor, _account(op, tenant, op.name).role_id)
    waiting = tenant.waiting_logins_of(alias.holder) if alias is not None else []
    begun = tuple(one for one in waiting if one.secret_id == found.id)
    return Outcome(answer=Nothing(), delete=(found, *begun), made=found.accessor)


def list_secret_ids(op: ops.ListSecretIds, targets: tuple[HeldTenant], act: Act) -> Outcome[tuple[SecretId, ...]]:
    (tenant,) = targets
    account = _account(op, tenant, op.name)
    return Outcome(answer=tuple(one for one in tenant.secret_ids(account) if not one.is_over(act.now)))


def sweep_secret_ids(op: ops.SweepSecretIds, targets: tuple[HeldTenant], act: Act) -> Outcome[int]:
    (tenant,) = targets
    every = (one for account in tenant.accounts(mount_of(op, tenant)) for one in tenant.secret_ids(account))
    over = tuple(islice((one for one in every if one.is_over(act.now)), MAX_SWEPT))
    return Outcome(answer=len(over), delete=over)


# --- locked out


def _known_as(mount: Mount, account: Account) -> str:
    """What its alias would be called: a role is known by its role id."""
    return account.role_id if mount.engine == "approle" else account.name


def list_locked(op: ops.ListLocked, targets: tuple[HeldTenant], act: Act) -> Outcome[Mapping[str, tuple[str, ...]]]:
    (tenant,) = targets
    mounts = (one for one in tenant.mounts() if op.accessor in {"", one.accessor})
    found = {
        mount.accessor: tuple(
            sorted(_known_as(mount, one) for one in tenant.accounts(mount) if is_locked(one, act.now))
        )
        for mount in mounts
    }
    if op.accessor:
        return Outcome(answer={op.accessor: found.get(op.accessor, ())})
    return Outcome(answer={accessor: names for accessor, names in found.items() if names})


def _known(tenant: HeldTenant, mount: Mount, name: str) -> Account | None:
    if mount.engine == "approle":
        return tenant.account_of_role(mount, tenant.role_digest(mount, name))
    return tenant.account(mount, name.lower())


def unlock_account(op: ops.UnlockAccount, targets: tuple[HeldTenant], act: Act) -> Outcome[Nothing]:
    (tenant,) = targets
    mount = next((one for one in tenant.mounts() if one.accessor == op.accessor), None)
    account = _known(tenant, mount, op.name) if mount is not None else None
    if account is None or not is_locked(account, act.now):
        return Outcome(answer=Nothing())
    return Outcome(answer=Nothing(), put=(forgiven(account),), made=account.id)


# --- logging in


def log_in_by_password(op: ops.LogInByPassword, targets: tuple[HeldTenant], act: Act) -> Outcome[LoggedIn | None]:
    """Whoever has failed too often waits, and is told what everybody is told."""
    (tenant,) = targets
    mount = mount_of(op, tenant)
    account = tenant.account(mount, op.name)
    is_out = account is not None and is_locked(account, act.now)
    is_good = op.password.is_right(account.password if account is not None and not is_out else b"", is_right)
    if account is None or is_out:
        return Outcome(answer=None, why="locked out" if is_out else "nobody")
    if not is_good:
        return Outcome(answer=None, put=(failed(account, act.now),), why="wrong password")
    if not is_within(account.terms.bound_cidrs, act.caller.source):
        return Outcome(answer=None, why="from elsewhere")
    meta = {"username": account.name}
    whose = join(tenant, mount, account.name, None, act)
    one = Entering(
        mount=mount,
        account=account,
        drawn=drawn(mount, account.terms, act, op.path, f"{short(mount)}-{account.name}", meta, whose.id),
        whose=whose,
        seen=(account,),
    )
    return let_in(tenant, one, act)


def log_in_by_role(op: ops.LogInByRole, targets: tuple[HeldTenant], act: Act) -> Outcome[LoggedIn | None]:
    """A role whose secret ids were guessed at too often waits, as whoever has failed with a password does."""
    (tenant,) = targets
    mount = mount_of(op, tenant)
    account = tenant.account_of_role(mount, tenant.role_digest(mount, op.role_id))
    if account is None:
        return Outcome(answer=None, why="nobody")
    if is_locked(account, act.now):
        return Outcome(answer=None, why="locked out")
    if not is_within(account.terms.bound_cidrs, act.caller.source):  # where no secret id lets in, none is guessed at
        return Outcome(answer=None, why="from elsewhere")
    terms, meta = account.terms, {"role_name": account.name}
    seen: tuple[Entity, ...] = (account,)
    put: tuple[Entity, ...] = ()
    delete: tuple[Entity, ...] = ()
    found: SecretId | None = None
    if account.needs_secret_id:
        found = tenant.secret_id(f"{account.id}/{digest(op.secret_id)}") if op.secret_id is not None else None
        if found is None or found.is_over(act.now):
            counted = () if op.secret_id is None else (failed(account, act.now),)
            return Outcome(answer=None, put=counted, why="no such secret id")
        if not all(is_within(cidrs, act.caller.source) for cidrs in (found.cidrs, account.secret_id_cidrs)):
            return Outcome(answer=None, why="from elsewhere")
        if found.n_uses == 1:
            delete = (found,)
        elif found.n_uses:
            put = (replace(found, n_uses=found.n_uses - 1, updated_at=act.now),)
        meta = {**found.meta, **meta}
        if found.token_cidrs and are_granted(found.token_cidrs, terms.bound_cidrs):  # the role may have narrowed since
            terms = replace(terms, bound_cidrs=found.token_cidrs)
        seen = seen if put or delete else (account, found)
    whose = join(tenant, mount, op.role_id, meta, act)
    one = Entering(
        mount=mount,
        account=account,
        drawn=drawn(mount, terms, act, op.path, short(mount), meta, whose.id),
        whose=whose,
        shown=found,
        put=put,
        delete=delete,
        seen=seen,
    )
    return let_in(tenant, one, act)


HANDLERS: dict[type, Handler] = {
    ops.WriteAccount: write_account,
    ops.ReadAccount: read_account,
    ops.ListAccounts: list_accounts,
    ops.DeleteAccount: delete_account,
    ops.MakeSecretId: make_secret_id,
    ops.ReadSecretId: read_secret_id,
    ops.DestroySecretId: destroy_secret_id,
    ops.ListSecretIds: list_secret_ids,
    ops.SweepSecretIds: sweep_secret_ids,
    ops.ListLocked: list_locked,
    ops.UnlockAccount: unlock_account,
    ops.LogInByPassword: log_in_by_password,
    ops.LogInByRole: log_in_by_role,
}
