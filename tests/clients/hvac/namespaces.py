"""hvac with namespace=…: run by test_hvac.py with hvac on its path; whatever is wrong raises."""

from __future__ import annotations

import os

import hvac
from hvac.exceptions import Forbidden, InvalidPath

AT, TOKEN = os.environ["KEYSTEAD_AT"], os.environ["KEYSTEAD_TOKEN"]


def refused(error: type[Exception], call: object, *args: object, **more: object) -> None:
    try:
        call(*args, **more)  # type: ignore[operator]  # one of hvac's methods
    except error:
        return
    raise AssertionError(f"{call} was not refused")


def main() -> None:
    root = hvac.Client(url=AT, token=TOKEN)
    root.sys.create_namespace(path="team")
    assert root.sys.list_namespaces()["data"]["keys"] == ["team/"]
    inside = hvac.Client(url=AT, token=TOKEN, namespace="team")
    inside.sys.create_namespace(path="inner")
    assert inside.sys.list_namespaces()["data"]["key_info"]["inner/"]["path"] == "team/inner/"
    inside.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
    inside.sys.enable_secrets_engine("transit")
    inside.secrets.kv.v2.create_or_update_secret("app", secret={"a": "hers"})
    inside.secrets.transit.create_key("k")
    sealed = inside.secrets.transit.encrypt_data("k", "YQ==")["data"]["ciphertext"]
    inside.sys.create_or_update_policy("app", 'path "secret/data/app" { capabilities = ["read"] }')
    made = inside.auth.token.create(policies=["app"])["auth"]["client_token"]
    app = hvac.Client(url=AT, token=made, namespace="team")
    assert app.is_authenticated()
    assert app.secrets.kv.v2.read_secret_version("app")["data"]["data"] == {"a": "hers"}
    assert inside.secrets.transit.decrypt_data("k", sealed)["data"]["plaintext"] == "YQ=="
    inside.sys.enable_auth_method("approle")
    inside.auth.approle.create_or_update_approle("r", token_policies=["app"])
    role = inside.auth.approle.read_role_id("r")["data"]["role_id"]
    secret = inside.auth.approle.generate_secret_id("r")["data"]["secret_id"]
    login = hvac.Client(url=AT, namespace="team")
    login.auth.approle.login(role, secret)
    assert login.lookup_token()["data"]["namespace_path"] == "team/"
    refused(Forbidden, hvac.Client(url=AT).auth.approle.login, role, secret)
    for namespace in ("", "nope", "team/inner"):
        elsewhere = hvac.Client(url=AT, token=made, namespace=namespace)
        refused(Forbidden, elsewhere.secrets.kv.v2.read_secret_version, "app")
    refused(InvalidPath, hvac.Client(url=AT, token=TOKEN, namespace="nope").sys.list_mounted_secrets_engines)
    inside.sys.delete_namespace(path="inner")
    root.sys.delete_namespace(path="team")
    refused(Forbidden, app.secrets.kv.v2.read_secret_version, "app")
    assert not app.is_authenticated() and not login.is_authenticated()
    refused(InvalidPath, root.sys.list_namespaces)


if __name__ == "__main__":
    main()
