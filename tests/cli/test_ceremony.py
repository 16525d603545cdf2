"""keystead ceremony: people at a terminal, components, transcripts, and where it stops (docs/adr/0039)."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests import softhsm
from tests.servers import Done, at_once, keystead
from tests.terminal import Terminal

from keystead.app.installation import exists
from keystead.app.library import Keystead
from keystead.cli.ceremony import importing, record
from keystead.cli.ceremony.plan import NewKey
from keystead.cli.ceremony.room import CLEARED, OPENED
from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS
from keystead.core.entities import KeyVersion, Origin
from keystead.core.errors import KeysteadError, NotApproved, Unavailable
from keystead.core.sensitive import Sensitive
from keystead.crypto.check import check_value

PEOPLE = """
title = "Root of <production>"
people = [
  { name = "Olga", role = "operator" },
  { name = "Carl", role = "custodian" },
  { name = "Cleo", role = "custodian" },
  { name = "Wanda W.", role = "witness"KEY },
]
"""
INIT = '[init]\nthreshold = 2\ntenant = "111122223333"\nregions = ["eu-west-1"]\n'
PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
SHARE = re.compile(r"ks-share-1-[a-z2-7-]+")
ALL, ONLOOKERS = ("Olga", "Carl", "Cleo", "Wanda W."), ("Olga", "Wanda W.")


STEPS = [
    *("begun", "present", "settings", "seal made", "share 1", "share 1 typed back", "share 2"),
    *("share 2 typed back", "shares open the seal", "make", "made", "on record", "access key", "ended"),
]
DONE_AT = (1, 2, 4, 5, 6, 7, 9)
"""How many of them are done at each prompt."""


def plan(at: Path, body: str, key: str = "") -> Path:
    at.write_text(PEOPLE.replace("KEY", f', key = "{key}"' if key else "") + body)
    return at


def script(at: Path, **answers: list[str]) -> Path:
    at.write_text("[answers]\n" + "".join(f"{json.dumps(k)} = {json.dumps(v)}\n" for k, v in answers.items()))
    return at


def steps(path: Path) -> list[str]:
    return [json.loads(line)["step"] for line in path.read_bytes().splitlines()]


def verified(path: Path) -> dict:
    return at_once("ceremony", "verify", path, "--json").json


# --- a new installation, at a terminal


class Ceremony(Terminal):
    """`keystead ceremony init` with everybody there. `shares`: what each custodian has read off the screen."""

    def __init__(self, at: Path, body: str = INIT, *words) -> None:
        self.directory, self.transcript = at / "data", at / "t.jsonl"
        self.shares: list[str] = []
        super().__init__(
            *("ceremony", "init", self.directory, plan(at / "plan.toml", body), "--transcript", self.transcript, *words)
        )

    def says(self, prompt: str, text: str) -> None:
        self.until(prompt)
        self.said = self.said[self.said.index(prompt) + len(prompt) :]
        self.type(text)

    def confirmed(self, *people: str) -> None:
        for name in people:
            self.says("to confirm, or `no`: ", name)

    def share(self, n: int) -> str:
        """Shown to the holder, alone; the share."""
        self.says("Press Enter ", "")
        self.until("Then press Enter ")
        assert OPENED in self.said
        found = SHARE.search(self.said)
        assert found is not None
        self.says("Then press Enter ", "")
        self.until(CLEARED)
        self.shares.append(found[0])
        return found[0]

    def through(self, until: int = 99) -> None:
        """The first `until` prompts, everybody doing what they should."""
        todo = [
            lambda: self.confirmed(*ALL),
            lambda: self.confirmed(*ONLOOKERS),
            lambda: self.share(1),
            lambda: self.says("keep: ", self.shares[0]),
            lambda: self.share(2),
            lambda: self.says("keep: ", self.shares[1].upper().replace("-", " ").replace("KS SHARE 1 ", "ks-share-1-")),
            lambda: self.confirmed(*ONLOOKERS),
            lambda: self.says("Press Enter ", ""),
            lambda: self.says("Then press Enter ", ""),
        ]
        for act in todo[:until]:
            act()


def test_a_ceremony_from_its_beginning_to_an_installation_that_its_shares_open(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    at = Ceremony(tmp_path)
    at.through(7)
    at.says("Press Enter ", "")
    at.until("Then press Enter ")
    secret = re.search(r"AWS_SECRET_ACCESS_KEY=(\S+)", at.said)
    assert secret is not None and OPENED in at.said
    at.says("Then press Enter ", "")
    assert at.end() == 0, at.said
    assert "keystead ceremony verify" in at.said

    told = verified(at.transcript)
    assert (told["outcome"], told["signed"], told["rehearsal"]) == ("ended", True, False)
    assert steps(at.transcript) == STEPS
    whole = at.transcript.read_text()
    for hidden in (*at.shares, secret[1]):
        assert hidden not in whole and hidden[-12:] not in whole
        assert not any(hidden.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    with Keystead(at.directory, [Sensitive(one.encode()) for one in at.shares]) as ks:
        ks.fold()
        log = Path(at.directory / "audit").rglob("*.jsonl")
        noted = [json.loads(line) for path in log for line in path.read_text().splitlines() if "NoteCeremony" in line]
    assert [one["made"].split()[0] for one in noted] == [told["key"]], "whose key it was the audit log knows"
    assert at_once("ceremony", "verify", at.transcript, "--key", told["key"]).status == 0
    assert at_once("ceremony", "verify", at.transcript, "--key", "other+1+x").status == 6


def test_what_one_person_sees_is_gone_before_the_next_is_asked(tmp_path, monkeypatch) -> None:
    """All that a share is on is the alternate screen, which has no scroll-back, and which is cleared."""
    monkeypatch.setenv("TERM", "xterm")
    at, seen = Ceremony(tmp_path), ""
    read = at._read

    def keep() -> bool:
        nonlocal seen
        n = len(at.said)
        more = read()
        seen += at.said[n:]
        return more

    at._read = keep
    at.through()
    assert at.end() == 0
    outside = re.sub(re.escape(OPENED) + ".*?" + re.escape(CLEARED), "", seen, flags=re.DOTALL)
    assert OPENED not in outside and CLEARED not in outside
    assert SHARE.search(seen) and not SHARE.search(outside)
    assert "AWS_SECRET_ACCESS_KEY" in seen and "AWS_SECRET_ACCESS_KEY" not in outside


@pytest.mark.parametrize("n", range(7))
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_interrupted_at_any_step_it_leaves_nothing_and_says_where_it_stopped(tmp_path, monkeypatch, n, how) -> None:
    monkeypatch.setenv("TERM", "xterm")
    at = Ceremony(tmp_path)
    at.through(n)
    at.until(": " if n not in {2, 4} else "Enter ")
    at.process.send_signal(how)
    at.end()
    assert not exists(at.directory) and not at.directory.exists()
    assert [one for one in steps(at.transcript) if one != "stopped"] == STEPS[: DONE_AT[n]]
    checked = at_once("ceremony", "verify", at.transcript, "--json")
    if how == signal.SIGINT:
        told = checked.json
        assert (told["outcome"], told["why"], told["signed"]) == ("stopped", "interrupted", True)
    else:
        assert checked.status == 6 and "it breaks off after line" in checked.err


def test_after_it_was_made_the_installation_is_whole(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    at = Ceremony(tmp_path)
    at.through(7)
    at.until("Press Enter ")  # before the access key is shown
    at.process.kill()
    at.end()
    assert steps(at.transcript)[-2:] == ["made", "on record"]
    with Keystead(at.directory, [Sensitive(one.encode()) for one in at.shares]) as ks:
        assert ks.perform(ops.ReadStatus()).n_keys == 0


def test_where_hardware_must_have_a_part_in_the_shares_and_has_none_there_are_none(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    (tmp_path / "data").mkdir(mode=0o700)
    says = 'entropy = { sources = ["device:/dev/zero"], required = true }\n'
    (tmp_path / "data" / "keystead.toml").write_text(says)
    at = Ceremony(tmp_path)
    at.through(2)
    assert at.end() != 0
    assert "must have entropy of hardware" in at.said and SHARE.search(at.said) is None
    assert not exists(at.directory) and "seal made" not in steps(at.transcript)


def test_it_is_held_at_a_terminal_that_can_be_cleared(tmp_path, monkeypatch) -> None:
    plan(tmp_path / "plan.toml", INIT)
    words = ("ceremony", "init", tmp_path / "data", tmp_path / "plan.toml", "--transcript", tmp_path / "t")
    assert "at a terminal" in keystead(*words).err
    assert "--rehearse" in keystead(*words, "--script", tmp_path / "x").err
    monkeypatch.setenv("TERM", "dumb")
    dumb = Terminal(*words)
    assert dumb.end() == 2 and "cannot be cleared" in dumb.said
    assert not (tmp_path / "t").exists()


# --- rehearsals


def rehearse(at: Path, kind: str = "init", body: str = INIT, key: str = "", **answers: list[str]) -> Done:
    where = (at / "data",) if kind == "init" else ()
    said = script(at / "script.toml", **answers)
    flags = ("--rehearse", "--script", said, "--transcript", at / "t.jsonl", "--json")
    return at_once("ceremony", kind, *where, plan(at / "plan.toml", body, key), *flags)


def test_a_rehearsal_leaves_a_transcript_that_says_so_and_nothing_else(tmp_path, monkeypatch) -> None:
    made, make = [], tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *args: made.append(make(*args)) or made[-1])
    done = rehearse(tmp_path)
    assert done.json["tenant"] == "111122223333"
    told = verified(tmp_path / "t.jsonl")
    assert told["rehearsal"] and told["key"] == done.json["key"] and told["head"] == done.json["head"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.toml", "script.toml", "t.jsonl", "t.jsonl.note"]
    (where,) = made
    assert "/keystead-" in where and not Path(where).exists()
    assert rehearse(tmp_path).error["error"] == "AlreadyExists", "a transcript is never written over"


def test_the_plan_of_the_page_is_one_that_is_rehearsed(tmp_path) -> None:
    """docs/operations.md: with a witness's key of today, and its pages in a directory of this test."""
    (page,) = re.findall(r"```toml\n(title = .*?)```", PAGE.read_text(), re.DOTALL)
    key = at_once("ceremony", "witness-key", "wanda", tmp_path / "wanda.key", "--json").json["key"]
    (tmp_path / "sheets").mkdir(mode=0o700)
    at = tmp_path / "plan.toml"
    at.write_text(page.replace("wanda+1f2e3d4c+…", key).replace("/dev/shm/sheets", str(tmp_path / "sheets")))  # noqa: S108 - what the page says
    said = script(tmp_path / "script.toml")
    for kind, where in (("init", [tmp_path / "data"]), ("import-key", [])):
        transcript = tmp_path / f"{kind}.jsonl"
        words = ("ceremony", kind, *where, at, "--rehearse", "--script", said, "--transcript", transcript, "--json")
        done = at_once(*words)
        if kind == "init":
            assert done.status == 0, done.err
            assert verified(transcript)["not_countersigned"] == ["Wanda"] and not list((tmp_path / "sheets").iterdir())
        else:  # the components of a rehearsal are none of the announced key
            assert done.status != 0 and "plan" not in done.error["message"], done.err


