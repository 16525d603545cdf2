"""In whose turn a request waits: many who log in at one tenant keep nobody from another's (kit.pool, kit.blocked)."""

from __future__ import annotations

import threading

import pytest
from tests import vaultstack
from tests.tokens import SigningKey, key_set

from keystead.core.ports import FAR, NEAR, WouldBlock
from keystead.kit.blocked import Room
from keystead.service.credentials.keysets import MOST_AT_IT, MOST_FOR_TENANT


@pytest.fixture(scope="module")
def vault() -> vaultstack.Vault:
    vault = vaultstack.door()
    vault.root.data("POST", "sys/namespaces/ns1", {})
    for at in ("", "ns1"):
        for engine in ("userpass", "approle", "jwt"):
            assert vault.root("POST", f"sys/auth/{engine}", {"type": engine}, x_vault_namespace=at).status == 204
    return vault


def would(vault: vaultstack.Vault, path: str, namespace: str = "") -> WouldBlock:
    """What a login says to the event loop, once what leads there is held."""
    headers = {b"host": b"vault.test", b"x-vault-namespace": namespace.encode()}
    request = vault.stack.request("POST", f"https://vault.test/v1/{path}", headers, b"{}")
    vault.stack.serve(request)
    with pytest.raises(WouldBlock) as said:
        next(vault.stack.front.steps(request))
    return said.value


@pytest.mark.parametrize(("path", "where"), [("userpass/login/x", NEAR), ("approle/login", NEAR), ("jwt/login", FAR)])
def test_a_login_waits_in_the_turn_of_the_tenant_that_it_is_of(vault, path, where) -> None:
    """Whoever is nobody yet took the places of all who are not: 256 logins at one tenant, and no other's had any."""
    own, inner = (would(vault, f"auth/{path}", at) for at in ("", "ns1"))
    assert own.where == inner.where == where
    assert own.tenant == vaultstack.TENANT and inner.tenant not in {"", own.tenant}
    room = Room(2, 0)
    assert [room.take(one.where, one.tenant, 0) for one in (own, own, own, inner)] == [True, True, False, True]


def test_an_issuer_that_hangs_keeps_no_other_tenants_keys(vault) -> None:
    """Two mounts of one tenant, whose issuers do not answer, took all places there are to read keys at."""
    key, begun, go = SigningKey("ES256"), threading.Semaphore(0), threading.Event()
    stack, urls = vault.stack, [f"https://{n}.keys.test/jwks" for n in range(MOST_AT_IT + 1)]
    for n, url in enumerate(urls):
        at = {"x_vault_namespace": "ns1" if n else ""}
        vault.root("POST", f"sys/auth/hung{n}", {"type": "jwt"}, **at)
        assert vault.root("POST", f"auth/hung{n}/config", {"jwks_url": url}, **at).status == 204
        role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": "a"}
        assert vault.root("POST", f"auth/hung{n}/role/r", role, **at).status == 204
    now = int(stack.clock.now().timestamp())
    token = key.token({"iss": "i", "sub": "s", "aud": "a", "exp": now + 300, "iat": now, "nbf": now})

    class Keys(dict):
        def __getitem__(self, url):
            if url != urls[0]:
                begun.release()
                assert go.wait(60)
            return key_set(key)

    stack.login_keys = Keys.fromkeys(urls, b"")

    def log_in(n: int, at: str) -> int:
        return vault.nobody("POST", f"auth/hung{n}/login", {"role": "r", "jwt": token}, x_vault_namespace=at).status

    hanging = [threading.Thread(target=log_in, args=(n, "ns1")) for n in range(1, len(urls))]
    for thread in hanging:
        thread.start()
    assert all(begun.acquire(timeout=60) for _ in range(MOST_FOR_TENANT))
    try:
        assert log_in(0, "") == 200
    finally:
        go.set()
        for thread in hanging:
            thread.join(60)
