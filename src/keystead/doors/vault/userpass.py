"""auth/userpass: users with a name and a password. Vault HTTP API, "Username & password auth method"."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Account
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.accounts import find_account, list_accounts
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.terms import TermsRequest, logged_in, terms, told
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.credentials.password import MAX_BYTES
from keystead.wire.vault.kinds import Caseless, CommaStrings
from keystead.wire.vault.multierror import multierror
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

WRONG = "invalid username or password"
NO_PASSWORD = "must provide either password or password_hash"  # noqa: S105 - words, not a password
BOTH = "only one of password or password_hash may be provided"
NO_HASH = "password_hash is not offered: passwords are kept under Argon2id, so give the password"


class UserRequest(Parameters, frozen=True, kw_only=True):
    username: Caseless = CAPTURED


class WriteUserRequest(TermsRequest, frozen=True, kw_only=True):
    username: Caseless = CAPTURED
    password: str = ""
    password_hash: str = ""

    def __repr__(self) -> str:
        return "WriteUserRequest(…)"


class LoginRequest(Parameters, frozen=True, kw_only=True):
    username: Caseless = CAPTURED
    password: str = ""

    def __repr__(self) -> str:
        return "LoginRequest(…)"


class PasswordRequest(LoginRequest, frozen=True, kw_only=True):
    password_hash: str = ""

    def __repr__(self) -> str:
        return "PasswordRequest(…)"


class PoliciesRequest(Parameters, frozen=True, kw_only=True):
    username: Caseless = CAPTURED
    policies: CommaStrings = ()
    token_policies: CommaStrings = ()


def _require_plain(req: WriteUserRequest | PasswordRequest) -> None:
    """Raises Said for a password that somebody else has hashed: bcrypt, which OpenBao keeps, is none of ours."""
    if req.password_hash:
        raise Said(400, BOTH if req.password else NO_HASH)


def _put(call: Call, account: Account, password: str = "") -> None:
    if len(password) > MAX_BYTES:
        raise Said(400, "password is too long")
    secret = Sensitive(password.encode()) if password else None
    call(ops.WriteAccount(tenant=here(call), mount=call.namespace, account=account, password=secret))


@endpoint("userpass", Verb.WRITE, "users/{username}", creates=True)
def write_user(req: WriteUserRequest, call: Call) -> None:
    user = find_account(call, req.username.lower())
    _require_plain(req)
    if user is None and not req.password:
        raise Said(400, NO_PASSWORD)
    user = user or Account(id="", mount=call.namespace, name=req.username.lower())
    _put(call, replace(user, terms=terms(req, user.terms)), req.password)


@endpoint("userpass", Verb.READ, "users/{username}")
def read_user(req: UserRequest, call: Call) -> dict[str, Any]:
    if (user := find_account(call, req.username.lower())) is None:
        raise Said(404, "")
    return told(user.terms)


@endpoint("userpass", Verb.LIST, "users/?")
def list_users(_req: Nothing, call: Call) -> dict[str, Any]:
    return list_accounts(call)


@endpoint("userpass", Verb.DELETE, "users/{username}")
def delete_user(req: UserRequest, call: Call) -> None:
    call(ops.DeleteAccount(tenant=here(call), mount=call.namespace, name=req.username.lower()))


def _existing(call: Call, name: str) -> Account:
    if (user := find_account(call, name.lower())) is None:
        raise Said(500, multierror("username does not exist"))
    return user


@endpoint("userpass", Verb.WRITE, "users/{username}/password")
def write_password(req: PasswordRequest, call: Call) -> None:
    user = _existing(call, req.username)
    _require_plain(req)
    if not req.password:
        raise Said(400, NO_PASSWORD)
    _put(call, user, req.password)


@endpoint("userpass", Verb.WRITE, "users/{username}/policies")
def write_policies(req: PoliciesRequest, call: Call) -> None:
    user = _existing(call, req.username)
    named = tuple(name.lower() for name in req.token_policies or req.policies)
    _put(call, replace(user, terms=replace(user.terms, policies=named)))


@endpoint("userpass", Verb.WRITE, "login/{username}", unsigned=True)
def login(req: LoginRequest, call: Call) -> Answer:
    if not req.password:
        raise Said(500, "missing password")
    if len(req.password) > MAX_BYTES:
        raise Said(400, WRONG)
    asked = call.caller.asked
    made = call(
        ops.LogInByPassword(
            tenant=here(call),
            mount=call.namespace,
            name=req.username.lower(),
            password=ops.Tried(Sensitive(req.password.encode())),
            path=asked.here if asked is not None else "",
        )
    )
    if made is None:
        raise Said(400, WRONG)
    return logged_in(made)


OPERATIONS = (
    write_user,
    read_user,
    list_users,
    delete_user,
    write_password,
    write_policies,
    login,
)
