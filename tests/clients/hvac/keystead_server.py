"""A pytest plugin: hvac's own tests against a server that runs already (KEYSTEAD_AT, KEYSTEAD_TOKEN, KEYSTEAD_KEYS).

hvac's ServerManager starts the `vault` command and reads its configuration. This one stands in its place, starts
nothing, and leaves the server as empty for each class of tests as a new one would be. Nothing else of hvac's is changed
but what asks the `vault` command for its version, and an issuer that none of the tests that are run asks.
"""

from __future__ import annotations

import os
import sys
import types
from typing import Any

ADDRESS, TOKEN = os.environ["KEYSTEAD_AT"], os.environ["KEYSTEAD_TOKEN"]  # hvac itself looks at VAULT_TOKEN
SHARES = os.environ["KEYSTEAD_KEYS"].split()  # that open it now: some tests change them
SPOKEN = "1.17.6"
BUILT_IN = {"cubbyhole/", "identity/", "sys/"}
FIXED = {"default", "root", "response-wrapping"}


class ServerManager:
    """tests.utils.server_manager.ServerManager, as far as the tests see it."""

    def __init__(self, config_paths: Any = (), client: Any = None, use_consul: bool = False, **_: Any) -> None:
        from tests import utils  # noqa: PLC0415 - hvac's

        self.config_paths, self.use_consul = config_paths, use_consul
        self.root_token = TOKEN
        self.client = client or utils.create_client()
        self.client.token = TOKEN

    @property
    def keys(self) -> list[str]:
        return list(SHARES)

    @keys.setter
    def keys(self, keys: list[str]) -> None:
        SHARES[:] = keys

    def start(self) -> None:
        """As a new server has it: kv version 2 at secret/, and nothing else that was not always there."""
        client = self.client
        client.token = TOKEN
        for path in client.sys.list_mounted_secrets_engines()["data"].keys() - BUILT_IN:
            client.sys.disable_secrets_engine(path.strip("/"))
        for path in client.sys.list_auth_methods()["data"].keys() - {"token/"}:
            client.sys.disable_auth_method(path.strip("/"))
        for name in set(client.sys.list_policies()["data"]["policies"]) - FIXED:
            client.sys.delete_policy(name)
        client.sys.enable_secrets_engine("kv", path="secret", options={"version": "1"})

    def initialize(self) -> None:
        pass

    def unseal(self) -> None:
        self.client.sys.submit_unseal_keys(SHARES)

    def stop(self) -> None:
        pass

    def get_active_vault_addresses(self) -> list[str]:
        return [ADDRESS]


module = types.ModuleType("tests.utils.server_manager")
module.ServerManager = ServerManager
sys.modules["tests.utils.server_manager"] = module


def absent(*_: Any, **__: Any) -> None:
    raise NotImplementedError("its issuer is not run: see LEFT_OUT")


provider = types.ModuleType("tests.utils.mock_oauth_provider.mock_oauth_provider")
provider.MockOauthProviderServerThread = provider.create_user_session_and_client = absent
sys.modules[provider.__name__] = provider


def pytest_configure() -> None:
    from hvac import Client  # noqa: PLC0415 - hvac comes with the suite
    from tests import utils  # noqa: PLC0415 - hvac's

    utils.get_vault_version_string.cache = SPOKEN

    its_own = utils.create_client

    def create_client(url: str = ADDRESS, use_env: bool = False, session: Any = None, **more: Any) -> Client:
        if ADDRESS.startswith("https:"):  # with its own certificates
            return its_own(ADDRESS, use_env=use_env, session=session, **more)
        return Client(url=ADDRESS, session=session, **more)

    utils.create_client = create_client
