"""The documents in step with the code: every row of every table is printed, and every link leads somewhere."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import msgspec
import pytest
import yaml
from docs import build, checks, cves

from keystead.app.doors import DOORS
from keystead.cli import cli
from keystead.cli.commands import COMMANDS
from keystead.cli.exits import Exit
from keystead.config import Config
from keystead.core import errors
from keystead.core.actions import ACTIONS
from keystead.core.algorithms import ALGORITHMS, KEY_SPECS
from keystead.core.quotas import Quotas
from keystead.core.states import TRANSITIONS

ROOT = build.ROOT
COMMAND = re.compile(r"(?:`|^|\$ |\$\()keystead ((?:[a-z][a-z-]* ?)+)", re.MULTILINE)
TYPED = re.compile(r"(?:`|^ *|\$ |\$\(|^\w+\$ +)keystead ((?:[a-z][^`#|]*)?)")
OPTION = re.compile(r"--[a-z][a-z-]*(=.*)?|-[a-z]")
LINK = re.compile(r"\]\(([^)#:]+)(?:#([^)]*))?\)")


@pytest.fixture(scope="module")
def pages():
    return build.pages()


def test_the_lifecycle_is_drawn_from_its_table(pages) -> None:
    page = pages["lifecycle.md"]
    arrows = re.findall(r"^    (\w+) --> (\w+): (\w+)$", page, re.MULTILINE)
    assert sorted(arrows) == sorted(
        (state.value.replace("-", "_"), after.value.replace("-", "_"), event.name.lower())
        for state, row in TRANSITIONS.items()
        for event, after in row.items()
    )


def test_every_row_is_printed(pages) -> None:
    for page, words in {
        "algorithms.md": [*KEY_SPECS, *ALGORITHMS],
        "actions.md": [row.action.value for row in ACTIONS.values()],
        "errors.md": [
            kind.__name__ for kind in errors.KeysteadError.__subclasses__() if kind.__module__ == errors.__name__
        ],
    }.items():
        assert all(f"`{word}`" in pages[page] for word in words), page
    assert all(f"| {int(status)} |" in pages["errors.md"] for status in Exit)
    assert all(f"\n## keystead {name}" in pages["commands.md"] for name in COMMANDS)


def test_every_door_has_its_page(pages) -> None:
    assert build.doors().keys() == {*DOORS, "control"}
    for name, door in build.doors().items():
        page = pages[f"doors/{name}.md"]
        headings = set(re.findall(r"^## (.+)$", page, re.MULTILINE))
        assert {build.short(operation) for operation in door.operations} <= headings
        assert all(f"`{row.code}`" in page for row in door.errors.values() if row.code)


ROOMS = (
    ROOT,
    ROOT / "docs",
    ROOT / "docs" / "adr",
    ROOT / "tests",
    ROOT / "tests" / "vectors",
    ROOT / "tests" / "wire",
)
BY_HAND = [path for room in ROOMS for path in room.glob("*.md")] + [*(ROOT / "src").rglob("*.md")]


@pytest.mark.parametrize("page", [str(path.relative_to(ROOT)) for path in BY_HAND])
def test_every_link_leads_somewhere(page, pages) -> None:
    """A link to a test names one that exists."""
    at = (ROOT / page).parent
    for path, anchor in LINK.findall((ROOT / page).read_text()):
        target = at / path
        if "generated/" in path:
            assert path.partition("generated/")[2] in pages, path
            continue
        assert target.exists(), path
        if anchor and target.suffix == ".py":
            assert re.search(rf"^(async )?def {anchor}\(", target.read_text(), re.MULTILINE), f"{path}#{anchor}"


def test_every_promise_of_security_names_a_test() -> None:
    rows = re.findall(r"^\| (?!The attacker has|---)(.+) \|$", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)
    assert len(rows) >= 10
    assert all("](tests/" in row.split(" | ")[-1] for row in rows)


def test_every_row_of_the_checklist_is_a_test_or_says_where_it_is_shown() -> None:
    """Issue by issue the numbers in the names of tests are those of one list."""
    tests = checks.named(ROOT / "tests")
    assert tests.keys() <= checks.ROWS.keys(), "a number that is in no row"
    assert checks.ROWS.keys() - tests.keys() == checks.ELSEWHERE.keys()
    links = [link for said in checks.ELSEWHERE.values() for link in LINK.findall(said)]
    assert len(links) > 15
    for path, anchor in links:
        assert re.search(rf"^def {anchor}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}#{anchor}"


def test_what_broke_others_is_a_test_or_says_why_there_is_none() -> None:
    """Ids in tests stand in the docstring of one, and in the table."""
    tests = cves.named(ROOT / "tests")
    assert cves.mentioned(ROOT / "tests") == tests.keys() <= cves.IDS.keys()
    shown = {flaw.ids for one, flaw in cves.IDS.items() if one in tests}
    assert {flaw.ids for flaw in cves.FLAWS} - shown == {flaw.ids for flaw in cves.FLAWS if flaw.elsewhere}
    assert sum(len(flaw.ids.split()) for flaw in cves.FLAWS) == len(cves.IDS), "one id in two rows"
    assert len(shown) > 35


def test_every_room_is_on_the_map() -> None:
    table = re.findall(r"^\| (`.+?) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    rooms = {path.parent.name for path in (ROOT / "src" / "keystead").glob("*/__init__.py")}
    assert rooms == {room for cell in table for room in re.findall(r"`(\w+)`", cell)}


def test_every_command_that_is_named_is_one() -> None:
    """Up to its first argument or option, in the text and in what is to be typed."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "adr").glob("*.md")]
    named = {words for page in pages for words in COMMAND.findall(page.read_text())}
    assert len(named) > 50
    assert not [words for words in sorted(named) if not _is_command(words.split())]


