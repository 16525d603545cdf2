"""sys/quotas: rate limits of paths. HTTP API, "/sys/quotas/rate-limit", "/sys/quotas/config"."""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import ONLY, RateLimit, RateLimits, Setting, Topic
from keystead.core.errors import NotFound
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.openly import ALWAYS_ANSWERED
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.handlers.settings import value_of
from keystead.wire.vault.kinds import CommaStrings, Duration
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb


class NameRequest(Parameters, frozen=True, kw_only=True):
    name: str = CAPTURED


class WriteRequest(NameRequest, frozen=True, kw_only=True):
    rate: float = 0.0
    path: str = ""
    role: str = ""
    type: str = ""
    interval: Duration = 1
    block_interval: Duration = 0
    inheritable: bool = False


def _told(setting: Setting) -> dict[str, Any]:
    limit = value_of(setting, RateLimit)
    return {
        "block_interval": limit.block_for,
        "inheritable": limit.inheritable,
        "interval": limit.interval,
        "name": setting.name,
        "path": limit.path,
        "rate": int(limit.rate) if limit.rate.is_integer() else limit.rate,
        "role": "",
        "type": "rate-limit",
    }


@endpoint("system", Verb.LIST, "quotas/rate-limit/?")
def list_limits(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ListSettings(tenant=here(call), topic=Topic.RATE_LIMIT))
    if not found:
        raise Said(404, "")
    return {"keys": [one.name for one in found]}


@endpoint("system", Verb.READ, "quotas/rate-limit/{name}")
def read_limit(req: NameRequest, call: Call) -> dict[str, Any]:
    return _told(call(ops.ReadSetting(tenant=here(call), topic=Topic.RATE_LIMIT, name=req.name)))


@endpoint("system", Verb.WRITE, "quotas/rate-limit/{name}")
def write_limit(req: WriteRequest, call: Call) -> None:
    given = {
        "rate": req.rate,
        "path": req.path,
        "role": req.role,
        "interval": req.interval,
        "block_for": req.block_interval,
        "inheritable": req.inheritable,
    }
    call(ops.WriteSetting(tenant=here(call), topic=Topic.RATE_LIMIT, name=req.name, given=given))


@endpoint("system", Verb.DELETE, "quotas/rate-limit/{name}")
def delete_limit(req: NameRequest, call: Call) -> None:
    call(ops.DeleteSetting(tenant=here(call), topic=Topic.RATE_LIMIT, name=req.name))


# --- what holds for all of them


class ConfigRequest(Parameters, frozen=True, kw_only=True):
    enable_rate_limit_audit_logging: bool | None = None
    enable_rate_limit_response_headers: bool = False
    rate_limit_exempt_paths: CommaStrings | None = None


def _config(call: Call) -> RateLimits:
    try:
        return value_of(call(ops.ReadSetting(tenant=here(call), topic=Topic.RATE_LIMITS, name=ONLY)), RateLimits)
    except NotFound:
        return RateLimits()


@endpoint("system", Verb.READ, "quotas/config")
def read_config(_req: Nothing, call: Call) -> dict[str, Any]:
    return {
        "enable_rate_limit_audit_logging": True,
        "enable_rate_limit_response_headers": False,
        "rate_limit_exempt_paths": sorted({*_config(call).exempt, *ALWAYS_ANSWERED}),
    }


@endpoint("system", Verb.WRITE, "quotas/config")
def write_config(req: ConfigRequest, call: Call) -> None:
    if req.enable_rate_limit_audit_logging is False:
        raise Said(400, "enable_rate_limit_audit_logging cannot be turned off: every refusal is on record")
    if req.enable_rate_limit_response_headers:
        raise Said(400, "enable_rate_limit_response_headers is not offered")
    if req.rate_limit_exempt_paths is not None:
        given = {"exempt": req.rate_limit_exempt_paths}
        call(ops.WriteSetting(tenant=here(call), topic=Topic.RATE_LIMITS, name=ONLY, given=given))


OPERATIONS = (list_limits, read_limit, write_limit, delete_limit, read_config, write_config)