def test_a_share_is_typed_back_in_three_tries_or_never(tmp_path) -> None:
    once = {"share 2 typed back: Cleo": ["ks-share-1-wrong"]}
    assert rehearse(tmp_path, **once).status == 0
    [line] = [one for one in (tmp_path / "t.jsonl").read_text().splitlines() if '"share 2 typed back"' in one]
    assert json.loads(line)["facts"] == {"tries": 2}
    for name in ("t.jsonl", "t.jsonl.note"):
        (tmp_path / name).unlink()
    refused = rehearse(tmp_path, **{"share 1 typed back: Carl": ["x", "y", "z"]})
    assert refused.status == 1 and "Carl has not typed" in refused.error["message"]
    told = verified(tmp_path / "t.jsonl")
    assert told["outcome"] == "stopped" and "Carl" in told["why"]


@pytest.mark.parametrize(
    ("step", "names"), [("present", ALL), ("settings", ONLOOKERS), ("make", ONLOOKERS)], ids=lambda one: str(one)[:9]
)
def test_each_whom_a_step_names_can_stop_it(tmp_path, step, names) -> None:
    for name in names:
        at = tmp_path / name
        at.mkdir()
        done = rehearse(at, **{f"{step}: {name}": ["no"]})
        assert done.status == 1 and name in done.error["message"]
        assert "made" not in steps(at / "t.jsonl") and verified(at / "t.jsonl")["outcome"] == "stopped"


