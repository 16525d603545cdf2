"""Which namespace a request is about: by its header, by the beginning of its path, or by both.

Rule 1: names are segments of a path, looked for one by one from the root of the caller's own tree; nothing else names a
        tenant at this door.
Rule 2: whether a namespace is there is only for those to know who may do something in it. For anybody else one that
        is there and one that is not are answered alike (front).
Rule 3: of `sys`, only what is listed here is there for all tenants: the rest is about the installation.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.entities import Lineage, path_of_chain
from keystead.doors.vault.endpoint import Said
from keystead.kit.door import Mounts
from keystead.wire.vault.request import Asked, Verb

HOME = frozenset({b"", b"root", b"/", b"root/", b"/root", b"/root/"})
SHOWN = "sys/internal/ui/mounts/"  # what is asked about there may be in a namespace below
OF_ITSELF = frozenset(
    {
        (Verb.READ, "auth/token/lookup-self"),
        (Verb.WRITE, "auth/token/renew-self"),
        (Verb.WRITE, "auth/token/revoke-self"),
    }
)
"""What a token asks about itself is asked where it is at home, wherever the request says it is."""
UNLOCK = "sys/namespaces/api-lock/unlock"
EVERYWHERE = (
    "sys/mounts",
    "sys/auth",
    "sys/remount",
    "sys/policies",
    "sys/policy",
    "sys/capabilities",
    "sys/capabilities-self",
    "sys/capabilities-accessor",
    "sys/wrapping",
    "sys/control-group",
    "sys/tools",
    "sys/locked-users",
    "sys/mfa",
    "sys/plugins/catalog",
    "sys/leases",
    "sys/renew",
    "sys/revoke",
    "sys/namespaces",
    "sys/internal/ui",
    "sys/internal/specs",
)
"""Of `sys` what every tenant and every namespace has for itself; the rest is the first tenant's alone."""
OF_SERVER = frozenset({"sys/seal-status", "sys/leader"})
"""What is told to anybody, in every namespace the same."""
UNAVAILABLE = "operation unavailable in namespaces"
ROOT_ONLY = "operation only available in root namespace"
NOT_FOUND = "namespace not found"


class Place(Struct, frozen=True):
    """Where a request is: the tenant, what leads to it from the root of its tree, and the request seen from there.

    `led`: what of a path that is to be shown led there ("ns1/"). `missing`: the names that lead nowhere, "ns1/nope/".
    """

    tenant: str
    chain: Lineage
    asked: Asked
    led: str = ""
    missing: str = ""

    @property
    def path(self) -> str:
        return path_of_chain(self.chain)


def header_of(headers: Mapping[bytes, bytes]) -> tuple[str, ...]:
    """The names in X-Vault-Namespace; () of the root."""
    said = headers.get(b"x-vault-namespace")
    if said is None or said in HOME:
        return ()
    return tuple(name for name in said.decode("latin-1").split("/") if name)


class Spaces:
    """The tree of namespaces, as paths lead through it."""

    def __init__(self, mounts: Mounts) -> None:
        self._mounts = mounts

    def root_of(self, tenant: str) -> str:
        """The tenant at the root of the tree that one is in."""
        chain = self._mounts.chain(tenant)
        return chain[0].above if chain else tenant

    def find(self, root: str, names: tuple[str, ...], asked: Asked) -> Place:
        """From the tenant `root`, by the header's names, then as far as the path leads."""
        if not names and not self._mounts.spaces(root):
            return Place(root, (), asked)
        tenant = root
        found: Lineage = ()
        for n, name in enumerate(names):
            if (space := self._mounts.spaces(tenant).get(name)) is None:
                return Place(tenant, found, asked, missing="".join(f"{one}/" for one in names[n:]))
            tenant, found = space.id, (*found, space)
        begun, path = len(found), asked.path
        shown = SHOWN if path.startswith(SHOWN) and asked.verb is not Verb.HELP else ""
        rest = path[len(shown) :]
        while True:
            head, slash, tail = rest.partition("/")
            space = self._mounts.spaces(tenant).get(head) if slash and (tail or not shown) else None
            if space is None:
                break
            tenant, found, rest = space.id, (*found, space), tail
        if len(found) == begun:
            return Place(tenant, found, asked)
        led = path_of_chain(found[begun:]) if shown else ""
        return Place(tenant, found, replace(asked, path=shown + rest), led)

    def path_of(self, tenant: str) -> str:
        """ "ns1/"; "" of a root."""
        return path_of_chain(self._mounts.chain(tenant))

    def at_home(self, tenant: str, asked: Asked) -> Place:
        """Where a token itself is."""
        return Place(tenant, self._mounts.chain(tenant), asked)

    def below(self, place: Place, tenant: str) -> str | None:
        """What leads from a token's tenant to the place; None where it does not lead there."""
        if not place.chain:
            return "" if place.tenant == tenant else None
        ids = (place.chain[0].above, *(one.id for one in place.chain))
        return path_of_chain(place.chain[ids.index(tenant) :]) if tenant in ids else None


def check_everywhere(path: str) -> None:
    """Raise Said for what of `sys` the first tenant alone has."""
    if not any(path == one or path.startswith(f"{one}/") for one in EVERYWHERE):
        raise Said(400, ROOT_ONLY)
