"""Who asks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from keystead.core.entities import Principal, PrincipalKind
from keystead.core.rights import Rights
from keystead.core.sensitive import Sensitive
from keystead.core.vouching.words import Vouched

SYSTEM_DOOR = "system"
"""What the scheduler's own requests are said to come in by. No door that anybody reaches is called so."""


class Asked(Struct, frozen=True, kw_only=True):
    """A request as the vault dialect looks at it, from a door whose requests are paths.

    `path` below /v1/, from the namespace that the caller's policies are of, with the slash at its end where it is a
    list's. `below`: the beginning of it that leads to the namespace of the request. `capability`: "read", "update" …
    `parameters`: of body or query, by name. `wrap_for`: seconds that the answer is to be wrapped for.
    `meant`: the same path in the spelling of what it leads to, "" where that is this one.
    """

    path: str
    capability: str  # what it needs where the thing is there
    creates: bool = False  # and "create" where it is not
    parameters: Mapping[str, Any] = {}
    wrap_for: float | None = None
    needs_sudo: bool = False
    below: str = ""
    meant: str = ""

    @property
    def here(self) -> str:
        """The path from the namespace of the request."""
        return self.path[len(self.below) :]


class Factor(Struct, frozen=True):
    """A second factor as it was shown: a password, or none; `wrong`: what is wrong with how it was."""

    code: Sensitive | None = None
    wrong: str = ""


class Caller(Struct, frozen=True, kw_only=True, gc=False):
    """An authenticated principal and the circumstances of one request. Only service.authenticate makes one."""

    principal: Principal
    rights: Rights  # of that principal
    credential_id: str
    namespace: str  # the address its door stands for: "aws:111122223333:us-east-1"
    door: str
    wire_operation: str
    request_id: str
    source: str  # the peer's address
    now: datetime
    secure: bool = False  # came over TLS, or over a unix socket
    session: str = ""  # the role session's name
    began_at: int | None = None  # seconds since 1970: when the session did
    ends_at: int | None = None  # seconds since 1970: when the session does; None: a credential that lasts
    provider: str = ""  # of a session: ARN of the provider whose token it was opened with
    behind: tuple[str, ...] = ()  # of a session: who opened it, where that is somebody else (service.persons)
    asked: Asked | None = None  # by a door of paths
    vouched: Vouched | None = None  # of somebody who logs in by somebody else's word
    certificates: tuple[bytes, ...] = ()  # DER: what was shown over TLS, the caller's own first
    factors: Mapping[str, Factor] = {}  # by id or name of the method that each is for

    @property
    def below(self) -> str:
        """What leads from where its policies are written to where it is: "ns1/"; "" where that is one place."""
        return "" if self.asked is None else self.asked.below

    @property
    def is_role(self) -> bool:
        return self.principal.principal_kind is PrincipalKind.ROLE


class Stranger(Struct, frozen=True, kw_only=True):
    """Who sent a request that was not authenticated: nothing here is more than a claim, but the peer's address."""

    claims: str  # the credential id the request names; "" if none
    door: str
    wire_operation: str
    request_id: str
    source: str
    now: datetime
