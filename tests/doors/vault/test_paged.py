"""Pages of lists, and `pagination_limit` at the door: no list has more than the policy lets."""

from __future__ import annotations

import pytest
from tests import vaultstack

from keystead.doors.vault import DOOR
from keystead.doors.vault.endpoint import Endpoint
from keystead.doors.vault.paging import AFTER, LIMIT
from keystead.wire.vault.request import Verb

LISTS = 'path "{}" {{ capabilities = ["list"] pagination_limit = 2 }}'


@pytest.fixture(scope="module")
def vault() -> vaultstack.Vault:
    vault = vaultstack.door()
    assert vault.root("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}).status == 204
    for engine in ("transit", "totp"):
        assert vault.root("POST", f"sys/mounts/{engine}", {"type": engine}).status == 204
    for name in "abcdef":
        assert vault.root("POST", f"transit/keys/{name}", {}).status == 200
        assert vault.root("POST", f"totp/keys/{name}", {"key": "JBSWY3DPEHPK3PXP"}).status == 204
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
    for path in ("sys/policies/acl", "transit/keys", "kv/metadata"):
        words = vault.root.refused("LIST", f"{path}?limit=x")[1]
        assert words.startswith('Field validation failed: error converting input for field "limit"')
    some = lister(vault, "sys/policies/acl")
    assert some("LIST", "sys/policies/acl").json["data"]["keys"] == names[:2]
    assert some("LIST", "sys/policies/acl?limit=9").status == 403


@pytest.mark.parametrize("engine", ["transit", "totp"])
def test_keys_are_paged_as_everything_is(vault, engine) -> None:
    some = lister(vault, f"{engine}/keys")
    assert some("LIST", f"{engine}/keys").json["data"]["keys"] == ["a", "b"]
    assert some("LIST", f"{engine}/keys?after=b&limit=1").json["data"]["keys"] == ["c"]
    assert vault.root("LIST", f"{engine}/keys").json["data"]["keys"] == list("abcdef")
    assert vault.root("LIST", f"{engine}/keys?after=f").status == 404


def test_whoever_reads_a_page_of_its_own_takes_it_from_the_index() -> None:
    """Every other list is cut by the door, in one way."""
    listed = [one for one in DOOR.operations if isinstance(one, Endpoint) and one.verb in {Verb.LIST, Verb.SCAN}]
    own = {one.name for one in listed if {AFTER, LIMIT} & set(one.request.__struct_encode_fields__)}
    assert len(listed) > 20 and own == {"kv-v2 list metadata/{path:path?}"}


def test_what_is_told_of_each_name_is_cut_with_them(vault) -> None:
    for name in "ab":
        assert vault.root("POST", f"identity/entity/name/{name}", {}).status == 200
    told = vault.root("LIST", "identity/entity/id?limit=1").json["data"]
    assert len(told["keys"]) == 1 and list(told["key_info"]) == told["keys"]
