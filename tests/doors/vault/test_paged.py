"""Pages of lists, and `pagination_limit` at the door: no list has more than the policy lets."""

from __future__ import annotations

import pytest
from tests import vaultstack

LISTS = 'path "{}" {{ capabilities = ["list"] pagination_limit = 2 }}'


@pytest.fixture(scope="module")
def vault() -> vaultstack.Vault:
    vault = vaultstack.door()
    assert vault.root("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}).status == 204
    for name in "abcdef":
        assert vault.root("POST", f"kv/data/{name}", {"data": {"v": name}}).status == 200
        assert vault.root("PUT", f"sys/policies/acl/p{name}", {"policy": 'path "x" { capabilities = ["read"] }'})
    return vault


def lister(vault: vaultstack.Vault, path: str) -> vaultstack.Bearer:
    vault.root.policy("lists", LISTS.format(path))
    return vault.root.token(policies=["lists"], no_default_policy=True)


@pytest.mark.parametrize("query", ["", "?limit=0", "?limit=max", "?limit=2"])
def test_a_list_has_no_more_than_the_policy_lets(vault, query) -> None:
    told = lister(vault, "kv/metadata/")("LIST", f"kv/metadata/{query}")
    assert told.status == 200 and len(told.json["data"]["keys"]) == 2


def test_what_is_asked_for_within_it_is_answered(vault) -> None:
    some, found = lister(vault, "kv/metadata/"), list[str]()
    while (told := some("LIST", f"kv/metadata/?limit=1&after={found[-1] if found else ''}")).status == 200:
        found += told.json["data"]["keys"]
    assert sorted(found) == list("abcdef")
    assert some("LIST", "kv/metadata/?limit=3").status == 403


def test_lists_that_no_index_pages_have_pages_too(vault) -> None:
    names = vault.root("LIST", "sys/policies/acl").json["data"]["keys"]
    assert vault.root("LIST", "sys/policies/acl?limit=2").json["data"]["keys"] == names[:2]
    assert vault.root("LIST", f"sys/policies/acl?limit=2&after={names[1]}").json["data"]["keys"] == names[2:4]
    assert vault.root("LIST", f"sys/policies/acl?after={names[-1]}").status == 404
    assert vault.root("LIST", "sys/policies/acl?limit=x").status == 400
    some = lister(vault, "sys/policies/acl")
    assert some("LIST", "sys/policies/acl").json["data"]["keys"] == names[:2]
    assert some("LIST", "sys/policies/acl?limit=9").status == 403


def test_what_is_told_of_each_name_is_cut_with_them(vault) -> None:
    for name in "ab":
        assert vault.root("POST", f"identity/entity/name/{name}", {}).status == 200
    told = vault.root("LIST", "identity/entity/id?limit=1").json["data"]
    assert len(told["keys"]) == 1 and list(told["key_info"]) == told["keys"]
