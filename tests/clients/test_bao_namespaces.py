"""Namespaces as people use them: the `bao` command, unmodified, against a real server. hvac: test_hvac.py."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.clients.test_bao_cli import Bao
from tests.servers import Serving, serving
from tests.waiting import until

pytestmark = pytest.mark.client


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving("dev", tmp_path_factory.mktemp("vault") / "data", "--listen", "vault=127.0.0.1:0") as running:
        yield running


@pytest.fixture(scope="module")
def bao(server: Serving, tmp_path_factory: pytest.TempPathFactory) -> Bao:
    return Bao(server, tmp_path_factory.mktemp("home"))


def good(bao: Bao, *words: str, token: str = "", stdin: str = "") -> str:
    done = bao(*words, token=token, stdin=stdin)
    assert done.status == 0, (words, done.err)
    return done.out.strip()


def test_the_namespace_command(bao) -> None:
    made = bao.json("namespace", "create", "-custom-metadata=team=one", "team")
    assert made["path"] == "team/" and made["custom_metadata"] == {"team": "one"}
    assert bao.json("namespace", "create", "-namespace=team", "inner")["path"] == "team/inner/"
    assert json.loads(good(bao, "namespace", "list", "-detailed", "-format=json"))["team/"]["custom_metadata"] == {
        "team": "one"
    }
    assert good(bao, "namespace", "list", "-namespace=team").split()[-1] == "inner/"
    assert bao.json("namespace", "lookup", "team")["path"] == "team/"
    patched = bao.json("namespace", "patch", "-custom-metadata=a=b", "-remove-custom-metadata=team", "team")
    assert patched["custom_metadata"] == {"a": "b"}
    assert bao("namespace", "delete", "team").status == 2
    good(bao, "namespace", "delete", "-namespace=team", "inner")
    good(bao, "namespace", "delete", "team")
    assert bao("namespace", "lookup", "team").status == 2


def test_locking_by_the_command(bao) -> None:
    good(bao, "namespace", "create", "shut")
    key = bao.json("namespace", "lock", "shut")["unlock_key"]
    assert "has been locked" in bao("secrets", "list", "-namespace=shut").err
    assert bao("namespace", "unlock", "-unlock-key=wrong", "shut").status == 2
    good(bao, "namespace", "unlock", f"-unlock-key={key}", "shut")
    assert "cubbyhole/" in good(bao, "secrets", "list", "-namespace=shut")
    good(bao, "namespace", "delete", "shut")


def test_a_day_in_a_namespace(bao) -> None:
    good(bao, "namespace", "create", "day")
    inside = ("-namespace=day",)
    good(bao, "secrets", "enable", *inside, "-path=secret", "kv-v2")
    good(bao, "kv", "put", *inside, "secret/app", "password=hers")
    assert good(bao, "kv", "get", *inside, "-field=password", "secret/app") == "hers"
    assert good(bao, "kv", "get", "-field=password", "day/secret/app") == "hers"  # by its path alone
    good(bao, "policy", "write", *inside, "app", "-", stdin='path "secret/data/*" { capabilities = ["read"] }')
    good(bao, "auth", "enable", *inside, "userpass")
    good(bao, "write", *inside, "auth/userpass/users/bob", "password=pw", "policies=app")
    login = (*inside, "-no-store", "-token-only", "-method=userpass", "username=bob", "password=pw")
    token = good(bao, "login", *login)
    assert good(bao, "kv", "get", *inside, "-field=password", "secret/app", token=token) == "hers"
    assert bao("kv", "get", "secret/app", token=token).status == 2
    assert bao("kv", "put", *inside, "secret/app", "password=mine", token=token).status == 2
    told = bao.json("token", "lookup", *inside, token)
    assert told["data"]["namespace_path"] == "day/"
    wrapped = bao.json("kv", "get", *inside, "-wrap-ttl=60s", "secret/app", token=token)["wrap_info"]["token"]
    assert "hers" in good(bao, "unwrap", *inside, wrapped)
    good(bao, "namespace", "delete", "day")
    assert bao("token", "lookup", token=token).status == 2


def test_what_is_left_of_a_large_one_goes_by_itself(bao) -> None:
    """More than one request takes away: the supervisor goes on, while nobody comes in."""
    good(bao, "namespace", "create", "large")
    good(bao, "secrets", "enable", "-namespace=large", "-path=kv", "kv")
    for n in range(12):
        good(bao, "kv", "put", "-namespace=large", f"kv/{n}", "a=b")
    good(bao, "namespace", "delete", "large")

    def is_gone() -> bool:
        assert bao("kv", "get", "-namespace=large", "kv/1").status == 2
        return bao("namespace", "lookup", "large").status != 0

    until(is_gone)
