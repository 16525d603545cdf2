"""python -m docs.build: what is a table in the code is printed from the code, into docs/generated (not kept in git).

Printed are the lifecycle, algorithms, actions, kinds of errors, every door from its declarations, every command from
its own help, and SECURITY.md with its links made to fit. tests/house/test_docs.py looks for every row of every table.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import botocore.loaders
import click
from docs import cves
from docs.checks import ELSEWHERE, GROUPS, named
from msgspec import Struct, inspect

from keystead.app.doors import DOORS
from keystead.cli import cli
from keystead.cli.exits import EXITS, Exit
from keystead.core import errors as e
from keystead.core.actions import ACTIONS
from keystead.core.algorithms import ALGORITHMS, KEY_SPECS
from keystead.core.cutoffs import NEVER, PROFILES
from keystead.core.states import APPOINTMENTS, PERMITTED, TRANSITIONS, Use, Uses
from keystead.doors.control.administration import OPERATIONS
from keystead.doors.control.errors import ERRORS, EVERY
from keystead.doors.control.lifecycle import STEPS
from keystead.kit import ErrorTable, PathOperation, WireOperation

ROOT = Path(__file__).parent.parent
GENERATED = ROOT / "docs" / "generated"
BY_HAND = "<!-- Printed by docs/build.py: change the table in the code instead. -->\n\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = [" | ".join(row) for row in [list(heads), ["---"] * len(heads), *cells]]
    return "".join(f"| {line} |\n" for line in lines)


def code(word: object) -> str:
    return f"`{word}`" if word not in {None, ""} else ""


def yes(fact: bool) -> str:  # noqa: FBT001 - a cell
    return "yes" if fact else ""


# --- the core's tables


def lifecycle() -> str:
    ids = {state: state.value.replace("-", "_") for state in TRANSITIONS}
    named = [f'    state "{state.value}" as {ids[state]}\n' for state in TRANSITIONS]
    arrows = [
        f"    {ids[state]} --> {ids[after]}: {event.name.lower()}\n"
        for state, row in TRANSITIONS.items()
        for event, after in row.items()
    ]
    drawn = "".join(["```mermaid\n", "stateDiagram-v2\n", *named, "    [*] --> pre_active\n", *arrows, "```\n"])
    moves = [
        (state.value, event.name.lower(), after.value)
        for state, row in TRANSITIONS.items()
        for event, after in row.items()
    ]
    uses = [(state.value, words(normal), words(at_risk)) for state, (normal, at_risk) in PERMITTED.items()]
    return (
        "# Lifecycle\n\nStates and transitions of NIST SP 800-57 Part 1 Rev. 5, section 7, from `core/states.py`.\n\n"
        + drawn
        + "\n"
        + table(("state", "event", "becomes"), moves)
        + "\n## What a state permits\n\nTo protect is to encrypt, wrap, sign or make a MAC; "
        + "to process is to decrypt, unwrap or verify.\n\n"
        + table(("state", "permits", "to a caller who accepts the risk"), uses)
        + "\n## Appointments\n\nAn appointment is a date, not a state: no sweeper has to run for it to take effect.\n\n"
        + table(("date", "event"), [(code(name), event.name.lower()) for name, event in APPOINTMENTS])
    )


def words(uses: Uses) -> str:
    return ", ".join((use.name or "").lower() for use in Use if use in uses) or "nothing"


def algorithms() -> str:
    specs = [
        (code(spec.name), spec.strength, code(spec.aws), ", ".join(map(code, spec.algorithms)))
        for spec in KEY_SPECS.values()
    ]
    known = [
        (code(one.name), one.purpose.name.lower(), code(one.digest), code(one.aws), code(one.jose))
        for one in ALGORITHMS.values()
    ]
    dates = [
        (code(profile), code(name), "never" if cutoff.last == NEVER else cutoff.last, cutoff.source)
        for profile, rows in PROFILES.items()
        for name, cutoff in rows.items()
    ]
    return (
        "# Algorithms\n\nFrom `core/algorithms.py`. A dialect is a column; strength is in bits "
        "(SP 800-57 Part 1 Rev. 5, Table 2).\n\n"
        "## Key specifications\n\n"
        + table(("key spec", "strength", "aws", "algorithms"), specs)
        + "\n## Algorithms\n\n"
        + table(("algorithm", "purpose", "digest", "aws", "jose"), known)
        + "\n## Last days\n\nFrom `core/cutoffs.py`: until when each protects, where `algorithms` in `keystead.toml` "
        "names the profile. By default there is no end to any.\n\n"
        + table(("profile", "key spec or algorithm", "protects until", "source"), dates)
    )


def actions() -> str:
    rows = [
        (code(row.action.value), row.scope.value, code(row.aws), yes(row.grantable), yes(row.abroad), yes(row.system))
        for row in ACTIONS.values()
    ]
    heads = ("action", "of a", "aws", "by grant", "another tenant's", "the operator")
    return (
        "# Actions\n\nEverything that can be authorized, from `core/actions/`. "
        "*The operator* is the system principal: who owns the server and speaks to it over the control socket. "
        "It manages keys and never uses one.\n\n" + table(heads, rows)
    )


def errors() -> str:
    kinds = [kind for kind in vars(e).values() if isinstance(kind, type) and issubclass(kind, e.KeysteadError)]
    rows = [
        (code(kind.__name__), first_line(kind), yes(kind.retryable), int(EXITS.get(kind, Exit.FAILED)))
        for kind in kinds
        if kind is not e.KeysteadError
    ]
    statuses = [(int(status), status.name.lower().replace("_", " ")) for status in Exit]
    return (
        "# Errors\n\nThe kinds of `core/errors.py`. Each door says them in its own protocol's words.\n\n"
        + table(("kind", "what it means", "worth trying again", "exit status"), rows)
        + "\n## Exit statuses of the command\n\nEvery kind that the table does not name is `1`.\n\n"
        + table(("status", "meaning"), statuses)
    )


def first_line(kind: type) -> str:
    return (kind.__doc__ or "A kind of its own.").partition("\n")[0]


# --- doors


class Shown(Struct, frozen=True):
    """What a page shows of an operation; a step that steers the server is declared in fewer words."""

    name: str
    request: Any
    response: Any
    errors: frozenset[str] = EVERY


class Declared(Struct, frozen=True):
    """What the page of a door is printed from."""

    name: str
    operations: Sequence[Any]
    errors: ErrorTable


def doors() -> dict[str, Declared]:
    """Every door by its name on the command line; and the one that the command itself comes by."""
    steps = (Shown(name, step.request, get_type_hints(step.run)["return"]) for name, step in STEPS.items())
    found = {name: Declared(one.name, one.operations, one.errors) for name, one in DOORS.items()}
    return found | {"control": Declared("control", (*OPERATIONS, *steps), ERRORS)}


def door(name: str, declared: Declared) -> str:
    ops = declared.operations
    common: frozenset[str] = frozenset.intersection(*([op.errors for op in ops if op.errors] or [frozenset()]))
    parts = [
        f"# The {name} door\n\n{len(ops)} operations, from the declarations in `doors/{declared.name}/`.\n\n",
        f"Any of them may answer {listed(common)}.\n\n" if common else "",
        table(("operation", "errors of its own"), [(link(op), listed(op.errors - common)) for op in ops]),
    ]
    parts.append("\n## Errors\n\n")
    rows = {(kind_of(key), fault.code, fault.status) for key, fault in declared.errors.items()}
    parts.append(table(("kind", "code", "status"), [(code(k), code(c), s) for k, c, s in sorted(rows)]))
    parts += [members(op) for op in declared.operations]
    return "".join(parts)


def kind_of(key: Any) -> str:
    return str((key[0] if isinstance(key, tuple) else key).__name__)


def link(op: WireOperation[Any, Any]) -> str:
    anchor = re.sub(r"[^a-z0-9 _-]", "", short(op).lower()).replace(" ", "-")
    return f"[{short(op)}](#{anchor})"


def listed(errors: frozenset[str]) -> str:
    return ", ".join(map(code, sorted(errors)))


def short(op: WireOperation[Any, Any]) -> str:
    """Without what its protocol puts before the name: "TrentService.", "sts:". A verb and a path stay as they are."""
    if isinstance(op, PathOperation):
        return op.name
    return re.split(r"[.:]", op.name)[-1]


def members(op: WireOperation[Any, Any]) -> str:
    parts = [f"\n## {short(op)}\n\n"]
    for title, message in (("request", op.request), ("answer", op.response)):
        rows = list(fields(message))
        parts.append(table((title, "", ""), rows) if rows else f"No members in the {title}.\n")
        parts.append("\n")
    return "".join(parts)


def fields(message: Any) -> Iterator[tuple[str, str, str]]:
    if not hasattr(message, "__struct_fields__"):
        return
    info = inspect.type_info(message)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - it has struct fields
    for field in info.fields:
        yield code(field.encode_name), shape(field.type), "required" if field.required else ""


PLAIN: Mapping[type[inspect.Type], str] = {
    inspect.StrType: "text",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.BoolType: "true or false",
    inspect.BytesType: "bytes (base64)",
    inspect.DateTimeType: "time",
    inspect.NoneType: "nothing",
}


def shape(of: inspect.Type) -> str:
    match of:
        case inspect.UnionType():
            return " or ".join(shape(one) for one in of.types if not isinstance(one, inspect.NoneType))
        case inspect.ListType() | inspect.VarTupleType():
            return f"list of {shape(of.item_type)}"
        case inspect.DictType():
            return f"map of {shape(of.key_type)} to {shape(of.value_type)}"
        case inspect.EnumType() | inspect.StructType():
            return code(of.cls.__name__)
        case inspect.LiteralType():
            return " or ".join(map(code, of.values))
        case _:
            return PLAIN.get(type(of), "bytes (base64)")


# --- how much of AWS's services is offered


class Covered(Struct, frozen=True):
    """A service of AWS's, as botocore's model has it, and what of it the aws door offers."""

    service: str
    version: str
    total: frozenset[str]
    offered: frozenset[str]

    @property
    def said(self) -> str:
        return f"{self.service}: {len(self.offered)} of {len(self.total)} operations"


def covered() -> tuple[Covered, ...]:
    loader = botocore.loaders.Loader()
    declared = [re.split(r"[.:]", op.name) for op in DOORS["aws"].operations]
    found = []
    for service, prefix in {"kms": "TrentService", "sts": "sts", "iam": "iam"}.items():
        model = loader.load_service_model(service, "service-2")
        offered = frozenset(name for before, name in declared if before == prefix)
        found.append(Covered(service, model["metadata"]["apiVersion"], frozenset(model["operations"]), offered))
    return tuple(found)


def coverage() -> str:
    rows = covered()
    parts = [
        "# Coverage\n\nWhat the aws door offers of each service, counted from AWS's own service models (botocore). "
        "For every operation, tests hold members, limits, enumerations and declared errors to the same models.\n\n",
        *[f"- {row.said}\n" for row in rows],
    ]
    for row in rows:
        parts.append(f"\n## {row.service}, API version {row.version}\n\n")
        parts.append(f"Offered: {listed(row.offered)}.\n\n")
        parts.append(f"Not offered: {listed(row.total - row.offered)}.\n" if row.total - row.offered else "")
    return "".join(parts)


# --- commands


def commands() -> str:
    ctx = click.Context(cli, info_name="keystead")
    return "# Commands\n\nEvery command has `--json`, and exit statuses as in [Errors](errors.md).\n" + "".join(
        command_help(cli, ctx)
    )


def command_help(command: click.Command, ctx: click.Context) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None  # noqa: S101 - it was listed
            yield from command_help(found, click.Context(found, info_name=name, parent=ctx))
    else:
        yield f"\n## {ctx.command_path}\n\n```text\n{command.get_help(ctx)}\n```\n"


# --- SECURITY.md

LINK = re.compile(r"\[([^\]]*)\]\((tests|docs)/([^)]*)\)")


def lead(found: re.Match[str]) -> str:
    """The site has the documents and not the tests: those are named."""
    words, room, path = found.groups()
    return f"[{words}](../{path})" if room == "docs" else f"{words} (`{room}/{path.replace('#', '::')}`)"


def security() -> str:
    return LINK.sub(lead, (ROOT / "SECURITY.md").read_text())


def checklist() -> str:
    """Every row with the tests that are named after it, or with what is said in their place."""
    tests = named(ROOT / "tests")
    parts = [
        "# Checklist\n\nWhat the numbers in the names of tests mean: `test_row_97_…` is row 97. "
        "Each row is a way in which servers of this kind were broken, or a promise that they break.\n"
    ]
    for group, rows in GROUPS.items():
        shown = [
            (number, words, "<br>".join(map(code, tests.get(number, ()))) or LINK.sub(lead, ELSEWHERE[number]))
            for number, words in rows.items()
        ]
        parts.append(f"\n## {group}\n\n" + table(("row", "what", "shown by"), shown))
    return "".join(parts)


def others() -> str:
    """Every published flaw with the tests that name it, or with what is said in their place."""
    tests = cves.named(ROOT / "tests")
    parts = [
        "# What broke others\n\nFlaws that were published of servers like this one, of HashiCorp Vault and OpenBao "
        "most of all, and the tests that show each is not so here.\n"
    ]
    for group, flaws in cves.GROUPS.items():
        shown = []
        for flaw in flaws:
            by = dict.fromkeys(test for one in flaw.ids.split() for test in tests.get(one, ()))
            shown.append((flaw.ids.replace(" ", "<br>"), flaw.what, "<br>".join(map(code, by)) or flaw.elsewhere))
        parts.append(f"\n## {group}\n\n" + table(("flaw", "what", "shown by"), shown))
    return "".join(parts)


PAGES: Mapping[str, Callable[[], str]] = {
    "lifecycle.md": lifecycle,
    "algorithms.md": algorithms,
    "actions.md": actions,
    "errors.md": errors,
    "coverage.md": coverage,
    "commands.md": commands,
    "security.md": security,
    "checks.md": checklist,
    "cves.md": others,
}


def pages() -> dict[str, str]:
    """Path below docs/generated -> text."""
    printed = {path: BY_HAND + page() for path, page in PAGES.items()}
    return printed | {f"doors/{name}.md": BY_HAND + door(name, declared) for name, declared in doors().items()}


def main() -> None:
    shutil.rmtree(GENERATED, ignore_errors=True)
    for path, text in pages().items():
        target = GENERATED / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


if __name__ == "__main__":
    main()
