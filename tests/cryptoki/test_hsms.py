"""HSMs in the configuration, and the way of a PIN: read once, handed to workers, in no argv and no repr."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from click.testing import CliRunner
from tests import softhsm
from tests.servers import serving
from tests.softhsm import PIN, module, new_token
from tests.waiting import until

from keystead import config
from keystead.app.hsms import Tokens, Watch, drop_refused, pins
from keystead.app.workers import Orders
from keystead.cli.commands.serve import supervise
from keystead.cli.commands.steering import answer
from keystead.cli.here import Here
from keystead.config import Config, Hsm
from keystead.core.errors import InvalidArgument, NotFound, Unauthenticated
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.token import Token
from keystead.doors.control import ServerStatus
from keystead.doors.control.lifecycle import SlotStatus

HSM = Hsm(module="/lib/x.so", token="keys", pin="env:KEYSTEAD_TEST_PIN")


def test_what_is_written_is_read(tmp_path):
    settings = Config(hsms={"luna": HSM, "nc-2": Hsm(module="/m.so", slot=0, pin="prompt", sessions=3)})
    config.write(tmp_path, settings)
    assert config.read(tmp_path) == settings


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('hsms = { a = { module = "/m.so", pin = "prompt" } }', "token, serial or slot"),
        ('hsms = { "A b" = { module = "/m.so", token = "x", pin = "prompt" } }', "pattern|regex"),
        ('hsms = { a = { module = "/m.so", token = "x" } }', "pin"),
        ('hsms = { a = { module = "/m.so", token = "x", pin = "prompt", label = "x" } }', "label"),
        ('hsms = { a = { module = "/m.so", token = "x", pin = "prompt", sessions = 0 } }', "sessions"),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path, text, why):
    (tmp_path / config.FILE_NAME).write_text(text)
    with pytest.raises(InvalidArgument, match=why):
        config.read(tmp_path)


def test_a_pin_is_read_once_and_only_by_reference(monkeypatch):
    monkeypatch.setenv("KEYSTEAD_TEST_PIN", "1234")
    read = pins({"luna": HSM})
    assert read["luna"].reveal() == b"1234"
    with pytest.raises(InvalidArgument):  # it is in no child's environment
        pins({"luna": HSM})
    with pytest.raises(InvalidArgument) as caught:
        pins({"luna": Hsm(module="/m.so", token="x", pin="987654")})
    assert "987654" not in str(caught.value)
    assert pins({"p": Hsm(module="/m.so", token="x", pin="prompt")}, lambda name: Sensitive(name.encode()))[
        "p"
    ].reveal() == (b"p")


def test_a_prompt_needs_a_terminal(tmp_path):
    with pytest.raises(InvalidArgument, match="terminal"):
        pins({"p": Hsm(module="/m.so", token="x", pin="prompt")})
    config.write(tmp_path, Config(hsms={"p": Hsm(module="/m.so", token="x", pin="prompt")}))
    with CliRunner().isolation(), pytest.raises(InvalidArgument, match="terminal"):
        supervise(tmp_path, {}, None, (), lambda _: None, trust_clock=True)


def test_a_pin_that_one_process_was_refused_with_no_other_is_given():
    right, wrong = new_token(), new_token()
    hsms = {name: Hsm(module=module(), token=label, pin="env:NONE") for name, label in (("a", right), ("b", wrong))}
    hsms["c"] = Hsm(module=module(), token="not there", pin="env:NONE")
    known = {"a": Sensitive(PIN.encode()), "b": Sensitive(b"0000"), "c": Sensitive(b"1111")}
    drop_refused(Tokens(hsms, known), known)
    assert known.keys() == {"a", "c"}
    worker = Tokens(hsms, known)
    assert worker.token("a").info().label == right
    with pytest.raises(Unauthenticated, match="when the server started"):
        worker.token("b").info()


def test_an_hsm_that_does_not_answer_keeps_no_server_from_starting(monkeypatch):
    tokens, go_on = Tokens({"luna": HSM}, {"luna": Sensitive(b"1234")}), threading.Event()
    monkeypatch.setattr(Token, "info", lambda _: go_on.wait())
    known = {"luna": Sensitive(b"1234")}
    drop_refused(tokens, known, within=0.2)
    assert known.keys() == {"luna"}  # or this does not end
    go_on.set()


def test_orders_hold_pins_and_do_not_show_them():
    orders = Orders(directory="/d", index=0, supervisor=1, sockets={}, line=3, pins={"luna": "OTg3NjU0"})
    assert "OTg3" not in repr(orders)
    assert msgspec.json.decode(msgspec.json.encode(orders), type=Orders).pins == {"luna": "OTg3NjU0"}


def test_tokens_are_made_when_they_are_asked_for(monkeypatch):
    monkeypatch.setenv("KEYSTEAD_TEST_PIN", "1234")
    tokens = Tokens({"luna": HSM})
    assert tokens.names == ["luna"]
    token = tokens.token("luna")
    assert tokens.token("luna") is token
    with pytest.raises(NotFound):
        tokens.token("other")
    with pytest.raises(InvalidArgument):
        token.info()  # no such module; nobody had looked before
    tokens.close()


def test_no_worker_has_the_pin_in_its_arguments_or_environment(tmp_path, monkeypatch):
    directory = tmp_path / "k"
    with serving("dev", directory):
        pass
    settings = config.read(directory)
    config.write(directory, msgspec.structs.replace(settings, hsms={"luna": HSM}))
    monkeypatch.setenv("KEYSTEAD_TEST_PIN", "pin-5b1f77")
    with serving("dev", directory) as server:
        _, *workers = server.tree()
        assert workers
        for pid in workers:
            shown = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
            assert all(b"pin-5b1f77" not in text for text in shown)


def test_the_log_says_once_that_an_hsm_is_away_and_once_that_it_is_back(caplog):
    label = softhsm.new_token()
    tokens = Tokens(
        {"soft": Hsm(module=softhsm.module(), token=label, pin="prompt")}, {"soft": Sensitive(PIN.encode())}
    )
    watch = Watch(tokens)
    watch.look()
    assert watch.troubles == {"soft": ""} and not caplog.messages
    with softhsm.Removed():
        for _ in range(2):
            tokens.token("soft")._not_before = 0.0
            watch.look()
        assert watch.troubles["soft"] and len(caplog.messages) == 1
    tokens.token("soft")._not_before = 0.0
    watch.look()
    assert watch.troubles == {"soft": ""} and len(caplog.messages) == 2
    tokens.close()


def test_status_says_whether_an_hsm_is_there(tmp_path):
    directory = tmp_path / "k"
    with serving("dev", directory):
        pass
    pin = tmp_path / "pin"
    pin.write_text(PIN)
    hsm = Hsm(module=softhsm.module(), token=softhsm.new_token(), pin=f"file:{pin}")
    config.write(directory, msgspec.structs.replace(config.read(directory), hsms={"soft": hsm}))
    with serving("dev", directory) as server:
        told = told_of(server, lambda said: said["hsms"] == {"soft": ""})
        assert told, "it is there"
        assert "soft: there" in server("status").out
        with softhsm.Removed():
            assert told_of(server, lambda said: said["hsms"]["soft"]), "it is away"
            assert "soft: AWAY" in server("status").out
        assert told_of(server, lambda said: said["hsms"] == {"soft": ""}), "it is back"


def test_a_pin_that_was_refused_is_mended_while_the_server_runs(tmp_path):
    """What needs no HSM is served meanwhile, and the workers have the right one afterwards."""
    directory, pin = tmp_path / "k", tmp_path / "pin"
    with serving("dev", directory):
        pass
    pin.write_text("000000")
    hsm = Hsm(module=softhsm.module(), token=softhsm.new_token(), pin=f"file:{pin}")
    config.write(directory, msgspec.structs.replace(config.read(directory), hsms={"pkcs-soft": hsm}))
    with serving("dev", directory) as server:
        assert told_of(server, lambda said: said["pins_refused"] == ["pkcs-soft"])
        assert "pkcs-soft: PIN REFUSED" in server("status").out and "CKR_PIN_INCORRECT" in server("status").out
        assert server("key", "create").status == 0
        assert server("key", "create", "--hsm", "pkcs-soft").status != 0
        assert "CKR_PIN_INCORRECT" in server("hsm", "login", "pkcs-soft").err
        assert "no HSM" in server("hsm", "login", "another", "--pin", f"file:{pin}").err
        pin.write_text(PIN)
        assert "pkcs-soft: there" in server("hsm", "login", "pkcs-soft").out
        assert server("key", "create", "--hsm", "pkcs-soft").status == 0


def test_status_has_its_words_in_one_column(tmp_path):
    now = datetime(2026, 11, 26, tzinfo=UTC)
    slots = tuple(SlotStatus(name=name, generation="1", n_unerased=0) for name in ("file", "pkcs11:rack-in-the-cellar"))
    found = ServerStatus(
        sealed=False, seal="file", version="1", workers=1, listen={}, started_at=now, slot_copies={}, slots=slots
    )
    told = []
    answer(Here(tmp_path, SimpleNamespace(answer=lambda _data, text: told.extend(text.splitlines()))), found)
    lines = [line for line in told if line.split()[0] in {"state", "file", "pkcs11:rack-in-the-cellar"}]
    assert len(lines) == 3 and len({line.index(line.split()[1]) for line in lines}) == 1


def told_of(server, wanted):
    return until(lambda: wanted(server("status", "--json").json), every=0.1)
