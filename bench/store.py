"""Many keys, quickly: what CreateKey would have made, committed two thousand at a time under the barrier."""

from __future__ import annotations

import os
from pathlib import Path

from bench.peers import install
from bench.workloads import REGION
from keystead import config
from keystead.app.compose import Core
from keystead.app.installation import read_seal, saved_credentials
from keystead.core.algorithms import Purpose, key_spec
from keystead.core.entities import Entity, Key
from keystead.core.operations import CreateKey, KeyringRef
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Commit
from keystead.service.handlers import HANDLERS
from keystead.service.pipeline import Act, Outcome

A_COMMIT = 2000


def open_core(directory: Path, journal: str = "bench") -> Core:
    """The installation in this process; no server has it open."""
    core = Core(directory, config.read(directory), journal=journal, worker=0)
    core.open(read_seal(directory).open(()))
    return core


def populate(directory: Path, n: int) -> list[str]:
    """A fresh installation with `n` AES-256 keys; their ids."""
    install(directory)
    core = open_core(directory)
    saved = saved_credentials(directory)
    assert saved is not None  # noqa: S101 - install left them
    held = core.view.credential(saved.access_key_id)
    assert held is not None  # noqa: S101 - install made it
    ring = KeyringRef(f"aws:{saved.tenant}:{REGION}")
    caller = core.means.authenticator.itself(
        held.principal, namespace=ring.namespace, door="bench", operation="", request_id="", now=core.clock.now()
    )
    act = Act(caller.now, held.principal, os.urandom, core.service._provider, core.view.tenant, caller)
    op = CreateKey(keyring=ring, spec=key_spec("aws", "SYMMETRIC_DEFAULT"), purpose=Purpose.CIPHER)
    found = core.view.find(ring)
    ids: list[str] = []
    try:
        while len(ids) < n:
            made: list[Outcome[object]] = [
                HANDLERS[CreateKey](op, (found,), act) for _ in range(min(A_COMMIT, n - len(ids)))
            ]
            put: list[Entity] = []
            material: dict[str, Sensitive] = {}
            for outcome in made:
                put += outcome.put
                material |= outcome.material
            core.barrier.commit(Commit(put=tuple(put), material=material))
            ids += [entity.id for entity in put if isinstance(entity, Key)]
    finally:
        core.close()
    return ids
