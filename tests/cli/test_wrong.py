"""What is said of what is wrong: one line, what to do next, a documented exit status."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from tests.servers import KEYSTEAD, at_once, keystead, serving

from keystead.cli import cli
from keystead.cli.commands import COMMANDS
from keystead.cli.commands import key as commands_key
from keystead.cli.exits import EXITS, NEXT, Exit, NotDone, report
from keystead.cli.here import About
from keystead.core.errors import Internal, KeysteadError

RULE = ("approval", "rule", "put", "r", "--approvals", "1", "--approver", "user:a")
WRONG = [
    (("kye",), "did you mean `key`?"),
    (("key", "lsit"), "did you mean `list`?"),
    (("key", "delete"), "did you mean `cancel-deletion` or `schedule-deletion`?"),
    (("zzz",), "`keystead --help` lists them"),
    (("key", "list", "--jsno"), "--json"),
    (("--yaml", "status"), "--yaml goes behind a command; see `keystead --help`"),
    (("key", "--in", "us-east-1", "list"), "--in goes behind a command; see `keystead key --help`"),
    (("key", "create", "--spec", "AES_265"), "did you mean AES_256?"),
    (("key", "create", "--tag", "no-equals-sign"), "NAME=VALUE"),
    (("key", "create", "--purpose", "cyphers"), "there are cipher"),
    (("key", "create", "--name", "app"), "begins with alias/"),
    (("key", "create", "--name", "alias/aws/app"), "not with alias/aws/"),
    ((*RULE, "--action", "destroy", "--waits=-5m"), "say 30m, 24h, 7d"),
    (("audit", "export", "--from", "5", "--to", "2"), "--to 2 is before --from 5"),
    (("slot", "mode", "window"), "`keystead slot recovery-key` makes one"),
    ((*RULE, "--action", "x"), "asked for destroy, "),
    (("key", "schedule-deletion"), "KEY"),
    (("key", "schedule-deletion", "x", "--days", "3"), "7<=x<=30"),
    (("key", "describe", "not-a-key"), "alias/app"),
    (("env", "aw"), "did you mean aws?"),
    (("env", "google"), "there are aws"),
    (("audit", "prove", "3"), "--output"),
    (("principal", "session", "admin", "--seconds", "1"), "900"),
]


@pytest.mark.parametrize(("words", "hint"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_word_gets_a_hint(server, words, hint) -> None:
    done = at_once(*words, "--data", server.directory)
    assert done.status == Exit.USAGE and done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("keystead: ") and hint in line


@pytest.mark.parametrize(("words", "hint"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_and_the_same_in_json(server, words, hint) -> None:
    error = at_once(*words, "--json", "--data", server.directory).error
    assert error.keys() <= {"error", "message", "field"} and hint in error["message"]


@pytest.mark.parametrize(
    ("words", "field", "hint"),
    [
        (("key", "describe", "alias/nope"), "key", "no such key; `keystead key list`"),
        (("key", "describe", "395f5c88-da79-431c-b871-d768be4eb43e"), "key_id", "`keystead key list`"),
        (("key", "list", "--in", "eu-moon-1"), "keyring", "no such keyring; `keystead keyring list`"),
        (("key", "create", "--in", "eu-moon-1"), "keyring", "no such keyring; `keystead keyring list`"),
        (("policy", "get", "alias/nope"), "key", "no such key; `keystead key list`"),
        (("principal", "delete", "nope"), "principal", "no principal named 'nope'; `keystead principal list`"),
        (("principal", "access-key", "list", "nope"), "principal", "'nope'; `keystead principal list`"),
        (("principal", "policy", "list", "nope"), "principal", "'nope'; `keystead principal list`"),
        (("hsm", "check", "nope"), "hsm", "no HSM 'nope'; `keystead hsm list`"),
        (("token", "revoke", "nope"), "token", "no such token; `keystead token list`"),
        (("key", "list", "--tenant", "nope"), "tenant", "there is no namespace 'nope'; `keystead namespace list`"),
    ],
)
def test_what_is_not_there_is_said_and_where_to_look(server, stopped, words, field, hint) -> None:
    """Of a server, and without one."""
    for at in (server.directory, stopped):
        done = at_once(*words, "--json", "--data", at)
        assert done.status == Exit.NOT_FOUND
        assert done.error["field"] == field and hint in done.error["message"]


def test_a_next_step_names_the_directory_that_it_is_about(stopped, tmp_path, monkeypatch) -> None:
    elsewhere = f" --data {stopped}"
    for words in (("status",), ("seal",), ("env", "aws")):
        done = at_once(*words, "--data", stopped)
        assert done.status == Exit.NO_SERVER and f"`keystead dev{elsewhere}`" in done.err, words
        assert f"`keystead serve{elsewhere}`" in done.err
    monkeypatch.chdir(stopped.parent)
    stopped.rename("keystead-data")
    try:
        assert "`keystead dev`, or `keystead serve`" in at_once("status").err
    finally:
        (stopped.parent / "keystead-data").rename(stopped)


def test_a_sealed_server_says_how_it_is_opened(tmp_path) -> None:
    made = at_once("init", data := tmp_path / "data", "--json").json
    with serving("serve", data) as sealed:
        (tmp_path / "share").write_text(made["shares"][0])
        open_it = f"`keystead unseal --data {data}`"
        assert open_it in sealed("status").out and open_it in sealed("key", "list").err
        done = sealed("unseal")
        assert done.status == Exit.SEALED and "--unseal file:PATH" in done.err and "`keystead unseal" not in done.err
        done = sealed("unseal", "--unseal", f"file:{tmp_path}/share")
        assert done.status == Exit.SEALED and "3 shares are needed, not 1" in done.err
        with_server = keystead("serve", data)
        assert with_server.status == Exit.FAILED and f"`keystead status --data {data}`" in with_server.err
    done = at_once("key", "list", "--data", data)
    assert done.status == Exit.SEALED and "--unseal file:PATH" in done.err and "`keystead unseal" not in done.err


def test_a_defect_names_the_request_that_the_log_tells_of(capsys) -> None:
    for detail, words in (("a-request", "under the request id a-request"), ("", "a defect of Keystead\n")):
        report(Internal("internal error", detail), About(), as_json=False)
        assert words in capsys.readouterr().err


def test_a_second_server_is_told_of_the_first_and_what_to_do(server) -> None:
    for words in (("dev",), ("serve",)):
        done = keystead(*words, "--data", server.directory, "--json")
        assert done.status == Exit.FAILED and "`keystead status --data" in done.error["message"], words


def test_a_wrong_place_to_listen(tmp_path) -> None:
    for listen, hint in (("awz=127.0.0.1:0", "did you mean aws?"), ("aws=nowhere", "HOST:PORT"), ("aws", "HOST:PORT")):
        done = keystead("dev", "--data", tmp_path / "data", "--listen", listen)
        assert done.status == 2 and hint in done.err, listen


@pytest.mark.parametrize(
    "words",
    [("key", "list"), ("backup", "x"), ("restore", "x"), ("prove", "destroyed", "x"), ("status",), ("slot", "rotate")],
    ids=" ".join,
)
def test_no_installation(tmp_path, words) -> None:
    done = at_once(*words, "--data", tmp_path / "nothing", "--json")
    assert done.status == Exit.NOT_FOUND and "keystead dev" in done.error["message"]


def test_a_directory_that_cannot_be_made(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    for words in (("dev", "--data"), ("init", "--json")):
        done = at_once(*words, tmp_path / "file")
        assert done.status == Exit.USAGE and "cannot be made" in done.err and len(done.err.splitlines()) == 1, words


@pytest.mark.parametrize(
    "words",
    [
        ("env", "aws"),
        ("run", "aws"),
        ("status",),
        ("key", "list"),
        ("backup", "x"),
        ("slot", "rotate"),
        ("audit", "tail"),
    ],
    ids=" ".join,
)
def test_what_the_system_does_not_let_one_see_is_not_said_to_be_away(server, monkeypatch, words) -> None:
    """Another user's directory: neither is no server running on it, nor is there no installation."""

    def refused(path, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", refused)
    monkeypatch.setattr(os, "stat", refused)
    done = at_once(*words, "--json", "--data", server.directory)
    assert done.status == Exit.FAILED and done.error["error"] == "NotPermitted"
    assert "Permission denied" in done.error["message"] and "--data" in done.error["message"]
    assert str(server.directory) in done.error["message"]


def test_no_room_for_what_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([KEYSTEAD, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == Exit.FAILED and done.stderr == "keystead: No space left on device\n"


def test_serve_without_an_installation(tmp_path) -> None:
    done = keystead("serve", tmp_path / "nothing")
    assert done.status == Exit.NOT_FOUND and "keystead init" in done.err


def test_a_database_that_is_lost(tmp_path, stopped) -> None:
    database = stopped / "keystead.db"
    database.rename(stopped / "elsewhere")
    try:
        done = keystead("key", "list", "--data", stopped)
        assert done.status == Exit.NOT_FOUND and "keystead restore" in done.err
        assert not database.exists()
    finally:
        (stopped / "elsewhere").rename(database)


def test_a_configuration_that_is_wrong(stopped) -> None:
    path = stopped / "keystead.toml"
    before = path.read_text()
    try:
        for text, hint in ((b"wrokers = 2\n", "wrokers"), (b"workers = \xff", "no text in UTF-8")):
            path.write_bytes(text)
            done = at_once("key", "list", "--data", stopped)
            assert done.status == Exit.USAGE and hint in done.err
    finally:
        path.write_text(before)


def test_a_file_that_cannot_be_read_or_written_is_said_so(server, tmp_path) -> None:
    nowhere, binary = tmp_path / "no" / "where", tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    made = server("key", "create", "--json").json["id"]
    for words, status, hint in (
        (("policy", "put", made, nowhere), Exit.USAGE, "cannot be read: No such file"),
        (("policy", "put", made, binary), Exit.USAGE, "is no text"),
        (("principal", "policy", "put", "admin", "p", binary), Exit.USAGE, "is no text"),
        (("key", "attest", made, "-o", nowhere), Exit.FAILED, "cannot be written"),
        (("key", "attest", "--verify", nowhere), Exit.NOT_FOUND, "cannot be read"),
        (("audit", "checkpoint", "-o", nowhere), Exit.FAILED, "cannot be written"),
        (("audit", "verify", "--trusted", nowhere), Exit.NOT_FOUND, "cannot be read"),
        (("audit", "verify", "--key", binary), Exit.USAGE, "is no text"),
        (("audit", "verify", "--key", "prod"), Exit.USAGE, "DIR/audit/key.pub"),
    ):
        done = server(*words)
        assert done.status == status and hint in done.err and len(done.err.splitlines()) == 1, (words, done)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("file:nowhere", "file: the secret cannot be read: No such file or directory"),
        ("file:/", "file: the secret cannot be read: Is a directory"),
        ("file:a\0b", "file: the secret cannot be read: that is no path"),
        ("env:NOT_SET", "env: the secret cannot be read: no such variable is set"),
        ("fd:99999", "fd: the secret cannot be read: Bad file descriptor"),
        ("fd:three", "fd: the secret cannot be read: that is no number of a descriptor"),
    ],
)
def test_which_secret_cannot_be_read_and_why(stopped, tmp_path, reference, words) -> None:
    (tmp_path / "share").write_text("ks-share-1-a")
    assert refused("slot", "list", "--unseal", reference, "--data", stopped) == words
    several = ("--unseal", f"file:{tmp_path}/share", "--unseal", reference)
    assert refused("slot", "list", *several, "--data", stopped) == f"--unseal, 2 of 2: {words}"


def refused(*words: str | Path) -> str:
    done = at_once(*words, "--json")
    assert done.status == Exit.USAGE and done.error["field"] == "secret"
    return done.error["message"]


def test_a_policy_comes_from_standard_input_too(server) -> None:
    made = server("key", "create", "--json").json["id"]
    text = server("policy", "get", made).out
    assert server("policy", "put", made, "-", stdin=text).status == Exit.DONE
    assert server("policy", "get", made).out.strip() == text.strip()


def test_what_is_shown_once_is_not_shown_into_a_pipe_by_accident(server) -> None:
    before = server("principal", "access-key", "list", "admin", "--json").json
    done = server("principal", "access-key", "create", "admin")
    assert done.status == Exit.USAGE and "--json" in done.err
    assert server("principal", "access-key", "list", "admin", "--json").json == before


def test_the_tables_are_about_kinds_of_errors() -> None:
    kinds = {kind if isinstance(kind, type) else kind[0] for kind in {*EXITS, *NEXT}}
    assert all(issubclass(kind, KeysteadError | NotDone) for kind in kinds)
    assert len(set(Exit)) == len(list(Exit))


def leaves(command: click.Command, path: str = "keystead"):
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            yield from leaves(command.get_command(ctx, name), f"{path} {name}")
    else:
        yield path, command


@pytest.mark.parametrize(("path", "command"), [pytest.param(*leaf, id=leaf[0]) for leaf in leaves(cli)])
def test_every_command_answers_in_json_and_takes_no_secret(path, command) -> None:
    options = {name: option for option in command.params for name in option.opts}
    assert "--json" in options and command.help
    for name in {"--passphrase", "--unseal", "--private-key", "--share"} & options.keys():
        assert options[name].metavar in {"REF", "file:PATH"}  # a reference, never the thing itself
    assert not {"--secret", "--password", "--token"} & options.keys()


def test_what_is_asked_often_imports_little(server) -> None:
    script = f"""
import sys
from keystead.cli import run
assert run(["env", "aws", "--data", {str(server.directory)!r}]) == 0
assert run(["--help"]) == 0
heavy = {{"cryptography", "apsw", "uvloop", "rich", "asyncio", "keystead.core.operations"}}
sys.exit(str(heavy & sys.modules.keys()) if heavy & sys.modules.keys() else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_supervisor_imports_no_door_but_its_own() -> None:
    """It starts before its workers do, each of which imports the doors that it serves."""
    script = """
import sys
import keystead.cli.commands.serve
found = [name for name in sys.modules if name.startswith(("keystead.doors.vault", "keystead.doors.aws"))]
sys.exit(str(found) if found else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_group_alone_shows_its_commands() -> None:
    for words in ((), ("key",), ("principal", "access-key")):
        done = at_once(*words)
        assert done.status == Exit.USAGE and done.err.startswith("Usage: keystead")
        assert len(done.err.splitlines()) > 5


def test_no_key_is_made_where_its_name_is_taken(server, monkeypatch) -> None:
    make = ("key", "create", "--name", "alias/taken", "--json")
    first = server(*make).json["id"]
    before = server("key", "list", "--json").json
    done = server(*make)
    assert done.status == Exit.FAILED and first in done.error["message"]
    assert server("key", "list", "--json").json == before
    monkeypatch.setattr(commands_key, "_free_name", lambda _session, text, _namespace: text)  # who took it came between
    done = server(*make[:-1])
    assert done.status == Exit.FAILED and "was made, and has no name" in done.err


def test_help_is_there_for_everything() -> None:
    """Every command of the table can be imported and described, without a server or a directory."""
    said = keystead("--help").out
    for name in COMMANDS:
        assert f"\n  {name} " in said
        assert at_once(name, "--help").out.startswith(f"Usage: keystead {name}")
    assert keystead("--version").out.startswith("keystead 0")
