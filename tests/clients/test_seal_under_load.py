"""The seal API while everybody writes: nothing acknowledged is lost, whatever slot and seal go through."""

from __future__ import annotations

import http.client
import threading
from typing import Any

import pytest
from tests.clients.test_seal import Vault, address
from tests.servers import serving

pytestmark = pytest.mark.client
N_WRITERS = 8
LATER = {429, 503}
"""Come again: a worker that ends, a seal that is closed."""


def _rekeyed(vault: Vault) -> None:
    begun = vault.good("PUT", "sys/rekey/init", {"secret_shares": 3, "secret_threshold": 2})
    for key in vault.keys[:2]:
        last = vault.good("PUT", "sys/rekey/update", {"key": key, "nonce": begun["nonce"]})
    assert last["complete"]
    vault.keys = last["keys"]


def _sealed_and_opened(vault: Vault) -> None:
    vault.good("PUT", "sys/seal")
    vault.unseal(*vault.keys[:2])


def test_what_is_acknowledged_while_the_slot_and_the_seal_change_is_there(tmp_path) -> None:
    """Writes share transactions; rotating, rekeying and destroying replace the root under them."""
    with serving("serve", tmp_path / "data", "--listen", "vault=127.0.0.1:0", "--workers", "2") as server:
        vault = Vault(address(server))
        vault.init()
        vault.unseal(*vault.keys[:2])
        vault.good("POST", "sys/namespaces/ns1")
        vault.good("POST", "ns1/sys/mounts/kv", {"type": "kv-v2"})
        given = {"type": "batch", "policies": ["all"], "ttl": "1h"}
        vault.good("PUT", "ns1/sys/policies/acl/all", {"policy": 'path "*" { capabilities = ["create", "update"] }'})
        batch = vault.good("POST", "ns1/auth/token/create", given)["auth"]["client_token"]
        ended, kept, wrong = threading.Event(), [], []

        def write(writer: int) -> None:
            n = 0
            while not ended.is_set():
                n += 1
                path, token = f"ns1/kv/data/w{writer}/{n}", batch if writer % 2 else vault.token
                try:
                    status, answer = vault.ask("POST", path, {"data": {"n": n}}, token=token)
                except (OSError, http.client.HTTPException):
                    continue
                if status == 200:
                    kept.append((path, n))
                elif status not in LATER:
                    wrong.append((status, answer))

        def destroy() -> None:
            n = 0
            while not ended.is_set():
                n += 1
                try:
                    vault.ask("POST", f"ns1/kv/data/gone/{n}", {"data": {"n": n}})
                    vault.ask("DELETE", f"ns1/kv/metadata/gone/{n}")
                except (OSError, http.client.HTTPException):
                    continue

        threads = [threading.Thread(target=write, args=(n,)) for n in range(N_WRITERS)]
        threads.append(threading.Thread(target=destroy))
        for thread in threads:
            thread.start()
        try:
            for act in (_rotated, _rekeyed, _sealed_and_opened, _rotated):
                before = len(kept)
                act(vault)
                while len(kept) < before + 30:
                    ended.wait(0.05)
        finally:
            ended.set()
            for thread in threads:
                thread.join(60)
        assert not any(thread.is_alive() for thread in threads) and not wrong
        _sealed_and_opened(vault)
        lost = [path for path, n in kept if _read(vault, path) != {"n": n}]
        assert not lost and len({path for path, _ in kept}) == len(kept)


def _rotated(vault: Vault) -> None:
    vault.good("PUT", "sys/rotate")


def _read(vault: Vault, path: str) -> Any:
    status, answer = vault.ask("GET", path)
    return answer["data"]["data"] if status == 200 else (status, answer)