WRONG_PLANS = {
    "no witness": ('{ name = "Wanda W.", role = "witness"KEY },', "", "witness"),
    "one custodian": ('{ name = "Cleo", role = "custodian" },', "", "2 custodians"),
    "one person twice": ('"Cleo"', '"carl"', "one name"),
    "no role": ('role = "operator"', 'role = "boss"', "boss"),
    "no title": ('title = "Root of <production>"', "", "title"),
    "an unknown member": ("title", "titel", "titel"),
}


@pytest.mark.parametrize(("old", "new", "hint"), WRONG_PLANS.values(), ids=WRONG_PLANS)
def test_a_plan_without_dual_control_is_none(tmp_path, old, new, hint) -> None:
    text = (PEOPLE.replace(old, new) + INIT).replace("KEY", "")
    (tmp_path / "plan.toml").write_text(text)
    done = at_once(
        *("ceremony", "init", tmp_path / "data", tmp_path / "plan.toml", "--rehearse"),
        *("--script", script(tmp_path / "s.toml"), "--transcript", tmp_path / "t", "--json"),
    )
    assert done.status == 2 and hint in done.error["message"]
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("threshold", ["1", "3"])
def test_a_threshold_that_cannot_be(tmp_path, threshold) -> None:
    assert rehearse(tmp_path, body=INIT.replace("threshold = 2", f"threshold = {threshold}")).status == 2


