# ruff: noqa: E501 - tables
"""What can be sent to an operation, out of OpenBao's own document: every parameter with a value of its kind and of every other.

By hand, for any paths of the document: python -m tests.doors.vault.peer.walk 'auth/userpass|transit/keys'
Those of the seal need a server process of ours, with a share: python -m tests.doors.vault.peer.walk 'sys/rotate' served
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.doors.vault.peer.ask import Ask
from tests.doors.vault.peer.meant import ANY, Meant
from tests.openbao import METHODS, OpenApi, Peer
from tests.servers import serving

from keystead.wire.vault.kinds import Kind

ODD = (None, "", "x", 5, -1, 1.5, True, [], ["x"], {}, {"a": 1})
OWN: Mapping[Kind, tuple[Any, ...]] = {
    Kind.BOOL: ("true", "T", "0", 2),
    Kind.INT: ("2", "0x1", 99999999999999999999),
    Kind.DURATION: (60, "60", "1h", "1d", "90m", "1.5h", "-1"),
    Kind.SIGNED: (60, "1h", "1d", "-1"),
    Kind.COMMA_STRINGS: ("a,b", ["a", "b"], ["a,b"], [["x"]]),
    Kind.STRINGS: ("a,b", ["a", "b"], [["x"]]),
    Kind.COMMA_INTS: ("1,2", [1, 2], ["1"]),
    Kind.MAP: ({"a": "b"}, [{"a": 1}], ["a=b"]),
    Kind.PAIRS: ({"a": "b"}, "a=b", ["a=b"], {"a": None}),
    Kind.TEXT: ("é ü", "a/b", "x" * 300),
}
UNSEEN = frozenset({"after", "limit", "list", "scan", "urlalgorithm", "urlbytes"})
"""Parameters that are OpenBao's own, or of its document and not of a body."""
MERGE = {"Content-Type": "application/merge-patch+json"}
LAST = ("sys/quotas/rate-limit/{name}", "sys/seal")
"""Behind which nothing else is answered."""
_OWN = r" sys/(rotate/root|generate-root-token)/"
SEAL = (
    Meant(r" sys/(rekey|generate-root)/", ANY, "^405 unsupported operation$",
          "OpenBao has them for nobody unless its configuration says so; so configured, they are compared by tests/clients/test_seal.py"),
    Meant(r" sys/(decode-token|health|init|leader|seal-status|unseal|seal)\b", "^40[345] ", "^405 (unsupported operation)?$",
          "that nobody may is told in the words of everywhere, and to who may ask"),
    Meant(r" sys/generate-root( |$)", "^404 .*unsupported path", "^405 ", "a path of the document that leads nowhere"),
    Meant(r" sys/rotate/(keyring/)?config", "^404 .*unsupported path", ANY, "nothing rotates of itself (SPEC.md)"),
    Meant(r" sys/(rotate/recovery|rekey/recovery-key-backup|generate-recovery)", "^40[34] ", ANY, "there are no recovery keys (SPEC.md)"),
    Meant(r" sys/ha-status", "^200 ", "^200 ", "each says who it is"),
    Meant(r" sys/step-down", "^40[34] ", "^204", "it takes sudo, whether there is anything to do or not"),
    Meant(_OWN, "^200 ", "^200 ", "OpenBao's own paths tell each member, as Vault's do, also where nothing has begun"),
    Meant(_OWN, "^(400|500) ", "^400 ", "OpenBao's own paths have the words and statuses of Vault's (SPEC.md)"),
    Meant(r" sys/(init|unseal) ", "^400 ", "^400 failed to decode JSON input: json: cannot unmarshal", "read as everywhere: what can be a number or a text is one"),
    Meant(r" sys/init .*recovery_pgp_keys", "^400 ", "^400 ", "of two things that are wrong the other is told"),
    Meant(r" sys/unseal .*x{300}", "longer than maximum", "^200 ", "what is no share is told of an open server, too"),
    Meant(r" sys/(health|leader|key-status|seal-status)", "^200 ", "^200 ", "each says who it is, how often it has written, and Vault what OpenBao leaves out"),
)  # fmt: skip
"""What differs of the seal's paths, gone through."""


def filled(template: str, names: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: names.get(m[1], "app"), template)


def asks(document: OpenApi, template: str, base: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Ask]:
    """Reads and writes of one path: by several tokens, of a name that there is not, with each parameter wrong.

    After each write what can be read there is. `base`: a body that is taken; `names`: of what is in the path.
    """
    path, known = filled(template, names), set(document.methods(template))
    for method in ("GET", "LIST", "DELETE") if "delete" not in known else ("GET", "LIST"):
        yield from (Ask(method, path, token=token) for token in ("root", "low", ""))
        yield from (Ask(method, f"{path}{end}") for end in ("/", "?unknown=1"))
        yield Ask(method, filled(template, dict.fromkeys(re.findall(r"\{(\w+)", template), "none")))
    for method in ("POST", "PATCH"):
        headers = MERGE if method == "PATCH" else {}
        if METHODS["write" if method == "POST" else "patch"] not in known:
            yield Ask(method, path, {"a": 1}, headers=headers)
            continue
        for body in bodies(document, template, method, base):
            yield Ask(method, path, body, headers=headers)
            if "get" in known:
                yield Ask("GET", path)
        yield Ask(method, path, dict(base), token="low", headers=headers)
        yield Ask(method, path, dict(base), token="", headers=headers)


def bodies(document: OpenApi, template: str, method: str, base: Mapping[str, Any]) -> Iterator[Any]:
    yield from (dict(base), {}, None, {**base, "unknown": 1})
    parameters = document.at("write" if method == "POST" else "patch", template).parameters
    for name, parameter in sorted(parameters.items()):
        if parameter.place == "body" and name not in UNSEEN:
            kind = min(parameter.kinds, key=lambda one: one.value)
            yield from ({**base, name: value} for value in (*OWN.get(kind, ()), *ODD))
    yield from ({name: value for name, value in base.items() if name != left} for left in base)


@contextmanager
def served(directory: Path) -> Iterator[Peer]:
    """`keystead serve`, set up over HTTP and opened with its one share."""
    with serving("serve", directory / "data", "--listen", "vault=127.0.0.1:0") as running:
        host, _, port = running.running["listen"]["vault"].rpartition(":")
        nobody = Peer((host, int(port)), "")
        made = nobody.json("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        nobody.json("PUT", "sys/unseal", {"key": made["keys"][0]})
        nobody.close()
        yield Peer((host, int(port)), made["root_token"])


def main(pattern: str, how: str = "") -> None:
    from tests.doors.vault.test_openbao import ours, theirs  # noqa: PLC0415 - a test's module, which imports these
    from tests.doors.vault.test_walk_openbao import ALSO_MEANT, BASES, NAMES, differing, prepared  # noqa: PLC0415 - the same
    from tests.openbao import openbao  # noqa: PLC0415 - the same

    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        peer = stack.enter_context(openbao(folder))
        mine = theirs(stack.enter_context(served(folder))) if how == "served" else ours()
        document, sides = OpenApi(peer.openapi()), (mine, theirs(peer))
        prepared(*sides)
        found = filter(re.compile(pattern).search, document.templates())
        for template in sorted(found, key=lambda one: LAST.index(one) if one in LAST else -1):
            every = asks(document, template, BASES.get(template, {}), NAMES)
            for words in differing(*sides, every, (*ALSO_MEANT, *SEAL)):
                print(words)


if __name__ == "__main__":
    main(*sys.argv[1:])
