"""sys/audit: HTTP API; words held to an OpenBao 2.7.2 whose configuration lets devices be made by the API."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from tests import vaultstack
from tests.harness import OTHER_TENANT
from tests.vaultstack import DENIED

from keystead.core.entities import AuditDevice, Setting, Topic
from keystead.doors.vault.auditlog import shaped
from keystead.service.bootstrap import first_token
from keystead.service.handlers.settings import value_of


@pytest.fixture
def vault():
    return vaultstack.door()


def enable(vault, name: str = "file", **options: str):
    options = options or {"file_path": "vault.log"}
    return vault.root("PUT", f"sys/audit/{name}", {"type": "file", "description": "d", "options": options})


def kept(vault) -> AuditDevice:
    (setting,) = [one for one in vault.stack.barrier.every(Setting) if one.topic is Topic.AUDIT_DEVICE]
    return value_of(setting, AuditDevice)


def test_enabled_listed_disabled(vault) -> None:
    assert vault.root.data("GET", "sys/audit") == {}
    assert enable(vault).status == 204
    device = {
        "description": "d",
        "local": False,
        "options": {"file_path": "vault.log"},
        "path": "file/",
        "type": "file",
    }
    answer = vault.root("GET", "sys/audit").json
    assert answer["data"] == {"file/": device} and answer["file/"] == device
    assert kept(vault).path == "/devices/vault.log" and "salt" not in json.dumps(answer)
    assert vault.root("DELETE", "sys/audit/file").status == 204 == vault.root("DELETE", "sys/audit/file").status
    assert vault.root.data("GET", "sys/audit") == {}


OUTSIDE = "file_path is not in a directory that audit devices may be in"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, 'unknown backend type: ""'),
        ({"type": "zz"}, 'unknown backend type: "zz"'),
        ({"type": "socket"}, 'audit devices of type "socket" are not offered'),
        ({"type": "syslog"}, 'audit devices of type "syslog" are not offered'),
        ({"type": "file"}, "file_path is required"),
        (
            {"type": "file", "options": {"file_path": "a", "log_raw": "true"}},
            "log_raw of an audit device is not offered",
        ),
        ({"type": "file", "options": {"file_path": "a", "prefix": "x"}}, "prefix of an audit device is not offered"),
        ({"type": "file", "options": {"file_path": "a", "mode": "0644"}}, "mode of an audit device is not offered"),
        (
            {"type": "file", "options": {"file_path": "a", "hmac_accessor": "zz"}},
            'strconv.ParseBool: parsing "zz": invalid syntax',
        ),
    ],
)
def test_refused(vault, body, words) -> None:
    assert vault.root.refused("PUT", "sys/audit/x", body) == (400, words)


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "/devices/../etc/x", "/devices/sub/x", "../x", "sub/x", "/devices/", "/devices/.x", "."),
        *("..", "/var/log/keystead/..", "/devices//x", "stdout/x", "/devices/x\n", "/devicesx/y", "a" * 200, "x y"),
    ],
)
def test_a_path_outside_of_what_the_operator_allows(vault, path) -> None:
    assert vault.root.refused("PUT", "sys/audit/x", {"type": "file", "options": {"file_path": path}}) == (400, OUTSIDE)


def test_a_directory_that_the_operator_allows(vault) -> None:
    assert enable(vault, path="/var/log/keystead/vault.log").status == 204
    assert kept(vault).path == "/var/log/keystead/vault.log"
    words = vault.root.refused("PUT", "sys/audit/file", {"type": "file", "options": {"file_path": "x"}})
    assert words == (400, "path already in use")


def test_digests(vault) -> None:
    assert enable(vault).status == 204
    answer = vault.root("PUT", "sys/audit-hash/file", {"input": "abc"}).json
    salt = bytes.fromhex(kept(vault).salt)
    assert (
        answer["hash"] == answer["data"]["hash"] == f"hmac-sha256:{hmac.new(salt, b'abc', hashlib.sha256).hexdigest()}"
    )
    assert vault.root.refused("PUT", "sys/audit-hash/none", {"input": "x"}) == (400, 'unknown audit backend "none/"')
    assert vault.root.refused("PUT", "sys/audit-hash/file", {}) == (400, 'the "input" parameter is empty')


def test_a_salt_is_new_each_time(vault) -> None:
    seen = set()
    for _ in range(2):
        assert enable(vault).status == 204
        seen.add(kept(vault).salt)
        vault.root.data("DELETE", "sys/audit/file")
    assert len(seen) == 2


def test_it_takes_sudo(vault) -> None:
    vault.root.policy("no-sudo", 'path "sys/audit*" { capabilities = ["create", "read", "update", "delete"] }')
    token = vault.root.token(policies=["no-sudo"])
    assert token.refused("GET", "sys/audit") == (403, DENIED)
    assert token.refused("PUT", "sys/audit/x", {"type": "file", "options": {"file_path": "a"}}) == (403, DENIED)
    assert token.refused("DELETE", "sys/audit/x") == (403, DENIED)


def test_they_are_the_first_tenants_alone(vault) -> None:
    stack = vault.stack
    stack.clock.forward(timedelta(hours=1))
    stack.view.loop_thread = None
    stack.keyring(OTHER_TENANT)
    stack.on_the_loop()
    made = first_token(stack.barrier, OTHER_TENANT, stack.clock.now(), stack.entropy)
    stack.generation.announce()
    other = vaultstack.Bearer(stack, made.text.reveal().decode())
    assert other("GET", "sys/mounts").status == 200
    only = (400, "operation only available in root namespace")
    assert other.refused("PUT", "sys/audit/x", {"type": "file", "options": {"file_path": "vault.log"}}) == only
    assert other.refused("GET", "sys/audit") == only == other.refused("PUT", "sys/quotas/rate-limit/x", {"rate": 1})


def test_the_form_of_a_line(vault) -> None:
    token = vault.root.token(policies=["default"])
    accessor = token.data("GET", "auth/token/lookup-self")["accessor"]
    vault.stack.forget_records()
    token("GET", "auth/token/lookup-self")
    token("GET", "sys/mounts")
    fine, refused = (
        [json.loads(line) for line in shaped(record, lambda text: f"#{text}").splitlines()]
        for record in vault.stack.records()[-2:]
    )
    for asked, answered in (fine, refused):
        assert (asked["type"], answered["type"]) == ("request", "response")
        assert asked["request"] == answered["request"] and asked["time"] == answered["time"]
        assert asked["auth"]["accessor"] == asked["request"]["client_token_accessor"] == f"#{accessor}"
    request = fine[0]["request"]
    assert request["path"] == "auth/token/lookup-self" and request["operation"] == "read"
    assert request["mount_type"] == "token" and request["remote_address"] == "203.0.113.7"
    assert "error" not in fine[1] and refused[1]["error"].startswith("refused: Denied")
    assert token.text not in json.dumps([fine, refused])


def test_a_line_of_another_door_and_of_nobody(vault) -> None:
    vault.stack.forget_records()
    vault.nobody("GET", "sys/mounts")
    (line, _) = map(json.loads, shaped(vault.stack.record(), str).splitlines())
    assert line["auth"] == {"token_type": "default"} and line["error"].startswith("refused: Unauthenticated")
