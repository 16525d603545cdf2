"""Settings: what each topic keeps, and what it does not take."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import AuditDevice, ControlGroups, PasswordPolicy, RateLimit, RateLimits, Setting, Topic
from keystead.core.errors import InvalidArgument, LimitExceeded, NotFound
from keystead.core.managedkeys import ManagedKey
from keystead.core.operations import Nothing
from keystead.core.passwords import draw, read_rules
from keystead.core.sensitive import Sensitive
from keystead.service.handlers import auditdevices, managedkeys
from keystead.service.handlers.mounts import table_of
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome

S = TypeVar("S", bound=Struct)
MAX_NAME, MAX_VALUE, MAX_OF_A_TOPIC = 256, 128 * 1024, 1000
MAX_RATE = 1e9
Making = Callable[[ops.WriteSetting, HeldTenant, Act], Struct]


def value_of(setting: Setting, kind: type[S]) -> S:
    return msgspec.json.decode(setting.value, type=kind)


def _password_policy(op: ops.WriteSetting, _tenant: HeldTenant, _act: Act) -> PasswordPolicy:
    text = str(op.given["text"])
    read_rules(text)
    return PasswordPolicy(text)


def _rate_limit(op: ops.WriteSetting, tenant: HeldTenant, _act: Act) -> RateLimit:
    given = dict(op.given)
    of_role = given.pop("role")
    made = msgspec.convert(given, RateLimit)
    if not 0 < made.rate <= MAX_RATE:
        raise InvalidArgument("'rate' is invalid", "rate")
    path = made.path.lstrip("/")
    if path:
        table = table_of(tenant)
        path = f"{path}/" if table.at(path) is not None else path
        if table.find(path) is None:
            raise InvalidArgument(f'invalid mount path "{path}"', "path")
    if of_role:
        raise InvalidArgument(f'Mount path "{path}" does not support use with role-based quotas', "role")
    for other in tenant.settings(Topic.RATE_LIMIT):
        if other.name != op.name and value_of(other, RateLimit).path == path:
            words = f'quota rule with similar properties exists under the name "{other.name}"'
            raise InvalidArgument(words, "path")
    return replace(made, path=path, interval=made.interval or 1, inheritable=made.inheritable or not path)


def _rate_limits(op: ops.WriteSetting, _tenant: HeldTenant, _act: Act) -> RateLimits:
    return msgspec.convert(op.given, RateLimits)


def _control_groups(op: ops.WriteSetting, _tenant: HeldTenant, _act: Act) -> ControlGroups:
    made = msgspec.convert(op.given, ControlGroups)
    if made.max_ttl < 0:
        raise InvalidArgument("max_ttl cannot be negative", "max_ttl")
    return made


def digest_for_device(op: ops.DigestForDevice, targets: tuple[HeldTenant], _act: Act) -> Outcome[str]:
    found = targets[0].setting(Topic.AUDIT_DEVICE, op.name)
    if found is None:
        raise NotFound("no such audit device", "name")
    device = value_of(found, AuditDevice)
    return Outcome(answer=f"hmac-sha256:{hmac.digest(bytes.fromhex(device.salt), op.value.reveal(), 'sha256').hex()}")


def _managed_key(op: ops.WriteSetting, tenant: HeldTenant, act: Act) -> ManagedKey:
    return managedkeys.configured(op, tenant.setting(Topic.MANAGED_KEY, op.name), act)


MADE: Mapping[Topic, Making] = {
    Topic.MANAGED_KEY: _managed_key,
    Topic.PASSWORD_POLICY: _password_policy,
    Topic.RATE_LIMIT: _rate_limit,
    Topic.RATE_LIMITS: _rate_limits,
    Topic.AUDIT_DEVICE: auditdevices.made,
    Topic.CONTROL_GROUP: _control_groups,
}
"""Topic -> what is kept of what was given. Raises InvalidArgument."""


def write_setting(op: ops.WriteSetting, targets: tuple[HeldTenant], act: Act) -> Outcome[Setting]:
    (tenant,) = targets
    if not 0 < len(op.name) <= MAX_NAME or not op.name.isprintable():
        raise InvalidArgument(f"a name has 1 to {MAX_NAME} printable characters", "name")
    before = tenant.setting(op.topic, op.name)
    if before is None and len(tenant.settings(op.topic)) >= MAX_OF_A_TOPIC:
        raise LimitExceeded(f"at most {MAX_OF_A_TOPIC} settings of a kind", "name")
    value = msgspec.json.encode(MADE[op.topic](op, tenant, act))
    if len(value) > MAX_VALUE:
        raise LimitExceeded(f"a setting has at most {MAX_VALUE} bytes", "value")
    setting = Setting(
        id=tenant.setting_id(op.topic, op.name),
        revision=before.revision if before is not None else 0,
        tenant=tenant.id,
        topic=op.topic,
        name=op.name,
        value=value,
    )
    return Outcome(answer=setting, put=(setting,), made=f"{op.topic}/{op.name}")


def _setting(op: ops.ReadSetting | ops.DrawPassword, tenant: HeldTenant, topic: Topic) -> Setting:
    if (found := tenant.setting(topic, op.name)) is None:
        raise NotFound("no such setting", "name")
    return found


def read_setting(op: ops.ReadSetting, targets: tuple[HeldTenant], _act: Act) -> Outcome[Setting]:
    return Outcome(answer=_setting(op, targets[0], op.topic))


def list_settings(op: ops.ListSettings, targets: tuple[HeldTenant], _act: Act) -> Outcome[tuple[Setting, ...]]:
    return Outcome(answer=tuple(sorted(targets[0].settings(op.topic), key=lambda one: one.name)))


def delete_setting(op: ops.DeleteSetting, targets: tuple[HeldTenant], _act: Act) -> Outcome[Nothing]:
    if op.topic is Topic.MANAGED_KEY:
        managedkeys.unused(targets[0], op.name)
    found = targets[0].setting(op.topic, op.name)
    return Outcome(answer=Nothing(), delete=() if found is None else (found,), made=f"{op.topic}/{op.name}")


def draw_password(op: ops.DrawPassword, targets: tuple[HeldTenant], act: Act) -> Outcome[Sensitive]:
    setting = _setting(op, targets[0], Topic.PASSWORD_POLICY)
    drawn = draw(read_rules(value_of(setting, PasswordPolicy).text), act.entropy)
    return Outcome(answer=Sensitive(drawn.encode()), seen=(setting,))


HANDLERS: dict[type, Handler] = {
    ops.WriteSetting: write_setting,
    ops.ReadSetting: read_setting,
    ops.ListSettings: list_settings,
    ops.DeleteSetting: delete_setting,
    ops.DigestForDevice: digest_for_device,
    ops.DrawPassword: draw_password,
}