def test_a_printed_page_has_the_share_and_is_gone_once_it_was_typed_back(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    sheets = tmp_path / "sheets"
    at = Ceremony(tmp_path, INIT + f'sheets = "{sheets}"\n')
    at.confirmed(*ALL, *ONLOOKERS)
    for n, name in ((1, "Carl"), (2, "Cleo")):
        at.until("take the page, and press Enter ")
        page = (sheets / f"share-{n}.html").read_text()
        assert os.stat(sheets / f"share-{n}.html").st_mode & 0o777 == 0o600
        share = SHARE.search(page)
        assert share is not None and "<svg" in page and f"<td>{name}</td>" in page
        assert "Root of &lt;production&gt;" in page and "default-src 'none'" in page and "any 2 open it" in page
        assert len(list(sheets.iterdir())) == 1
        at.says("press Enter ", "")
        at.says("keep: ", share[0])
        at.shares.append(share[0])
    at.until("to confirm, or `no`: ")
    assert list(sheets.iterdir()) == []
    at.process.send_signal(signal.SIGINT)
    at.end()
    digests = [json.loads(one)["facts"]["digest"] for one in at.transcript.read_text().splitlines() if "digest" in one]
    assert len(digests) == 2 and not any(share in at.transcript.read_text() for share in at.shares)


def test_a_page_is_taken_away_when_the_ceremony_stops(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    at = Ceremony(tmp_path, INIT + f'sheets = "{tmp_path / "sheets"}"\n')
    at.confirmed(*ALL, *ONLOOKERS)
    at.until("take the page, and press Enter ")
    at.process.send_signal(signal.SIGINT)
    at.end()
    assert list((tmp_path / "sheets").iterdir()) == []


# --- witnesses who sign


def test_a_witness_countersigns_with_a_key_of_the_own(tmp_path) -> None:
    seed = tmp_path / "wanda.key"
    key = at_once("ceremony", "witness-key", "wanda", seed, "--json").json["key"]
    assert seed.stat().st_mode & 0o777 == 0o600
    assert at_once("ceremony", "witness-key", "wanda", seed).status == 1, "never written over"
    assert rehearse(tmp_path, key=key).status == 0
    path = tmp_path / "t.jsonl"
    assert verified(path)["not_countersigned"] == ["Wanda W."]

    at_once("ceremony", "witness-key", "stranger", tmp_path / "stranger.key")
    stranger = at_once("ceremony", "countersign", path, "--key", f"file:{tmp_path / 'stranger.key'}")
    assert stranger.status == 2 and "names nobody" in stranger.err
    for _ in range(2):  # the second time nothing happens
        assert at_once("ceremony", "countersign", path, "--key", f"file:{seed}").status == 0
    assert (verified(path)["countersigned"], verified(path)["not_countersigned"]) == (["Wanda W."], [])

    changed = path.read_bytes().replace(b'"tries":1', b'"tries":2', 1)
    path.write_bytes(changed)
    assert at_once("ceremony", "countersign", path, "--key", f"file:{seed}").status == 6
    refused = at_once("ceremony", "verify", path)
    assert refused.status == 6 and "line 7: it does not carry the hash" in refused.err


def test_which_line_is_wrong(tmp_path) -> None:
    assert rehearse(tmp_path).status == 0
    path = tmp_path / "t.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4] + lines[5:]))
    assert "line 5:" in at_once("ceremony", "verify", path).err
    path.write_bytes(b"".join(lines)[:-5])
    assert f"line {len(lines)}: it breaks off" in at_once("ceremony", "verify", path).err
    record.note_of(path).unlink()
    path.write_bytes(b"".join(lines))
    assert "not signed" in at_once("ceremony", "verify", path).err
    assert at_once("ceremony", "verify", tmp_path / "nothing").status == 5


# --- a key out of components


def components(n_bytes: int = 32) -> tuple[bytes, bytes, bytes]:
    one, other = secrets.token_bytes(n_bytes), secrets.token_bytes(n_bytes)
    return one, other, bytes(a ^ b for a, b in zip(one, other, strict=True))


def kcv(key: bytes, form: str = "kcv") -> str:
    return check_value(form, Sensitive(key))


def key_plan(check: str, form: str = "kcv", spec: str = "AES_256") -> str:
    return f'[key]\nspec = "{spec}"\ncheck = "{form}"\ncheck_value = "{check}"\nname = "alias/payments"\n'


def typed(one: bytes, other: bytes, form: str = "kcv") -> dict[str, list[str]]:
    return {
        "component 1: Carl": [one.hex()],
        "component 1 check value: Carl": [kcv(one, form)],
        "component 2: Cleo": [other.hex(" ", 2).upper()],
        "component 2 check value: Cleo": [kcv(other, form).lower()],
    }


@pytest.fixture
def site(stopped, tmp_path):
    """An installation of this test's own, on which no server runs."""
    shutil.copytree(stopped, tmp_path / "site", ignore=shutil.ignore_patterns("run"))
    (tmp_path / "site" / "run").mkdir(mode=0o700)
    return tmp_path / "site"


def imported(at: Path, data: Path, one: bytes, other: bytes, body: str) -> Terminal:
    words = ("ceremony", "import-key", plan(at / "plan.toml", body), "--transcript", at / "t.jsonl", "--data", data)
    terminal = Terminal(*words)

    def says(prompt: str, text: str) -> None:
        terminal.until(prompt)
        terminal.said = terminal.said[terminal.said.index(prompt) + len(prompt) :]
        terminal.type(text)

    for name in (*ALL, *ONLOOKERS):
        says("to confirm, or `no`: ", name)
    for part in (one, other):
        says("hexadecimal digits: ", part.hex())
        says("goes with it: ", kcv(part))
    for name in ONLOOKERS:
        says("to confirm, or `no`: ", name)
    return terminal


@pytest.mark.parametrize("place", ["server", "site"])
def test_a_key_is_the_exclusive_or_of_what_its_custodians_type(request, tmp_path, monkeypatch, place) -> None:
    monkeypatch.setenv("TERM", "xterm")
    found = request.getfixturevalue(place)
    data = found if place == "site" else found.directory
    one, other, whole = components()
    terminal = imported(tmp_path, data, one, other, key_plan(kcv(whole)))
    assert terminal.end() == 0, terminal.said
    told = at_once("key", "describe", "alias/payments", "--data", data, "--json").json
    assert told["state"] == "active"
    assert steps(tmp_path / "t.jsonl")[-4:] == ["import", "key made", "imported", "ended"]
    written = (tmp_path / "t.jsonl").read_text()
    assert kcv(one) in written and kcv(whole) in written
    assert not any(part.hex() in written.lower() for part in (one, other, whole))
    if place == "site":
        with Keystead(data, []) as ks:
            version = ks._core.barrier.get(KeyVersion, f"{told['id']}/1")
            assert ks._core.barrier.material(version).reveal() == whole
            described = ks.perform(ops.DescribeKey(key=ops.KeyRef(f"aws:{told['tenant']}:us-east-1", id=told["id"])))
            assert described.key.origin is Origin.EXTERNAL


@pytest.mark.parametrize(("destroyed", "became"), [(None, "key given up"), (NotApproved("it waits"), "key left")])
def test_what_became_of_a_key_that_is_not_whole_is_as_it_is(destroyed, became) -> None:
    """Its destruction may wait for others."""
    seen, made = list[str](), SimpleNamespace(key=SimpleNamespace(id="1234"))
    said = {ops.CreateKey: made, ops.PrepareImport: Unavailable("it is away"), ops.ScheduleDestruction: destroyed}

    def perform(op):
        answer = said[type(op)]
        if isinstance(answer, KeysteadError):
            raise answer
        return answer

    held = SimpleNamespace(transcript=SimpleNamespace(add=lambda step, **_: seen.append(step)))
    new = NewKey(spec="AES_256", check="kcv", check_value="000000")
    with pytest.raises(Unavailable):
        importing._imported(held, new, "aws:1:2", Sensitive(bytes(32)), SimpleNamespace(perform=perform))
    assert seen == ["key made", became]


def test_a_key_out_of_components_may_go_into_an_hsm(site, tmp_path, monkeypatch) -> None:
    """The token itself tells the check value of what it holds."""
    monkeypatch.setenv("TERM", "xterm")
    label, pin = softhsm.new_token(), tmp_path / "pin"
    pin.write_text(softhsm.PIN)
    with (site / "keystead.toml").open("a") as file:
        file.write(f'hsms = {{ safe = {{ module = "{softhsm.module()}", token = "{label}", pin = "file:{pin}" }} }}\n')
    one, other, whole = components()
    terminal = imported(tmp_path, site, one, other, key_plan(kcv(whole)) + 'hsm = "safe"\n')
    assert terminal.end() == 0, terminal.said
    told = at_once("key", "describe", "alias/payments", "--data", site, "--json").json
    assert (told["hsm"], told["state"]) == ("safe", "active")
    with Keystead(site, []) as ks:
        version = ks._core.barrier.get(KeyVersion, f"{told['id']}/1")
        facts = ks._core.hsms.at("safe").facts(KEY_SPECS["AES_256"], ks._core.barrier.material(version))
    assert facts["check_value"].upper() == kcv(whole)
    made = at_once("key", "create", "--hsm", "safe", "--data", site).out.strip()
    assert at_once("key", "describe", made, "--data", site, "--json").json["hsm"] == "safe"


@pytest.mark.parametrize("form", ["kcv", "cmac"])
@pytest.mark.parametrize(("spec", "n_bytes"), [("AES_256", 32), ("AES_128", 16)])
def test_both_check_values_and_both_lengths(tmp_path, form, spec, n_bytes) -> None:
    one, other, whole = components(n_bytes)
    body = key_plan(kcv(whole, form), form, spec)
    assert rehearse(tmp_path, "import-key", body, **typed(one, other, form)).status == 0


def stops(at: Path, body: str, answers: dict[str, list[str]], words: str) -> None:
    done = rehearse(at, "import-key", body, **answers)
    assert done.status == 1 and words in done.error["message"], done
    told = verified(at / "t.jsonl")
    assert told["outcome"] == "stopped" and words in told["why"]
    assert "key made" not in steps(at / "t.jsonl")


def test_a_component_without_its_check_value_goes_no_further(tmp_path) -> None:
    one, other, whole = components()
    answers = typed(one, other) | {
        "component 2: Cleo": [other.hex()] * 3,
        "component 2 check value: Cleo": ["000000"] * 3,
    }
    stops(tmp_path, key_plan(kcv(whole)), answers, "Cleo has not given a component")


def test_other_components_than_the_announced_keys(tmp_path) -> None:
    one, other, _ = components()
    stops(tmp_path, key_plan("ABCDEF"), typed(one, other), "another key than the one that was announced")


@pytest.mark.parametrize("what", ["zeros", "the same again", "too short", "no digits"])
def test_what_is_no_component(tmp_path, what) -> None:
    one, other, whole = components()
    bad = {"zeros": bytes(32).hex(), "the same again": one.hex(), "too short": "00ff", "no digits": "xyz"}[what]
    answers = typed(one, other) | {
        "component 2: Cleo": [bad] * 3,
        "component 2 check value: Cleo": [kcv(one)] * 3,
    }
    stops(tmp_path, key_plan(kcv(whole)), answers, "Cleo has not given a component")


@pytest.mark.parametrize(
    "wrong",
    [{"spec": "RSA_2048"}, {"check": "ABCD"}, {"check": "GGGGGG"}, {"form": "sum"}],
    ids=["spec", "length", "digits", "form"],
)
def test_a_key_that_no_plan_can_have(tmp_path, wrong) -> None:
    body = key_plan(**({"check": "ABCDEF"} | wrong))
    assert rehearse(tmp_path, "import-key", body).status == 2
