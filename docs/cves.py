# ruff: noqa: E501 - a table
"""What broke others: published flaws of servers like this one, and the tests that show each is not so here.

A test names a flaw by its id, in its docstring or in its own name (test_cve_2023_25000_…). docs.build prints the page,
and tests/house/test_docs.py holds the table to the tests. Ids are of cve.org, or of github.com/advisories where there is
none.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

ID = re.compile(r"CVE-\d{4}-\d{4,7}|GHSA(?:-[0-9a-z]{4}){3}")
_IN_A_NAME = re.compile(r"_cve_(\d{4})_(\d{4,7})")


class Flaw(Struct, frozen=True):
    """`ids`: of one and the same, where several have published it. `elsewhere`: why no test is named after it."""

    ids: str
    what: str
    elsewhere: str = ""


_NO_SUCH_ENGINE = "There is no such engine."
_ONE_NODE = "One server, one database of its own: there is no other node."
GROUPS: Mapping[str, tuple[Flaw, ...]] = {
    "What is decided on is not what is acted on": (
        Flaw("CVE-2025-5999 CVE-2025-54996", "a policy that is called root in other letters made a token root's"),
        Flaw("CVE-2025-64761", "the same, of a group"),
        Flaw("CVE-2024-9180", "an entity was given the policy root"),
        Flaw("CVE-2026-3605", "`.` and `..` in the path of a secret led out of what a policy lets"),
        Flaw(
            "CVE-2026-63131 GHSA-xp3c-3jw3-4vcr",
            "a list was let through by a wider rule where a deny with `*` stood for its folder",
        ),
        Flaw("CVE-2026-89322", "a policy was asked of a name as it was written, and not of the one that it led to"),
        Flaw("CVE-2025-6004 CVE-2025-54998", "failed logins were counted for each spelling of a name by itself"),
        Flaw(
            "CVE-2025-6013 CVE-2025-55001",
            "a space in the name of a user of LDAP was a way round the second factor",
            "There is no LDAP.",
        ),
        Flaw("CVE-2026-105820 CVE-2026-115365", "the name of a policy led to another namespace's"),
        Flaw("GHSA-mwr2-wmgp-crj6 CVE-2026-55775", "a namespace called root was taken for the one above it"),
        Flaw("GHSA-59w7-v8rr-pr4p", "what somebody is called was a wildcard in a templated policy"),
        Flaw("CVE-2026-42999", "the body of a request was merged over what the policy looks at"),
    ),
    "Logins": (
        Flaw("CVE-2025-6014 CVE-2025-55000", "a one-time password counted again with a space in it"),
        Flaw("CVE-2025-6015 CVE-2025-55003", "a second factor could be tried without end, and used again"),
        Flaw("CVE-2022-30689", "a second factor was not asked for after a restart"),
        Flaw("CVE-2025-6011 CVE-2025-54999", "the time of a login told who exists"),
        Flaw("CVE-2020-35177", "the words of a login told who exists"),
        Flaw("CVE-2023-3462", "the same, by LDAP", "There is no LDAP."),
        Flaw(
            "CVE-2024-2048 CVE-2025-6037",
            "beside a role that is one certificate, another with its key, or of its issuer, passed for it",
        ),
        Flaw("CVE-2026-39388", "a token was renewed with another certificate than it was got with"),
        Flaw("CVE-2024-2660", "the answers of OCSP responders were not verified"),
        Flaw("CVE-2022-41316", "certificates were good until the list of those that are revoked had been fetched"),
        Flaw("CVE-2024-5798", "a JSON web token for others was taken"),
        Flaw("CVE-2025-11621 CVE-2025-59048", "a wildcard in an ARN reached another account"),
        Flaw(
            "CVE-2020-16250 CVE-2020-16251 CVE-2025-49827 CVE-2025-49831",
            "forged proofs of AWS's or Google's identities logged in",
            "Nobody logs in by those.",
        ),
        Flaw(
            "CVE-2026-33757",
            "somebody else's login ended where the issuer called back",
            "The callback mode `direct` is refused by name (src/keystead/doors/vault/SPEC.md).",
        ),
        Flaw("CVE-2026-33758", "what the issuer said of an error was shown as a page"),
        Flaw(
            "CVE-2026-115356",
            "a token that a service account logged in for is renewed when that is gone",
            "It is so here, until the token's most: said in src/keystead/doors/vault/SPEC.md.",
        ),
        Flaw("CVE-2026-46405", "a login by Kerberos that failed left a token behind", "There is no Kerberos."),
        Flaw("CVE-2023-24999", "a secret ID was destroyed by a role that it is not of"),
        Flaw("CVE-2021-3563", "only the first 72 bytes of a secret were looked at"),
    ),
    "Whoever may not": (
        Flaw(
            "CVE-2025-4656 CVE-2025-52894 CVE-2026-5807", "anybody cancelled a rekeying or the making of a root token"
        ),
        Flaw("CVE-2026-40264", "a token was renewed and revoked by its accessor from another namespace"),
        Flaw("CVE-2026-45808 CVE-2026-55774", "a lease was renewed and revoked from another namespace"),
        Flaw("CVE-2022-23452", "the administrator of one project had a way into another's"),
        Flaw("CVE-2021-3282 CVE-2022-36129", "anybody joined a cluster, or took a node out of it", _ONE_NODE),
    ),
    "Requests that cost too much": (
        Flaw(
            "CVE-2023-6337 CVE-2025-6203 CVE-2025-59043 CVE-2025-12044",
            "JSON of whoever is nobody took memory or time without end",
        ),
        Flaw("CVE-2023-5954", "what was kept of policies had no end"),
        Flaw("CVE-2024-8185", "nodes that join took memory without end", _ONE_NODE),
        Flaw("CVE-2026-39396", "a plugin that is fetched unpacked to any size", "No plugins are fetched."),
        Flaw("CVE-2026-55776", "a key pair that is to be derived stopped the server"),
        Flaw("CVE-2026-40097", "a certificate of an attestation stopped the server", "No certificates are issued."),
    ),
    "What is on record": (
        Flaw("CVE-2024-8365", "tokens and accessors were on record as they are"),
        Flaw("CVE-2025-62513 CVE-2026-46358", "a raw body was on record, or a header was not kept to"),
        Flaw("CVE-2025-62705", "bytes were on record where text was hidden"),
        Flaw("CVE-2025-4166 CVE-2025-52893", "an error said back what the secret was"),
        Flaw("CVE-2024-0831", "one audit device that writes everything in the clear made others do so"),
        Flaw("CVE-2026-93333", "what came in a header was written to audit devices as it was"),
        Flaw("CVE-2026-4525", "tokens were handed on to what logs people in", "No engine sees a header."),
    ),
    "Names that become code": (
        Flaw("CVE-2025-6000 CVE-2025-54997", "an audit device wrote a program where plugins are started from"),
        Flaw("CVE-2025-49828", "a template of a policy ran code"),
        Flaw(
            "CVE-2023-0620 CVE-2026-39946", "names went into SQL as they were", "No database but our own is spoken to."
        ),
        Flaw("CVE-2026-55770", "names went into LDAP as they were", "There is no LDAP."),
        Flaw("CVE-2023-2121", "what was kept was shown as a page", "There is no user interface."),
        Flaw(
            "CVE-2026-5052",
            "ACME's challenges were looked for at any address",
            "No certificates are issued. What is asked elsewhere: rows 125 to 132 of the [checklist](checks.md).",
        ),
    ),
    "Times, ends and files": (
        Flaw("CVE-2021-32923", "a token that was renewed in its last second never ended"),
        Flaw("CVE-2020-25816", "what a batch token was given outlived it"),
        Flaw("CVE-2026-42186", "a namespace that was deleted left its data"),
        Flaw("CVE-2021-38553", "the database could be read by others on the machine"),
        Flaw(
            "CVE-2023-0690",
            "credentials lay in the clear beside a key management service",
            "Secrets are sealed on the way into the store: docs/adr/0006-key-tree.md.",
        ),
    ),
    "Cryptography": (
        Flaw("CVE-2023-25000", "shares were combined by look-ups that a cache tells of"),
        Flaw("CVE-2023-4680", "nonces of the caller's were taken where they are drawn"),
        Flaw("CVE-2017-15361", "RSA keys of a kind that can be factored"),
        Flaw("CVE-2020-0601", "a public key on a curve with a generator of the attacker's"),
    ),
    "Engines that are not offered": (
        Flaw(
            "CVE-2020-12757 CVE-2021-42135 CVE-2023-5077",
            "roles of Google's cloud had more than was asked for",
            _NO_SUCH_ENGINE,
        ),
        Flaw("CVE-2025-3879", "a role of Azure let in who was not of it", _NO_SUCH_ENGINE),
        Flaw("CVE-2024-7594", "SSH certificates were for everybody", _NO_SUCH_ENGINE),
        Flaw("CVE-2023-0665", "any issuer was changed where one might be", _NO_SUCH_ENGINE),
    ),
}
FLAWS: tuple[Flaw, ...] = tuple(flaw for group in GROUPS.values() for flaw in group)
IDS = {one: flaw for flaw in FLAWS for one in flaw.ids.split()}


def mentioned(tests: Path) -> set[str]:
    """Every id that stands anywhere in the tests."""
    return {one for path in tests.rglob("test_*.py") for one in _ids(path.read_text())}


def _ids(text: str) -> list[str]:
    return [*ID.findall(text), *(f"CVE-{year}-{number}" for year, number in _IN_A_NAME.findall(text))]


def named(tests: Path) -> dict[str, list[str]]:
    """Id -> "path::test" of every test that names it, or "path" of a module whose docstring does."""
    found: dict[str, list[str]] = {}
    for path in sorted(tests.rglob("test_*.py")):
        text = path.read_text()
        for where, said in _said(ast.parse(text)) if _ids(text) else ():
            for one in _ids(said):
                found.setdefault(one, []).append(f"{path.relative_to(tests.parent)}{where}")
    return found


def _said(module: ast.Module) -> Iterator[tuple[str, str]]:
    """("::test", its name and docstring), and ("", the module's)."""
    yield "", ast.get_docstring(module) or ""
    for one in module.body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_"):
            yield f"::{one.name}", f"{one.name} {ast.get_docstring(one) or ''}"
