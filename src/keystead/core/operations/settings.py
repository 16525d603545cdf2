"""Settings by topic and name: written whole, read, listed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keystead.core.actions import Action
from keystead.core.entities import Setting, Topic
from keystead.core.operations.base import Nothing, TenantOperation
from keystead.core.sensitive import Sensitive


class WriteSetting(TenantOperation[Setting], frozen=True, kw_only=True):
    """`given`: what the topic's Struct is made of (service.handlers.settings). Raises InvalidArgument."""

    action = Action.WRITE_SETTING
    changes = True
    topic: Topic
    name: str
    given: Mapping[str, Any]


class ReadSetting(TenantOperation[Setting], frozen=True, kw_only=True):
    """Raises NotFound."""

    action = Action.READ_SETTING
    topic: Topic
    name: str


class ListSettings(TenantOperation[tuple[Setting, ...]], frozen=True, kw_only=True):
    """By name."""

    action = Action.LIST_SETTINGS
    topic: Topic


class DeleteSetting(TenantOperation[Nothing], frozen=True, kw_only=True):
    """One that is not there is gone already."""

    action = Action.DELETE_SETTING
    changes = True
    topic: Topic
    name: str


class TestManagedKey(TenantOperation[Nothing], frozen=True, kw_only=True):
    """Have a managed key sign something. Raises NotFound; what asking an HSM raises."""

    action = Action.WRITE_SETTING
    changes = True  # a key that may be generated is
    name: str


class DigestForDevice(TenantOperation[str], frozen=True, kw_only=True):
    """How an audit device writes a value: "hmac-sha256:…". Raises NotFound."""

    action = Action.DIGEST_FOR_DEVICE
    name: str
    value: Sensitive


class DrawPassword(TenantOperation[Sensitive], frozen=True, kw_only=True):
    """A password by the password policy of that name. Raises NotFound."""

    action = Action.DRAW_PASSWORD
    name: str
