"""sys/unseal, sys/seal, sys/rotate, sys/key-status. Vault HTTP API; words held to OpenBao 2.7.2."""

from __future__ import annotations

from keystead.core import operations as ops
from keystead.doors.vault.endpoint import Answer, Said, custody_of, endpoint
from keystead.doors.vault.openly import standing
from keystead.doors.vault.system.shares import WRONG, ask, share
from keystead.doors.vault.tokens import here
from keystead.kit import Call
from keystead.kit.custody import LookAtRoot, Offer, RotateRoot, SealUp, Why
from keystead.wire.vault.reader import Parameters
from keystead.wire.vault.request import Verb
from keystead.wire.vault.scalars import time_text

LACKING = "'key' must be specified in request body as JSON, or 'reset' set to true"
WORDS = {Why.WRONG_SHARES: (400, f"unable to retrieve stored keys: {WRONG}")}


class UnsealRequest(Parameters, frozen=True, kw_only=True):
    key: str = ""
    reset: bool = False
    migrate: bool = False


@endpoint("system", Verb.WRITE, "unseal", unsigned=True)
def unseal(req: UnsealRequest, call: Call) -> Answer:
    given = None if req.reset else share(req.key, LACKING)
    if req.migrate:
        raise Said(500, "can't perform a seal migration, no migration seal found")
    return Answer(data=standing(ask(call, Offer(share=given), WORDS)), bare=True)


class NoRequest(Parameters, frozen=True, kw_only=True):
    pass


@endpoint("system", Verb.WRITE, "seal", sudo=True)
def seal(_req: NoRequest, call: Call) -> None:
    custody_of(call)
    call(ops.SealServer(tenant=here(call)))
    ask(call, SealUp(), {})


def _rotate(_req: NoRequest, call: Call) -> None:
    custody_of(call)
    call(ops.RotateRootKey(tenant=here(call)))
    ask(call, RotateRoot(), {})


rotate = endpoint("system", Verb.WRITE, "rotate", sudo=True)(_rotate)
rotate_keyring = endpoint("system", Verb.WRITE, "rotate/keyring", sudo=True)(_rotate)
rotate_root = endpoint("system", Verb.WRITE, "rotate/root", sudo=True)(_rotate)


@endpoint("system", Verb.READ, "key-status")
def key_status(_req: NoRequest, call: Call) -> Answer:
    """`encryptions`: what was committed since the installation began; nobody counts by term."""
    custody_of(call)
    call(ops.ReadRootKey(tenant=here(call)))
    root = ask(call, LookAtRoot(), {})
    data = {"term": root.term, "install_time": time_text(root.since), "encryptions": root.n_commits}
    return Answer(data=data, doubled=True)


OPERATIONS = (unseal, seal, rotate, rotate_keyring, rotate_root, key_status)
