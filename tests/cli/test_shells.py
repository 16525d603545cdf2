"""keystead env in the words of the shell that asks."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest
from tests.servers import KEYSTEAD

from keystead.cli.shells import script

VALUE = r"""it's "$HOME" \ and \' `id`; (id)"""
LEFT = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


def asked(server, shell: str, *words: str, **env: str) -> list[str]:
    """What `keystead env aws` says to that program, lines, with AWS_SESSION_TOKEN left over."""
    command = f"{shlex.join([str(KEYSTEAD), 'env', 'aws', *words, '--data', str(server.directory)])}; true"
    env = os.environ | {"AWS_SESSION_TOKEN": "of another"} | env
    return subprocess.run([shell, "-c", command], env=env, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )


@pytest.fixture(scope="module")
def fish(tmp_path_factory) -> str:
    """What is called so; that it runs the commands of this file as fish would is all that it has of it."""
    return shutil.copy("/bin/sh", tmp_path_factory.mktemp("bin") / "fish")


def test_fish_is_told_in_its_own_words(server, fish) -> None:
    said = asked(server, fish)
    assert "set -gx AWS_REGION 'us-east-1';" in said
    assert said[-2:] == ["set -e AWS_SESSION_TOKEN;", ""]
    assert not [line for line in said if line.startswith(("export ", "unset "))]


def test_the_shell_that_asks_counts_and_not_the_one_somebody_logs_in_with(server) -> None:
    said = asked(server, "sh", SHELL="/usr/bin/fish")
    assert "export AWS_REGION=us-east-1" in said and said[-2:] == ["unset AWS_SESSION_TOKEN", ""]


def test_or_the_one_that_is_said(server, fish) -> None:
    assert "set -gx AWS_REGION 'us-east-1';" in asked(server, "sh", "--shell", "fish")
    assert "export AWS_REGION=us-east-1" in asked(server, fish, "--shell", "sh")


@pytest.mark.parametrize(
    ("shell", "how"),
    [("sh", 'eval "$({})"'), ("fish", "{} | source"), ("fish", "eval ({})"), ("fish", 'eval "$({})"')],
)
def test_a_shell_understands_it(shell, how) -> None:
    """Whatever is in a value."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    said = script(shell, {"KS_TEST_ONE": VALUE, "KS_TEST_TWO": "2"}, LEFT)
    env = os.environ | {"SAID": said} | dict.fromkeys(LEFT, "of another")
    done = subprocess.run(
        [shell, "-c", f"{how.format('printenv SAID')}; env"], env=env, capture_output=True, text=True, check=True
    )
    there = dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith(("KS_TEST_", "AWS_S")))
    assert there == {"KS_TEST_ONE": VALUE, "KS_TEST_TWO": "2"} and done.stderr == ""