def _is_command(words: list[str]) -> bool:
    group: click.Group = cli
    for word in words:
        found = group.get_command(click.Context(cli), word)
        if not isinstance(found, click.Group):
            return found is not None
        group = found
    return True


def test_every_option_that_is_named_is_one(pages) -> None:
    """Behind a command, in what is to be typed, in pages and in help; a line that goes on is one line."""
    by_hand = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs").glob("*/*.md")]
    texts = [page.read_text() for page in (*by_hand, *(ROOT / "docs" / "examples").glob("*.sh"))]
    lines = [line for text in (*texts, pages["commands.md"]) for line in re.sub(r"\\\\\n\s*", "", text).splitlines()]
    typed = [found for line in lines for found in TYPED.findall(line)]
    assert sum("--" in words for words in typed) > 50
    assert not [words for words in typed if _unknown_options(words.split())]


def _unknown_options(words: list[str]) -> set[str]:
    command: click.Command = cli
    while words and isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            break
        command, words = found, words[1:]
    if command.allow_interspersed_args and "--" in words:
        words = words[: words.index("--")]
    known = {option for parameter in command.params for option in parameter.opts}
    return {word.partition("=")[0] for word in words if OPTION.fullmatch(word)} - known - {"--help", "--version"}


def test_every_setting_is_in_the_table_of_the_operators_page_with_its_default() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("\n## The configuration\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?`) \| (.+?) \|", table, re.MULTILINE)
    said = dict[str, str]()
    for names, defaults in rows:
        said |= zip(re.findall(r"`(\w+)`", names), re.findall(r"`([^`]+)`", defaults) or [defaults], strict=True)
    holds = msgspec.json.decode(msgspec.json.encode(Config()))
    assert said.pop("quotas") == "AWS's" and holds.pop("quotas")  # the next test's
    assert said.keys() == holds.keys()
    for name, text in said.items():
        default = None if text == "none" else tomllib.loads(f"it = {text}")["it"]
        real = {member: holds[name][member] for member in default} if default and type(default) is dict else holds[name]
        assert (default == real) if text != "none" else not real, name


def test_the_quotas_of_the_operators_page_are_those_that_hold() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    (line,) = re.findall(r"^quotas = .+$", page, re.MULTILINE)
    assert tomllib.loads(line)["quotas"] == msgspec.to_builtins(Quotas())


def test_every_decision_is_in_the_contents() -> None:
    said = (ROOT / "mkdocs.yml").read_text()
    assert all(f"adr/{path.name}" in said for path in (ROOT / "docs" / "adr").glob("*.md"))


def test_the_site_builds(tmp_path: Path, pages) -> None:
    """mkdocs --strict over what is printed now, beside what is written by hand."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    docs = tmp_path / "docs"
    for path in (ROOT / "docs").rglob("*.md"):
        if "generated" not in path.parts:
            target = docs / path.relative_to(ROOT / "docs")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    for path, text in pages.items():
        target = docs / "generated" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(settings | {"docs_dir": str(docs)}))
    command = [Path(sys.executable).parent / "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path / "site"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "generated" / "doors" / "aws" / "index.html").exists()
