"""sys/audit: HTTP API; words held to an OpenBao 2.7.2 whose configuration lets devices be made by the API."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from tests import vaultstack
from tests.harness import OTHER_TENANT
from tests.vaultstack import DENIED

from keystead.core.audit.record import Record, Who
from keystead.core.entities import AuditDevice, Setting, Topic
from keystead.core.errors import InvalidArgument
from keystead.core.places import Places, allowed
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


NOT_ALLOWED = "address is none that the operator allows audit devices"
PREFIX = "prefix has at most 256 printable ASCII characters"
OUTSIDE = "file_path is not in a directory that audit devices may be in"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, 'unknown backend type: ""'),
        ({"type": "zz"}, 'unknown backend type: "zz"'),
        ({"type": "http"}, 'audit devices of type "http" are not offered'),
        ({"type": "socket"}, "address is required"),
        ({"type": "socket", "options": {"address": "127.0.0.1:9091"}}, NOT_ALLOWED),
        ({"type": "socket", "options": {"address": "127.0.0.1:9090", "socket_type": "udp"}}, NOT_ALLOWED),
        ({"type": "socket", "options": {"address": "/run/audit.sock"}}, "no address of a tcp socket"),
        (
            {"type": "socket", "options": {"address": "127.0.0.1:9090", "socket_type": "unixgram"}},
            'socket_type "unixgram" is not offered',
        ),
        (
            {"type": "socket", "options": {"address": "127.0.0.1:9090", "write_timeout": "0"}},
            "write_timeout is more than 0 and at most 60 seconds",
        ),
        (
            {"type": "socket", "options": {"address": "127.0.0.1:9090", "write_timeout": "x"}},
            'time: invalid duration "x"',
        ),
        (
            {"type": "socket", "options": {"address": "127.0.0.1:9090", "mode": "0600"}},
            "mode of an audit device is not offered",
        ),
        ({"type": "syslog", "options": {"facility": "nope"}}, "invalid syslog facility: nope"),
        ({"type": "syslog", "options": {"tag": "a b"}}, "tag has 1 to 32 letters, digits and _./-"),
        ({"type": "syslog", "options": {"tag": "a\n"}}, "tag has 1 to 32 letters, digits and _./-"),
        ({"type": "syslog", "options": {"format": "xml"}}, 'unknown format type "xml"'),
        ({"type": "file", "options": {"file_path": "stdout"}}, 'file_path "stdout" is not offered'),
        ({"type": "file"}, "file_path is required"),
        (
            {"type": "file", "options": {"file_path": "a", "log_raw": "true"}},
            "log_raw of an audit device is not offered",
        ),
        ({"type": "file", "options": {"file_path": "a", "prefix": "x\ny"}}, PREFIX),
        ({"type": "file", "options": {"file_path": "a", "prefix": "x" * 257}}, PREFIX),
        (
            {"type": "file", "options": {"file_path": "a", "mode": "0666"}},
            "the mode of an audit device lets nobody but this server write",
        ),
        (
            {"type": "file", "options": {"file_path": "a", "mode": "4755"}},
            "file mode does not represent a regular file",
        ),
        (
            {"type": "file", "options": {"file_path": "a", "mode": "8"}},
            'strconv.ParseUint: parsing "8": invalid syntax',
        ),
        (
            {"type": "file", "options": {"file_path": "a", "elide_list_responses": "perhaps"}},
            'strconv.ParseBool: parsing "perhaps": invalid syntax',
        ),
        (
            {"type": "file", "options": {"file_path": "a", "hmac_accessor": "zz"}},
            'strconv.ParseBool: parsing "zz": invalid syntax',
        ),
    ],
)
def test_refused(vault, body, words) -> None:
    """CVE-2024-0831: log_raw among them."""
    assert vault.root.refused("PUT", "sys/audit/x", body) == (400, words)


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "/devices/../etc/x", "/devices/sub/x", "../x", "sub/x", "/devices/", "/devices/.x", "."),
        *("..", "/var/log/keystead/..", "/devices//x", "stdout/x", "/devices/x\n", "/devicesx/y", "a" * 200, "x y"),
    ],
)
def test_a_path_outside_of_what_the_operator_allows(vault, path) -> None:
    """CVE-2025-6000, CVE-2025-54997."""
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
    """CVE-2024-8365: neither a token nor an accessor."""
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


TCP, UNIX = "127.0.0.1:9090", "/run/audit.sock"
AUTH_INFO, LOCAL7_INFO = 38, 190  # RFC 3164 §4.1.1


@pytest.mark.parametrize(
    ("kind", "options", "kept_as"),
    [
        ("socket", {"address": TCP}, (f"tcp:{TCP}", 2, 0, "")),
        ("socket", {"address": TCP, "socket_type": "tcp", "write_timeout": "10s"}, (f"tcp:{TCP}", 10, 0, "")),
        ("socket", {"address": UNIX, "socket_type": "unix", "prefix": "x "}, (f"unix:{UNIX}", 2, 0, "")),
        ("syslog", {"elide_list_responses": "true"}, ("syslog", 2, AUTH_INFO, "vault")),
        ("syslog", {"facility": "local7", "tag": "keys", "format": "json"}, ("syslog", 2, LOCAL7_INFO, "keys")),
    ],
)
def test_other_types(vault, kind, options, kept_as) -> None:
    assert vault.root("PUT", "sys/audit/a", {"type": kind, "options": options}).status == 204
    shown = vault.root.data("GET", "sys/audit")["a/"]
    assert (shown["type"], shown["options"]) == (kind, options)
    device = kept(vault)
    assert (device.type, device.prefix) == (kind, options.get("prefix", ""))
    assert (device.path, device.patience, device.priority, device.tag) == kept_as


def test_nothing_is_allowed_that_the_operator_does_not_name(vault) -> None:
    vault.stack.service._places = Places(("/devices",))
    for kind, options, words in (
        ("socket", {"address": "127.0.0.1:9090"}, NOT_ALLOWED),
        ("syslog", {}, "syslog is nothing that the operator allows audit devices"),
    ):
        assert vault.root.refused("PUT", "sys/audit/a", {"type": kind, "options": options}) == (400, words)


def test_a_device_of_an_installation_that_knew_files_alone(vault) -> None:
    """Its row has no type."""
    assert enable(vault).status == 204
    (setting,) = [one for one in vault.stack.barrier.every(Setting) if one.topic is Topic.AUDIT_DEVICE]
    old = json.loads(setting.value)
    for name in ("type", "prefix", "mode", "patience", "priority", "tag"):
        del old[name]
    device = value_of(replace(setting, value=json.dumps(old).encode()), AuditDevice)
    assert (device.type, device.mode, device.prefix) == ("file", 0o600, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("syslog", "syslog"),
        ("syslog:/run/x/log", "syslog:/run/x/log"),
        ("tcp:Logs.Internal:514", "tcp:logs.internal:514"),
        ("udp:[::1]:514", "udp:[::1]:514"),
        ("unix:/run/a b.sock", "unix:/run/a b.sock"),
        *((text, None) for text in ("", "tcp", "tcp:", "tcp:a", "tcp:a:0", "tcp:a:65536", "tcp:a:b", "tcp:a b:1")),
        *((text, None) for text in ("tcp4:a:1", "unix:a", "unix:/" + "a" * 108, "syslog:a", "http:a:1", "tcp:@:1")),
        *((text, None) for text in ("unix:/a\n", "unix:/\0a", "udp:a:1:2", "udp:[zz]:1")),
    ],
)
def test_what_the_operator_may_name(text, told) -> None:
    if told is None:
        with pytest.raises(InvalidArgument):
            allowed(text)
    else:
        assert allowed(text) == told


HOSTILE = 'a\x1b[2J\x9b2J\u2028\u202eb\U0001f511"'


def test_nothing_that_somebody_is_called_moves_the_cursor_of_whoever_follows_the_file() -> None:
    """security.md §4-E, check 71: an identity provider says what its people are called."""
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    told = shaped(Record(at=at, who=Who(id="t", name=HOSTILE), door="vault", outcome="performed"), str)
    assert all(0x20 <= one <= 0x7E for one in told.replace(b"\n", b""))
    assert [json.loads(line)["auth"]["display_name"] for line in told.splitlines()] == [HOSTILE, HOSTILE]
