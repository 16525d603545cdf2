"""What can be mounted, and what may be said of it: a table, and the members of `config`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from keystead.doors.vault.endpoint import Said
from keystead.wire.vault import FieldError
from keystead.wire.vault.fields import coerced
from keystead.wire.vault.kinds import Kind


class Engine(Struct, frozen=True, kw_only=True):
    """What can be mounted. `keeps`: keys or secrets, so that it has a keyring."""

    keeps: bool
    options: Mapping[str, str] = {}
    name: str = ""  # of the engine, where the type is another word for it


SECRETS = {
    "transit": Engine(keeps=True),
    "totp": Engine(keeps=True),
    "kv": Engine(keeps=True),
    "generic": Engine(keeps=True),
    "kv-v2": Engine(keeps=True, name="kv", options={"version": "2"}),
    "kv-v1": Engine(keeps=True, name="kv", options={"version": "1"}),
}
LOGINS = {name: Engine(keeps=False) for name in ("approle", "userpass", "jwt", "oidc", "kubernetes", "cert")}
LOCAL, SEALED, ENTROPY = "local", "seal_wrap", "external_entropy_access"
MARKS = (LOCAL, SEALED, ENTROPY)
"""What is kept of a mount and told, so that whoever has written it finds it; there is one node, and all is sealed."""
UNCACHED = "force_no_cache"
LISTS = (
    "allowed_response_headers",
    "audit_non_hmac_request_keys",
    "audit_non_hmac_response_keys",
    "passthrough_request_headers",
)
"""Of `config`, kept and told like MARKS: no parameter is in the audit log, and no engine sees a header or sets one."""
LOCKOUT = "user_lockout_config"
VISIBLE = frozenset({"", "hidden", "unauth"})
TOKENS = "token"
DEFAULT_KIND = "default-service"
TOKEN_KINDS = frozenset({DEFAULT_KIND, "default-batch", "service", "batch"})
OWN = frozenset({"audit", "auth", "cubbyhole", "identity", "sys"})
"""What no engine is mounted at or below: auth/ is enabled at sys/auth, which needs sudo."""


def seconds(given: Any, what: str) -> int:
    """ "system" and nothing are as the installation has it. Raises Said, `what` before its words."""
    if given in {"", "system", None}:
        return 0
    try:
        return int(coerced(Kind.DURATION, "", given))
    except FieldError as error:
        words = error.text.partition('field "": ')[2] or error.text
        raise Said(400, f"{what}{words}") from None


def times(config: Mapping[str, Any]) -> tuple[int, int]:
    """Its times. Raises Said."""
    default, most = config.get("default_lease_ttl"), config.get("max_lease_ttl")
    return seconds(default, f"unable to parse default TTL of {default}: "), seconds(
        most, f"unable to parse max TTL of {most}: "
    )


def managed_keys(given: Any) -> tuple[str, ...]:
    """Names of managed keys, as a list or between commas. Raises Said."""
    words = given.split(",") if isinstance(given, str) else given or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Said(400, "allowed_managed_keys are names")
    return tuple(word.strip() for word in words if word.strip())


def lists(config: Mapping[str, Any], of: str) -> dict[str, tuple[str, ...]]:
    """Raises Said; `of`: the word for what they are said of."""
    given = {name: config[name] for name in LISTS if config.get(name) is not None}
    try:
        if not all(isinstance(one, str | list) for one in given.values()):
            raise Said(400, f"unable to convert given {of} config information")
        return {name: tuple(coerced(Kind.COMMA_STRINGS, "", one)) for name, one in given.items()}
    except FieldError as error:
        raise Said(400, f"unable to convert given {of} config information") from error


def uncached(config: Mapping[str, Any], of: str) -> tuple[str, ...]:
    """The mark of it, if it is to have that. Raises Said."""
    given = config.get(UNCACHED)
    if given is not None and not isinstance(given, bool):
        raise Said(400, f"unable to convert given {of} config information")
    return (UNCACHED,) if given else ()


def check_listing(listing: Any) -> None:
    if listing not in VISIBLE:
        raise Said(400, f"invalid listing_visibility {listing}")


def check_lockout(given: Any) -> None:
    if given is not None:
        raise Said(400, f"{LOCKOUT} is not offered: five failures lock out for fifteen minutes, always")


def kind_made(given: Any) -> str | None:
    """Of the tokens got by logging in there; None: not said."""
    if given in {None, ""}:
        return None
    if given not in TOKEN_KINDS:
        raise Said(400, "invalid value for 'token_type'")
    return str(given)
