"""No secret in argv, in the environment of a server, in what it prints, or in a file that others can open."""

from pathlib import Path

import pytest
from tests.servers import at_once, keystead, serving

PASSPHRASE = "canary-passphrase-8d1f"


def _argv(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def _environment(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_bytes().replace(b"\0", b" ").decode()


def test_secrets_are_in_no_command_line_no_log_and_no_open_file(tmp_path) -> None:
    directory, secret = tmp_path / "data", tmp_path / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    made = keystead("init", directory, "--seal", "passphrase", "--passphrase", f"file:{secret}", "--json").json
    canaries = [PASSPHRASE, made["secret_access_key"]]
    errors = tmp_path / "stderr"
    with serving("serve", directory, "--unseal", f"file:{secret}", "--workers", "2", errors=errors) as server:
        pids = server.tree()
        assert len(pids) == 3
        for pid in pids:
            assert not any(canary in _argv(pid) + _environment(pid) for canary in canaries)
        done = [server("status", "--json"), server("key", "create", "--json"), server("principal", "list", "--json")]
        done += [server("principal", "access-key", "list", "admin", "--json"), server("audit", "tail", "-n", "100")]
        wrong = server("unseal", "--unseal", "env:P", env={"P": PASSPHRASE})
        said = "".join(one.out + one.err for one in [*done, wrong]) + str(server.running)
    said += errors.read_text()
    assert not any(canary in said for canary in canaries)
    for path in directory.rglob("*"):
        assert path.is_socket() or path.stat().st_mode & 0o077 == 0, path
        assert not path.is_file() or not any(canary.encode() in path.read_bytes() for canary in canaries), path


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("unseal",), "--unseal"),
        (("serve", "x"), "--unseal"),
        (("key", "list"), "--unseal"),
        (("hsm", "login", "luna"), "--pin"),
        (("init", "x"), "--passphrase"),
    ],
    ids=" ".join,
)
def test_a_share_given_as_a_word_is_not_repeated(words, option) -> None:
    """As `bao operator unseal SHARE` takes it."""
    done = at_once(*words, "ks-share-1-secret")
    assert done.status == 2 and "secret is none" in done.err and f"by {option} file:PATH" in done.err
    assert "ks-share" not in done.err
    assert "(too-many)" in at_once("status", "too-many").err  # where none comes, it is said what is too many


def test_a_passphrase_given_as_a_word_is_refused_and_not_repeated(tmp_path) -> None:
    done = keystead("init", tmp_path / "data", "--seal", "passphrase", "--passphrase", PASSPHRASE, "--json")
    assert done.status == 2 and PASSPHRASE not in done.out + done.err
    done = keystead("init", tmp_path / "data", "--seal", "passphrase", "--passphrase", f"file:/{PASSPHRASE}", "--json")
    assert done.status == 2 and PASSPHRASE not in done.out + done.err
