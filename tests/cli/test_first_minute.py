"""dev, env, run: the first minute, and what is said where nothing runs."""

import os
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess

import pytest
from tests.costs import slowness
from tests.servers import KEYSTEAD, gone, keystead, serving

NAMES = {
    *("AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_IAM"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"),
}


def test_env_says_what_points_clients_here(server) -> None:
    found = server("env", "aws", "--json").json
    assert found.keys() == NAMES
    assert found["AWS_ENDPOINT_URL_KMS"] == f"http://{server.running['listen']['aws']}"
    assert not found["AWS_ENDPOINT_URL_KMS"].endswith(":0")  # the port really bound
    lines = server("env", "aws").out.splitlines()
    assert {tuple(shlex.split(line)[1].split("=", 1)) for line in lines} == set(found.items())
    assert all(line.startswith("export ") for line in lines)


def test_a_shell_takes_them(server) -> None:
    script = (
        f'eval "$({KEYSTEAD} env aws --data {shlex.quote(str(server.directory))})" && printenv AWS_SECRET_ACCESS_KEY'
    )
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert said == server("env", "aws", "--json").json["AWS_SECRET_ACCESS_KEY"]


def test_a_session_token_of_another_access_key_is_not_sent_along(server) -> None:
    """It is in the shell of whoever has come in somewhere else; every request would be refused with it."""
    env = os.environ | {"AWS_SESSION_TOKEN": "of another", "AWS_SECURITY_TOKEN": "of another"}
    at = ("--data", str(server.directory))
    said = keystead("env", "aws", *at, env=env).out.splitlines()
    assert said[-2:] == ["unset AWS_SESSION_TOKEN", "unset AWS_SECURITY_TOKEN"]
    evaluated = f'eval "$({KEYSTEAD} env aws {shlex.join(at)})"; env'
    for command in (["sh", "-c", evaluated], [KEYSTEAD, "run", "aws", *at, "--", "env"]):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
        assert "AWS_ACCESS_KEY_ID=" in done.stdout and "of another" not in done.stdout


def test_the_data_directory_comes_from_the_environment_too(server) -> None:
    found = keystead("env", "aws", "--json", env={"KEYSTEAD_DATA": str(server.directory)})
    assert found.json.keys() == NAMES


def test_run_has_the_environment_and_the_exit_status_of_its_command(server) -> None:
    done = server("run", "aws", stdin="")  # nothing to run
    assert done.status == 127 and "-- CMD" in done.err
    done = keystead("run", "aws", "--data", server.directory, "--", "sh", "-c", "echo $AWS_REGION; exit 7")
    assert (done.status, done.out) == (7, "us-east-1\n")
    assert keystead("run", "aws", "--data", server.directory, "--", "no-such-command").status == 127
    assert keystead("run", "aws", "--data", server.directory, "--", "/dev/null").status == 126


def test_run_passes_signals_on(server) -> None:
    command = [KEYSTEAD, "run", "aws", "--data", server.directory, "--", "sh", "-c", "echo ready; exec sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM


@pytest.mark.parametrize("words", [("env", "aws"), ("run", "aws"), ("status",), ("unseal",), ("seal",)])
def test_without_a_server(stopped, words) -> None:
    tail = ("--", "true") if words[0] == "run" else ()
    done = keystead(*words, "--data", stopped, *tail)
    assert done.status == 3 and done.out == ""
    assert "no server is running" in done.err and "keystead dev" in done.err


def test_a_server_that_died_is_not_running(tmp_path) -> None:
    directory = tmp_path / "data"
    with serving("dev", directory) as server:
        pids = server.tree()
        server.process.kill()
        server.process.wait(60)
        assert server("env", "aws").status == 3
        gone(*pids[1:])  # workers do not outlive it
        with serving("dev", directory) as again:  # and nothing it left stands in the way
            assert again("status").status == 0
        server.process = again.process


def test_one_server_on_one_directory(server) -> None:
    done = keystead("dev", "--data", server.directory, "--listen", "aws=127.0.0.1:0")
    assert done.status == 1 and f"process {server.process.pid}" in done.err


def test_a_first_start_that_did_not_end_begins_anew(tmp_path) -> None:
    """Killed, or the disk was full: at what it had made until then it was refused for ever."""
    data = tmp_path / "data"
    with serving("dev", data):
        pass
    half, key = data / "seal.half", (data / "unseal.key").read_bytes()
    for left in (("unseal.key", "lock"), ("unseal.key", "seal.half", "keystead.db", "slot-1", "slot-2")):
        (data / "seal.json").rename(half)
        for path in data.iterdir():
            if path.name not in left:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        with serving("dev", data) as server:
            assert server("key", "create").status == 0 and server("env", "aws", "--json").json
        assert (data / "unseal.key").read_bytes() != key


def test_what_opens_an_installation_is_not_taken_for_what_a_first_start_has_left(tmp_path) -> None:
    data = tmp_path / "data"
    with serving("dev", data):
        pass
    key = (data / "unseal.key").read_bytes()
    for lost in ("seal.json", "keystead.db", "slot-1", "slot-2"):
        path = data / lost
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert keystead("dev", "--data", data, "--listen", "aws=127.0.0.1:0").status != 0
        assert (data / "unseal.key").read_bytes() == key


def test_the_port_is_taken(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = keystead("dev", "--data", tmp_path / "data", "--listen", f"aws=127.0.0.1:{port}")
    assert done.status == 1 and "cannot listen" in done.err and "--listen" in done.err


def test_no_two_servers_and_no_two_doors_answer_at_one_address(server, tmp_path) -> None:
    """Workers share a port: so the kernel would share out the clients of one among both."""
    taken = server.running["listen"]["aws"]
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = f"127.0.0.1:{other.getsockname()[1]}"
    for at, listen in ((taken, (f"aws={taken}",)), (free, (f"aws={free}", f"vault={free}"))):
        words = [word for each in listen for word in ("--listen", each)]
        done = keystead("dev", "--data", tmp_path / "data", *words, "--json")
        assert done.status == 1 and f"cannot listen on {at}: Address already in use" in done.error["message"]


def test_a_development_server_stays_on_loopback(tmp_path) -> None:
    done = keystead("dev", "--data", tmp_path / "data", "--listen", "aws=0.0.0.0:0")
    assert done.status == 2 and "loopback" in done.err
    assert not (tmp_path / "data").exists()


def test_the_banner_says_what_to_paste(tmp_path) -> None:
    directory = tmp_path / "data"
    command = [KEYSTEAD, "dev", "--data", directory, "--listen", "aws=127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = ""
        while "Ctrl-C" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        (paste,) = re.findall(r'eval "\$\((.*)\)"', said)  # works where `keystead` is not on the path
        assert paste.endswith(f"keystead env aws --data {directory}")
        assert (
            "export AWS_REGION="
            in subprocess.run(["sh", "-c", paste], capture_output=True, text=True, check=True).stdout
        )
        assert "aws kms create-key" in said and "http://127.0.0.1:" in said
        assert "AWS_SECRET" not in said
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


def test_status_and_help_answer_quickly() -> None:
    """HOUSE: in well under a second. Of CPU time here, as the machine is shared; the figure is in the README."""

    def spent() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert keystead("--help").status == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(spent(), spent()) < slowness()
