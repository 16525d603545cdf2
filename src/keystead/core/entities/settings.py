"""Settings of a tenant's tree of paths that are kept by name, one kind of row for all topics."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from keystead.core.entities.base import Entity, Kind


class Topic(StrEnum):
    PASSWORD_POLICY = "password-policy"  # noqa: S105 - a topic, not a secret
    RATE_LIMIT = "rate-limit"
    RATE_LIMITS = "rate-limits"
    AUDIT_DEVICE = "audit-device"
    CORS = "cors"
    HEADER = "header"
    MANAGED_KEY = "managed-key"
    CONTROL_GROUP = "control-group"


class Setting(Entity, frozen=True, kw_only=True):
    """One of them; `id` is a digest of tenant, topic and name. `value`: the topic's Struct, as JSON."""

    kind = Kind.SETTING
    tenant: str
    topic: Topic
    name: str
    value: bytes = field(default=b"", name="v")

    @property
    def parent(self) -> str:
        return self.tenant

    @property
    def link(self) -> str:
        return f"{self.tenant}/{self.topic}"

    def __repr__(self) -> str:
        return f"Setting({self.topic!r}, {self.name!r})"


class RateLimit(Struct, frozen=True, kw_only=True):
    """Of requests below a path, of each address they come from. Times in seconds.

    `path`: "" for every request, "kv/" for those of a mount, "kv/data/x" for that one, "kv/data/*" for what begins so.
    """

    rate: float  # requests in `interval`
    path: str = ""
    interval: int = 1
    block_for: int = 0  # once it was exceeded
    inheritable: bool = False  # by namespaces: one without a path is


class RateLimits(Struct, frozen=True, kw_only=True):
    """What holds for all of them. `exempt`: paths that none counts for; with "*" at the end, what begins so."""

    exempt: tuple[str, ...] = ()


class DeviceType(StrEnum):
    FILE = "file"
    SOCKET = "socket"
    SYSLOG = "syslog"


class AuditDevice(Struct, frozen=True, kw_only=True):
    """Where the audit log is told again, as Vault writes it. `salt`: hex, keys the digests of values in it."""

    path: str  # of a file, absolute; or a socket's, as core.places writes it
    salt: str
    options: dict[str, str] = {}
    description: str = ""
    local: bool = False
    plain_accessors: bool = False
    type: DeviceType = DeviceType.FILE
    prefix: str = ""  # of each line
    mode: int | None = 0o600  # of a file; None: as it is
    patience: float = 2.0  # seconds that a socket may take nothing
    priority: int = 0  # of syslog: RFC 3164 §4.1.1, facility * 8 + severity
    tag: str = ""  # of syslog

    def __repr__(self) -> str:
        return f"AuditDevice({self.path!r})"


ONLY = "config"
"""The name of a setting that is the one of its topic."""


class ControlGroups(Struct, frozen=True, kw_only=True):
    """Of what waits for approval: how long its token lasts at most. Seconds; 0: as long as the request waits."""

    max_ttl: int = 0


class PasswordPolicy(Struct, frozen=True):
    text: str
