"""What goes wrong between things each of which is right: namespaces, tokens, seals, limits, records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests import harness
from tests.doors.vault.test_namespaces import ALL, of
from tests.harness import TENANT

from keystead.core.entities import Namespace, Tenant
from keystead.service.barrier import Commit


@pytest.mark.parametrize("older", [False, True])
def test_however_many_namespaces_there_are_and_whenever_they_were_made_the_first_tenant_is_home(root, older) -> None:
    """It is who logs in without a namespace, whose limits count, and who steers the installation."""
    stack = root.stack
    at = stack.clock.now() + timedelta(seconds=-1 if older else 1)  # made while a clock was wrong
    rows: list[Any] = []
    for n in range(1 if older else 1_001):
        id_, name = f"{n:012}", f"n{n}"
        digest = stack.barrier.name_id(f"namespace:{TENANT}", name)
        rows.append(Tenant(id=id_, name=name, created_at=at))
        rows.append(
            Namespace(id=id_, above=TENANT, name=name, name_digest=digest, suffix=name, uuid=name, created_at=at)
        )
    stack.barrier.commit(Commit(put=tuple(rows)))
    stack.generation.announce()
    stack.view.forget()  # as a worker that is started later
    assert root.ask("GET", "sys/audit").status == 200
    root.ask("POST", "sys/auth/up", {"type": "userpass"})
    root.ask("POST", "auth/up/users/bob", {"password": "pw"})
    assert harness.Bearer(stack, "").ask("POST", "auth/up/login/bob", {"password": "pw"}).status == 200
    inside = of(root, "n0")
    assert inside.ask("GET", "sys/audit", x_vault_namespace="n0").status == 400
    stack.view.loop_thread = None
    assert stack.view.tenant(TENANT).is_first and not stack.view.tenant("0" * 12).is_first
