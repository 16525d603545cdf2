"""What a policy is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.caller import Caller
from keystead.core.entities import Grant, Key, LastUse, Name
from keystead.core.operations import Operation, Ref


class Held(Protocol):
    """A key with what stands around it, as it was found. Never changed: what has changed is found anew."""

    @property
    def key(self) -> Key: ...
    @property
    def names(self) -> tuple[Name, ...]: ...
    @property
    def grants(self) -> tuple[Grant, ...]: ...
    @property
    def addresses(self) -> tuple[str, ...]:
        """Where its keyring answers."""
        ...

    def last_use(self) -> LastUse | None:
        """The newest that the sequencer has seen. May raise WouldBlock on the event loop."""
        ...


class Subject(Struct, frozen=True, kw_only=True):
    """A Held of its own, for a key that is not kept yet."""

    key: Key
    names: tuple[Name, ...] = ()
    grants: tuple[Grant, ...] = ()
    addresses: tuple[str, ...] = ()

    def last_use(self) -> LastUse | None:
        """It has not been used."""
        return None


class Request(Struct, frozen=True):
    """One caller, one action, one resource: the arguments of a decision."""

    caller: Caller
    action: Action
    resource: str  # as the dialect writes it; "*" where the action has none
    target: Ref
    held: Held | None
    op: Operation[Any]
    exists: bool = True  # whether what `target` names is there
    owner: str = ""  # the tenant of a resource that has a policy of its own and is no key
    tags: Mapping[str, str] = {}  # of what it is about, where that is no key
    boundary: str = ""  # ARN of the permissions boundary of the principal that it is about


Line = tuple[str, str, bool, bool, bool]
"""Of a request that came as a path (caller.Asked): path, capability, creates, needs_sudo; and whether it is there."""


def line_of(caller: Caller, *, exists: bool) -> Line | None:
    asked = caller.asked
    if asked is None or asked.meant:
        return None
    return asked.path, asked.capability, asked.creates, asked.needs_sudo, exists
