"""Sources of entropy of a real server: drawn from, recorded with each key, told when they fail, not waited for."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests import waiting
from tests.servers import Serving, at_once, keystead, serving
from tests.softhsm import PIN, Removed, module, new_token
from tests.swtpm import software_tpm

from keystead import config
from keystead.app.installation import initialise
from keystead.config import Config, EntropyFrom, Hsm, TpmAt
from keystead.core.errors import InvalidArgument
from keystead.seals.file import FileSeal

GOOD = "device:/dev/urandom"  # a stand-in for hardware: the kernel shows it as a file, as it does /dev/hwrng
DEAD = "device:/dev/zero"


def made(directory: Path, *sources: str, required: bool = False, **more) -> Path:
    settings = Config(entropy=EntropyFrom(sources, required), **more)
    initialise(directory, settings, FileSeal.create(directory, os.urandom), regions=("us-east-1",))
    return directory


@pytest.fixture
def directory(tmp_path) -> Path:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return data


def until(server: Serving, seen) -> dict:
    status = {}

    def look() -> bool:
        status.update(server("status", "--json").json)
        return seen(status)

    waiting.until(look, lambda: status, every=0.1)
    return status


def records(server: Serving, *, n: int = 1) -> list[dict]:
    """Of what the sources did; `n`: so many at least, once the log has been folded."""
    return [json.loads(line)["record"] for line in server.logged('"door":"entropy"', n=n)]


def test_new_keys_are_drawn_from_hardware_and_say_so(directory) -> None:
    with serving("serve", made(directory, GOOD, required=True, workers=2)) as server:
        key = server("key", "create", "--json").json
        assert key["entropy"] == f"kernel+{GOOD}"
        rotated = server("key", "rotate", key["id"], "--json").json
        assert (rotated["version"], rotated["entropy"]) == (2, f"kernel+{GOOD}")
        for spec in ("EC_P256", "EC_P521", "EC_K256", "ED25519", "HMAC_256", "ML_DSA_65", "ML_KEM_768"):
            assert server("key", "create", "--spec", spec, "--json").json["entropy"] == f"kernel+{GOOD}", spec
        refused = server("key", "create", "--spec", "RSA_2048", "--json")
        assert refused.error["error"] == "Unsupported" and "RSA_2048 key in software" in refused.error["message"]
        assert server("status", "--json").json["entropy"] == {GOOD: ""}
        assert f"entropy  kernel + {GOOD}\n" in server("status").out


def test_a_dead_source_is_taken_out_told_and_on_record(directory) -> None:
    with serving("serve", made(directory, DEAD, GOOD, workers=2)) as server:
        status = until(server, lambda one: one["entropy"][DEAD])
        assert "repetition count test" in status["entropy"][DEAD] and status["entropy"][GOOD] == ""
        assert f"{DEAD} is OUT: " in server("status").out
        assert server("key", "create", "--json").json["entropy"] == f"kernel+{GOOD}"
        rsa = server("key", "create", "--spec", "RSA_2048", "--json").json
        assert rsa["entropy"] == "kernel", "its primes are OpenSSL's"
        told = records(server, n=3)
        assert {(one["who"]["via"], one["outcome"], one["why"]) for one in told} == {
            (DEAD, "refused: Unavailable", "repetition count test")
        }
        assert len(told) == 3, "two workers and the supervisor, each once"
    assert "entropy source device:/dev/zero: one byte came 5 times in a row" in (
        directory.with_name("errors").read_text()
    )


def test_what_a_process_said_that_is_gone_counts_no_more(directory, tmp_path) -> None:
    """A worker that is started again begins anew, and so does what it says."""
    made(directory, GOOD)
    said = directory / "run" / "entropy"
    said.mkdir(parents=True)
    with serving("serve", directory) as server:
        (said / "worker-0.json").write_text(json.dumps({GOOD: "broken"}))
        assert server("status", "--json").json["entropy"] == {GOOD: "worker-0: broken"}
        (worker,) = set(server.tree()) - {server.process.pid}
        os.kill(worker, signal.SIGKILL)
        until(server, lambda one: not one["entropy"][GOOD])


def test_where_hardware_is_required_and_dead_no_key_is_made_and_all_else_goes_on(directory) -> None:
    with serving("serve", made(directory, GOOD)) as server:
        key = server("key", "create", "--json").json["id"]
    text = (directory / config.FILE_NAME).read_text()
    (directory / config.FILE_NAME).write_text(text.replace(GOOD, DEAD).replace("false", "true"))
    with serving("serve", directory) as server:
        until(server, lambda one: one["entropy"][DEAD])
        refused = server("key", "create", "--json")
        assert refused.error["error"] == "Unavailable" and "must have entropy of hardware" in refused.error["message"]
        assert server("key", "rotate", key, "--json").error["error"] == "Unavailable"
        assert "no new keys" in server("status").out
        assert server("key", "disable", key).status == server("key", "enable", key).status == 0
        assert server("slot", "rotate").status == 0


def test_a_source_that_never_answers_keeps_nobody(directory, tmp_path) -> None:
    """A pipe that nobody writes to: opening it for reading never ends."""
    os.mkfifo(tmp_path / "stuck")
    stuck = f"device:{tmp_path / 'stuck'}"
    with serving("serve", made(directory, stuck)) as server:
        began = time.monotonic()
        assert server("key", "create", "--json").json["entropy"] == "kernel"
        assert time.monotonic() - began < 30
        status = until(server, lambda one: one["entropy"][stuck])
        assert "has not answered" in status["entropy"][stuck]
        began = time.monotonic()
        for _ in range(3):
            assert server("key", "create", "--json").json["entropy"] == "kernel"
        assert time.monotonic() - began < 30
        began = time.monotonic()
    assert time.monotonic() - began < 30, "nor the end of the server"


def test_a_device_that_comes_back(directory, tmp_path) -> None:
    device = tmp_path / "hwrng"
    name = f"device:{device}"
    with serving("serve", made(directory, name)) as server:
        status = until(server, lambda one: one["entropy"][name])
        assert "cannot be read" in status["entropy"][name]
        device.symlink_to("/dev/urandom")
        until(server, lambda one: not one["entropy"][name])
        waiting.until(lambda: server("key", "create", "--json").json["entropy"] == f"kernel+{name}")
        assert server.logged('"door":"entropy"', '"outcome":"refused: Unavailable"')
        assert server.logged('"door":"entropy"', '"outcome":"performed"')


def test_with_a_tpm(directory, tmp_path) -> None:
    with (
        software_tpm(tmp_path / "tpm") as tpm,
        serving("serve", made(directory, "tpm", required=True, tpm=TpmAt(tpm.tcti))) as server,
    ):
        assert server("key", "create", "--json").json["entropy"] == "kernel+tpm"
        tpm.stop()
        status = until(server, lambda one: one["entropy"]["tpm"])
        assert "cannot be reached" in status["entropy"]["tpm"]
        tpm.start()
        until(server, lambda one: not one["entropy"]["tpm"])
        assert server("key", "create", "--json").json["entropy"] == "kernel+tpm"


def test_with_an_hsm(directory, tmp_path) -> None:
    """Of every process of the server; not there at first. SoftHSM2 draws in our process: once logged in, it goes on to
    give random numbers whatever becomes of its token."""
    label, pin = new_token(), tmp_path / "pin"
    pin.write_text(PIN)
    box = Hsm(module=module(), token=label, pin=f"file:{pin}")
    made(directory, "hsm:box", required=True, workers=2, hsms={"box": box})
    with ExitStack() as removed:
        removed.enter_context(Removed())
        with serving("serve", directory) as server:
            status = until(server, lambda one: one["entropy"]["hsm:box"])
            assert "cannot be read" in status["entropy"]["hsm:box"]
            refused = server("key", "create", "--json")
            assert refused.error["error"] == "Unavailable" and "hsm:box" in refused.error["message"]
            removed.close()
            until(server, lambda one: one["entropy"] == {"hsm:box": ""})
            for _ in range(3):
                assert server("key", "create", "--json").json["entropy"] == "kernel+hsm:box"
            assert PIN not in json.dumps(records(server))
    assert PIN not in directory.with_name("errors").read_text()


def test_a_wrong_pin_is_told_and_not_offered_again(directory, tmp_path) -> None:
    label, pin = new_token(), tmp_path / "pin"
    pin.write_text("0000")
    box = Hsm(module=module(), token=label, pin=f"file:{pin}")
    with serving("serve", made(directory, "hsm:box", hsms={"box": box})) as server:
        status = until(server, lambda one: one["entropy"]["hsm:box"])
        assert "PIN" in status["entropy"]["hsm:box"] and "0000" not in status["entropy"]["hsm:box"]
        assert server("key", "create", "--json").json["entropy"] == "kernel"
        said = directory / "run" / "entropy" / "worker-0.json"
        until(server, lambda _: said.exists())
        assert "has refused its PIN to another process" in said.read_text(), "no worker offers it again"


def test_without_a_server(directory) -> None:
    """The library reads hardware when the first key is made."""
    made(directory, GOOD)
    key = at_once("key", "create", "--data", directory, "--json").json
    assert key["entropy"] == f"kernel+{GOOD}"


def written(directory: Path, *, required: bool, sources: list[str], more: str = "") -> Path:
    """A directory with a configuration and nothing else."""
    says = f"entropy = {{ sources = {json.dumps(sources)}, required = {json.dumps(required)} }}"
    (directory / config.FILE_NAME).write_text(f"{more}\n{says}\n")
    return directory


def test_an_installation_is_made_of_it_or_not_at_all(directory) -> None:
    """Its unseal key, its shares, its slot and the root of its key tree."""
    refused = at_once("init", written(directory, required=True, sources=[DEAD]), "--json")
    assert refused.error["error"] == "Unavailable" and "repetition count test" in refused.error["message"]
    assert [path.name for path in directory.iterdir()] == [config.FILE_NAME]
    assert at_once("init", written(directory, required=True, sources=[DEAD, GOOD]), "--json").status == 0


def test_an_hsm_whose_pin_can_be_read_once_serves_the_making_of_an_installation(directory) -> None:
    hsm = f'{{ module = "{module()}", token = "{new_token()}", pin = "env:KS_PIN" }}'
    written(directory, required=True, sources=["hsm:box"], more=f"hsms = {{ box = {hsm} }}")
    assert keystead("init", directory, "--json", env={"KS_PIN": PIN}).json["shares"]


def test_a_lost_database_comes_back_whatever_the_hardware_does(directory, tmp_path) -> None:
    made(directory, GOOD, required=True)
    about = ("--data", directory)
    id_ = at_once("key", "create", *about).out.strip()
    assert at_once("backup", tmp_path / "backup", *about).status == 0
    (directory / "keystead.db").unlink()
    text = (directory / config.FILE_NAME).read_text()
    (directory / config.FILE_NAME).write_text(text.replace(GOOD, DEAD))
    assert at_once("restore", tmp_path / "backup", *about).status == 0
    assert at_once("key", "describe", id_, *about).status == 0
    assert at_once("key", "create", *about, "--json").error["error"] == "Unavailable"


@pytest.mark.parametrize(
    "text",
    [
        'entropy = { sources = ["tpm"] }',
        'entropy = { sources = ["hwrng"] }',
        'entropy = { sources = ["hsm:box"] }',
        'entropy = { sources = ["device:hwrng"] }',
        'entropy = { sources = ["device:/dev/hwrng", "device:/dev/hwrng"] }',
        "entropy = { required = true }",
        f"entropy = {{ sources = {json.dumps([f'device:/dev/{n}' for n in range(9)])} }}",
    ],
)
def test_a_configuration_that_makes_no_sense(tmp_path, text) -> None:
    (tmp_path / config.FILE_NAME).write_text(text)
    with pytest.raises(InvalidArgument):
        config.read(tmp_path)
