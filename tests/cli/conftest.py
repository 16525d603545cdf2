"""One development server a module, and the same installation without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.servers import Done, Serving, at_once, serving

Command = Callable[..., Done]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving("dev", tmp_path_factory.mktemp("dev") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A development installation on which no server runs."""
    directory = tmp_path_factory.mktemp("stopped") / "data"
    with serving("dev", directory):
        pass
    return directory


@pytest.fixture(scope="module", params=["through the server", "in this process"])
def ks(request: pytest.FixtureRequest) -> Command:
    """`ks("key", "list")`: a command about an installation, with a server and without."""
    if request.param == "through the server":
        directory = request.getfixturevalue("server").directory
    else:
        directory = request.getfixturevalue("stopped")
    return lambda *words, **more: at_once(*words, "--data", directory, **more)
