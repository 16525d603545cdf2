"""What linters cannot see: who makes a Caller, who reveals a secret, whose an action is, why a rule is off."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import keystead
from keystead.core import operations
from keystead.core.actions import ACTIONS, Action
from keystead.service.handlers import HANDLERS

SOURCE = Path(keystead.__file__).parent
ROOT = Path(__file__).parents[2]
MODULES = sorted(SOURCE.rglob("*.py"))

# HOUSE §3: providers, seals, slots, the barrier with its hierarchy, verifiers of credentials, and a door's encoder.
MAY_REVEAL = (
    "providers/",
    "seals/",
    "slots/",
    "tpm/",
    "crypto/",
    "cryptoki/",  # a PIN, and what is written into a token
    "service/barrier.py",
    "service/hierarchy.py",
    "service/replacing.py",
    "service/root.py",
    "service/escrow.py",  # a recovery key
    "service/slots.py",  # what a slot gives, into the wrapping key
    "service/rows.py",
    "service/custody.py",
    "service/recording.py",  # the key of the context digest
    "service/credentials/",
    "service/canonical.py",  # an argument, into its keyed digest
    "service/tickets.py",  # the wrapping key into its ticket, material into its digest
    "service/handlers/principals.py",  # an access key is made
    "service/handlers/keystores.py",  # the secret for a proxy, to be kept
    "service/handlers/secrets.py",  # a value that is patched
    "service/handlers/cubbyhole.py",  # a value, into its row
    "service/handlers/wrapping.py",  # an answer goes into its sealed row
    "service/handlers/settings.py",  # a value, into its digest for an audit device
    "doors/",
    "app/workers.py",  # the unseal key, onto a worker's pipe
    "app/gathering.py",  # a share, to see whether it is one
    "app/rekeying.py",  # two unseal keys, compared
    "app/rooting.py",  # a root token, under its pad
    "app/resealing.py",  # the check value of an unseal key
    "kit/custody.py",  # shares, onto a worker's line
    "cli/",  # shares and access keys, shown once
)


def calls(tree: ast.AST):
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.relative_to(SOURCE).as_posix())
def test_a_caller_is_made_by_authentication_alone_and_secrets_are_revealed_where_the_house_says(module: Path) -> None:
    where = module.relative_to(SOURCE).as_posix()
    made = Counter(name(call.func) for call in calls(ast.parse(module.read_text())))
    assert not made["Caller"] or where == "service/authenticate.py"
    assert not made["reveal"] or where.startswith(MAY_REVEAL), "a secret is revealed outside the rooms that may"


def every_operation() -> list[type[operations.Operation]]:
    found, todo = [], [operations.Operation]
    while todo:
        for kind in todo.pop().__subclasses__():
            todo.append(kind)
            if hasattr(kind, "action"):
                found.append(kind)
    return found


def test_every_operation_names_an_action_of_the_table_and_has_one_handler() -> None:
    kinds = set(every_operation())
    assert kinds
    assert {kind.action for kind in kinds} <= set(ACTIONS) == set(Action)
    assert set(HANDLERS) == kinds


def test_every_action_is_asked_for_by_some_operation() -> None:
    asked = {kind.action for kind in every_operation()} | {Action.RE_ENCRYPT_TO, Action.TAG_SESSION}
    assert asked == set(Action)


SUPPRESSION = re.compile(r"# (?:noqa|type: ignore)(?P<rest>.*)")
WITH_ITS_REASON = re.compile(r"(?:: [A-Z0-9, ]+ - |\[[a-z, -]+\]  # )\S.*")


@pytest.mark.parametrize("room", ["src", "tests", "bench", "docs"])
def test_a_suppression_names_its_rule_and_its_reason(room: str) -> None:
    bare = [
        f"{module.relative_to(ROOT)}: {found[0]}"
        for module in (ROOT / room).rglob("*.py")
        for found in SUPPRESSION.finditer(module.read_text())
        if module != Path(__file__) and not WITH_ITS_REASON.fullmatch(found["rest"])
    ]
    assert not bare
