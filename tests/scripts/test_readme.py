"""The README's examples, run as they stand against a real server, in one shell's order."""

import os
import re
import subprocess
import sys

import pytest
from docs.build import ROOT
from tests.servers import BIN, serving

pytestmark = pytest.mark.client
EXAMPLE = re.compile(r"<!-- example -->\n```(sh|python)\n(.*?)```", re.DOTALL)
RUN = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


@pytest.fixture(scope="module")
def examples():
    return EXAMPLE.findall((ROOT / "README.md").read_text())


def test_the_examples_run_and_say_what_they_should(examples, tmp_path) -> None:
    assert [language for language, _ in examples] == ["sh", "python", "sh"]
    with serving("dev", tmp_path / "data") as server:
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        env |= {"PATH": f"{BIN}:{env['PATH']}", "KEYSTEAD_DATA": str(server.directory), "HOME": str(tmp_path)}
        env |= {"AWS_PAGER": ""}
        said = []
        for language, text in examples:
            surroundings = env | (server("env", "aws", "--json").json if language == "python" else {})
            done = subprocess.run(
                [*RUN[language], text], env=surroundings, cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            said.append(done.stdout)
    assert said[0] == "hello" and said[1] == "hello\n"
    assert "state open" in " ".join(said[2].split()) and "my first key" in said[2] and "Whole: " in said[2]


def test_the_first_block_is_the_two_commands_of_a_fresh_machine() -> None:
    first = re.search(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    targets = [line.split("#")[0].split() for line in first.splitlines()]
    assert targets == [["make", "run"], ["make", "test"]]
    made = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{name}:", made, re.MULTILINE) for _, name in targets)


def test_every_target_that_documents_name_is_there() -> None:
    named = set(re.findall(r"`make (\w+)`", (ROOT / "README.md").read_text()))
    made = (ROOT / "Makefile").read_text()
    assert named and all(re.search(rf"^{name}:", made, re.MULTILINE) for name in named)
