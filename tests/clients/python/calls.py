"""async-hvac, run by the Python that it is installed for. VAULT_ADDR and VAULT_TOKEN say where."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import async_hvac
from async_hvac.exceptions import Forbidden, InvalidRequest


def same(found: Any, wanted: Any) -> None:
    assert found == wanted, (found, wanted)


async def main() -> None:
    address = os.environ["VAULT_ADDR"]
    async with async_hvac.AsyncClient(url=address, token=os.environ["VAULT_TOKEN"]) as client:
        assert await client.is_authenticated() and await client.is_initialized() and not await client.is_sealed()
        await client.enable_secret_backend("kv", mount_point="old")
        await client.write("old/a", b="c")
        same((await client.read("old/a"))["data"], {"b": "c"})
        same((await client.list("old"))["data"]["keys"], ["a"])
        await client.delete("old/a")
        same(await client.read("old/a"), None)
        wrapped = await client.read("sys/mounts", wrap_ttl="60s")
        assert "old/" in (await client.unwrap(wrapped["wrap_info"]["token"]))["data"]

        await client.set_policy("app", 'path "transit/encrypt/app" { capabilities = ["create", "update"] }')
        assert "app" in await client.list_policies()
        await client.enable_secret_backend("transit")
        await client.transit_create_key("app")
        same((await client.transit_list_keys())["data"]["keys"], ["app"])

        await client.enable_auth_backend("approle")
        await client.create_role("app", policies="app")
        role = await client.get_role_id("app")
        secret = (await client.create_role_secret_id("app"))["data"]["secret_id"]
        async with async_hvac.AsyncClient(url=address) as own:
            await own.auth_approle(role, secret)
            sealed = (await own.transit_encrypt_data("app", "aGk="))["data"]["ciphertext"]
            for refused in (own.transit_decrypt_data("app", sealed), own.list_policies()):
                try:
                    await refused
                except Forbidden as error:
                    assert "permission denied" in str(error), error
                else:
                    raise AssertionError("it may not")
        same((await client.transit_decrypt_data("app", sealed))["data"]["plaintext"], "aGk=")
        try:
            await client.transit_decrypt_data("app", "nonsense")
        except InvalidRequest as error:
            assert "invalid ciphertext: no prefix" in str(error), error
        else:
            raise AssertionError("it opens nonsense")

        made = (await client.create_token(policies=["app"], lease="1h", renewable=True))["auth"]
        same((await client.lookup_token(made["client_token"]))["data"]["policies"], ["app", "default"])
        await client.renew_token(made["client_token"])
        await client.revoke_token(made["client_token"])
        await asyncio.gather(*(client.write(f"old/{n}", n=n) for n in range(50)))
        same(len((await client.list("old"))["data"]["keys"]), 50)


asyncio.run(main())
