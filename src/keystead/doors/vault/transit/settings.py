"""config/keys and cache-config: settings of the mount. OpenBao, transit/path_config_keys.go, path_cache_config.go."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.operations import KeySettings
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.transit.names import keyring_ref
from keystead.kit import Call
from keystead.wire.vault.kinds import Int
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb

LEAST_SIZE = 10


class Nothing(Parameters, frozen=True, kw_only=True):
    pass


class KeysRequest(Parameters, frozen=True, kw_only=True):
    disable_upsert: bool = False


@endpoint("transit", Verb.READ, "config/keys")
def read_keys(_req: Nothing, call: Call) -> dict[str, Any]:
    return {"disable_upsert": not call(ops.ReadKeySettings(keyring=keyring_ref(call))).upserts}


@endpoint("transit", Verb.WRITE, "config/keys")
def put_keys(req: KeysRequest, call: Call) -> dict[str, Any]:
    settings = KeySettings(upserts=not req.disable_upsert)
    return {"disable_upsert": not call(ops.PutKeySettings(keyring=keyring_ref(call), settings=settings)).upserts}


class CacheRequest(Parameters, frozen=True, kw_only=True):
    size: Int = 0


@endpoint("transit", Verb.READ, "cache-config")
def read_cache(_req: Nothing, call: Call) -> dict[str, Any]:
    """Nothing but the server's own bounds limits what is held of keys; Vault's word for that is 0."""
    call(ops.ReadKeySettings(keyring=keyring_ref(call)))
    return {"size": 0}


@endpoint("transit", Verb.WRITE, "cache-config")
def put_cache(req: CacheRequest, call: Call) -> dict[str, Any]:
    call(ops.ReadKeySettings(keyring=keyring_ref(call)))  # whoever may not ask is told so
    if req.size != 0 and req.size < LEAST_SIZE:
        raise Said(400, f"size must be 0 or a value greater or equal to {LEAST_SIZE}")
    if req.size != 0:
        raise Said(501, "the size of the cache is not a mount's to set; 0 is what it is")
    return {"size": 0}


OPERATIONS = (read_keys, put_keys, read_cache, put_cache)
