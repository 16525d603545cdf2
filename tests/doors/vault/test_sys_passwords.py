"""sys/policies/password: HTTP API, held to OpenBao 2.7.2 by test_system_openbao.py."""

from base64 import b64encode

import pytest
from tests import vaultstack
from tests.vaultstack import DENIED

TEXT = 'length = 20\nrule "charset" { charset = "abcde" min-chars = 1 }\n'
ABSENT = (404, "1 error occurred:\n\t* policy does not exist\n\n")


@pytest.fixture
def vault():
    return vaultstack.door()


def test_written_read_listed_deleted(vault) -> None:
    root = vault.root
    assert root.refused("LIST", "sys/policies/password") == (404, "")
    assert root("PUT", "sys/policies/password/App", {"policy": TEXT}).status == 204
    assert root("PUT", "sys/policies/password/b", {"policy": b64encode(TEXT.encode()).decode()}).status == 204
    assert (
        root.data("GET", "sys/policies/password/App") == {"policy": TEXT} == root.data("GET", "sys/policies/password/b")
    )
    assert root.data("LIST", "sys/policies/password") == {"keys": ["App", "b"]}
    assert root("DELETE", "sys/policies/password/b").status == 204
    assert root("DELETE", "sys/policies/password/b").status == 204
    assert root.refused("GET", "sys/policies/password/b") == ABSENT
    assert root.refused("GET", "sys/policies/password/b/generate") == ABSENT


def test_generated(vault) -> None:
    vault.root.data("PUT", "sys/policies/password/app", {"policy": TEXT})
    vault.stack.forget_records()
    drawn = [vault.root.data("GET", "sys/policies/password/app/generate")["password"] for _ in range(3)]
    assert all(len(one) == 20 and set(one) <= set("abcde") for one in drawn) and len(set(drawn)) == 3
    assert not any(one.encode() in line for one in drawn for line in vault.stack.journal.lines)


def test_refused(vault) -> None:
    missing = (400, "1 error occurred:\n\t* missing policy\n\n")
    assert vault.root.refused("PUT", "sys/policies/password/a", {}) == missing
    words = "1 error occurred:\n\t* passwords must be between 4 and 100 characters\n\n"
    assert vault.root.refused("PUT", "sys/policies/password/a", {"policy": TEXT.replace("20", "3")}) == (400, words)


def test_it_takes_a_policy_to(vault) -> None:
    vault.root.data("PUT", "sys/policies/password/app", {"policy": TEXT})
    token = vault.root.token(policies=["default"])
    for method, path in (("GET", "app"), ("GET", "app/generate"), ("PUT", "app"), ("DELETE", "app"), ("LIST", "")):
        assert token.refused(method, f"sys/policies/password/{path}".rstrip("/"), {"policy": TEXT}) == (403, DENIED)
    vault.root.policy("draws", 'path "sys/policies/password/app/generate" { capabilities = ["read"] }')
    drawer = vault.root.token(policies=["draws"])
    assert drawer("GET", "sys/policies/password/app/generate").status == 200
    assert drawer("GET", "sys/policies/password/app").status == 403
