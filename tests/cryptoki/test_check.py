"""`keystead hsm`: what a token can do, asked of the token; and the page that says what SoftHSM2 lacks."""

import json
import os
import re
from pathlib import Path

import pytest
from tests import softhsm
from tests.servers import at_once

from keystead import config
from keystead.config import Config, Hsm
from keystead.core.algorithms import KEY_SPECS
from keystead.providers.software import SoftwareProvider

PAGE = Path(__file__).parents[2] / "docs" / "pkcs11.md"


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    directory = tmp_path_factory.mktemp("k")
    pin = directory / "pin"
    pin.write_text(softhsm.PIN + "\n")
    label = softhsm.new_token()
    hsm = Hsm(module=softhsm.module(), token=label, pin=f"file:{pin}")
    wrong = directory / "wrong"
    wrong.write_text("000000")
    config.write(
        directory,
        Config(hsms={"soft": hsm, "wrong": Hsm(module=softhsm.module(), token=label, pin=f"file:{wrong}")}),
    )
    return directory


def test_the_configured_ones_are_listed(installation):
    rows = at_once("hsm", "list", "--data", installation, "--json").json
    assert [row["name"] for row in rows] == ["soft", "wrong"] and softhsm.PIN not in json.dumps(rows)


def test_check_says_what_the_page_says(installation):
    said = at_once("hsm", "check", "soft", "--data", installation, "--json").json
    assert said["facts"]["model"] == "SoftHSM v2" and said["facts"]["objects"].startswith("0 keys")
    assert {
        word: row[word] for row in said["mechanisms"] if row["name"] == "AES_GCM" for word in ("name", "least", "most")
    } == {"name": "AES_GCM", "least": 16, "most": 32}
    software = SoftwareProvider(os.urandom)
    has = {(spec.name, one) for spec in KEY_SPECS.values() for one in software.offers(spec)}
    rows = {(row["key_spec"], row["algorithm"]): row for row in said["algorithms"]}
    assert has <= set(rows)
    lacking = {(*pair, rows[pair]["why"]) for pair in has if not rows[pair]["offered"]}
    lines = re.findall(r"^\| [A-Z][A-Z0-9_]+ \| .*\|$", PAGE.read_text(), re.MULTILINE)
    page = {tuple(line.strip("| ").split(" | ")) for line in lines}
    assert page == lacking
    text = at_once("hsm", "check", "soft", "--data", installation).out
    assert re.search(r"AES_GCM +AES_GCM +caller +yes$", text, re.MULTILINE) and softhsm.PIN not in text


def test_what_cannot_be_checked(installation):
    for words, why in ((("soft2",), "names no HSM"), (("wrong",), "PIN_INCORRECT")):
        said = at_once("hsm", "check", *words, "--data", installation)
        assert said.status != 0 and why in said.err and "000000" not in said.err


def test_the_cluster_id_is_of_the_token_or_as_it_is_settled(installation: Path) -> None:
    told = at_once("hsm", "cluster", "soft", "--data", installation, "--json").json
    assert re.fullmatch("cluster-[a-z2-7]{11}", told["cluster"]) and told["hsm"] == "soft"
    assert at_once("hsm", "cluster", "soft", "--data", installation).out.strip() == told["cluster"]
    assert at_once("hsm", "cluster", "nowhere", "--data", installation).status != 0
