"""How an operation of the seal is declared that is there at two paths: Vault's, bare, and OpenBao's, in an envelope.

To begin, to look and to cancel needs a token with leave at either path, since Vault's own are open to anybody who likes
to cancel what others have begun (CVE-2025-4656, CVE-2025-52894, CVE-2026-5807; research row 32). To give a share needs
none at Vault's path: a share is proof in itself, and the nonce is known to whoever was told of the attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from keystead.core.operations import Nothing, TenantOperation
from keystead.doors.vault.endpoint import Answer, Endpoint, custody_of, endpoint
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb


class Step(Struct, frozen=True):
    """`gives`: it brings a share."""

    verb: Verb
    path: str
    request: type[Parameters]
    run: Callable[[Any, Call], dict[str, Any] | None]
    gives: bool = False


def declared(steps: tuple[Step, ...], leave: type[TenantOperation[Nothing]], at: str, also: str) -> Iterator[Endpoint]:
    for step in steps:
        yield _endpoint(step, None if step.gives else leave, f"{at}/{step.path}", bare=True)
        yield _endpoint(step, leave, f"{also}/{step.path}", bare=False)


def _endpoint(step: Step, leave: type[TenantOperation[Nothing]] | None, path: str, *, bare: bool) -> Endpoint:
    def run(req: Any, call: Call) -> Answer | None:
        custody_of(call)
        if leave is not None:
            call(leave(tenant=here(call)))
        data = step.run(req, call)
        return None if data is None else Answer(data=data, bare=bare)

    run.__annotations__["req"] = step.request
    return endpoint("system", step.verb, path, unsigned=leave is None)(run)
