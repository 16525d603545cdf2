"""Folders that lead to secrets: made with the first secret in them, gone with the last, listed; and their settings.

whoever puts something into a folder rests on the folder's row; whoever takes a folder away commits to its being
empty by then (Commit.childless). So no secret is ever where no listing leads, and two that are written into one
folder at once do not get in each other's way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Entity, Folder, Secret, SecretSettings, SecretVersion
from keystead.core.operations import Nothing, Page
from keystead.service.damaged import held_by
from keystead.service.handlers.keys import walk
from keystead.service.handlers.material import lost
from keystead.service.held import HeldKeyring
from keystead.service.held.secrets import SecretsOf, above
from keystead.service.pipeline import Act, Handler, Outcome
from keystead.service.reach import PAGE

E = TypeVar("E", bound=Entity)
AT_ONCE = 1000  # secrets, or their versions, in one commit


def led_through(ring: HeldKeyring, path: str) -> tuple[tuple[Folder, ...], tuple[Entity, ...]]:
    """Folders to make, so that there is one at `path`; and the nearest that is there already, if any is."""
    made: list[Folder] = []
    while path:
        if (found := ring.secrets.folder(path)) is not None:
            return tuple(made), (found,)
        up = ring.secrets.folder_id(above(path))
        made.append(Folder(id=ring.secrets.folder_id(path), keyring=ring.id, above=up, path=path))
        path = above(path)
    return tuple(made), ()


def emptied(ring: HeldKeyring, secret: Secret) -> tuple[Folder, ...]:
    """The folders that nothing is left in once `secret` is gone, the lowest first."""
    gone: list[Folder] = []
    path, secrets = above(secret.path), ring.secrets
    while path:
        id_ = secrets.folder_id(path)
        inside: list[Entity] = [*secrets.in_folder(id_, limit=2), *secrets.folders_in(id_, limit=2)]
        left = [one for one in inside if one.id != secret.id and (not gone or one.id != gone[-1].id)]
        found = secrets.folder(path)
        if left or found is None:
            break
        gone.append(found)
        path = above(path)
    return tuple(gone)


def list_secrets(op: ops.ListSecrets, targets: tuple[HeldKeyring], _act: Act) -> Outcome[Page[str]]:
    secrets = targets[0].secrets
    id_ = secrets.folder_id(op.folder)
    if op.limit is not None:
        return Outcome(answer=_page(secrets, id_, op))
    folders = [f"{one.name}/" for one in walk(_pages(secrets.folders_in, id_), "", PAGE)]
    names = [one.name for one in walk(_pages(secrets.in_folder, id_), "", PAGE)]
    return Outcome(answer=Page(tuple(sorted(folders + names))))


def _pages(read: Callable[..., list[E]], id_: str) -> Callable[[str, int], list[E]]:
    return lambda after, limit: read(id_, after=after, limit=limit)


def _page(secrets: SecretsOf, id_: str, op: ops.ListSecrets) -> Page[str]:
    """Folders first; each in the order of ids. It holds no more than the page, however much there is."""
    limit, inside = op.limit or PAGE, f"{op.folder}/" if op.folder else ""
    names: list[str] = []
    if not op.after or op.after.endswith("/"):
        after = secrets.folder_id(inside + op.after[:-1]) if op.after else ""
        names = [f"{one.name}/" for one in secrets.folders_in(id_, after=after, limit=limit + 1)]
        after = ""
    else:
        after = secrets.secret_id(inside + op.after)
    if len(names) <= limit:
        names += [one.name for one in secrets.in_folder(id_, after=after, limit=limit + 1 - len(names))]
    more = len(names) > limit
    return Page(tuple(names[:limit]), names[limit - 1] if more else None)


def read_settings(_op: ops.ReadSecretSettings, targets: tuple[HeldKeyring], _act: Act) -> Outcome[SecretSettings]:
    return Outcome(answer=targets[0].secrets.settings())


def put_settings(op: ops.PutSecretSettings, targets: tuple[HeldKeyring], _act: Act) -> Outcome[Nothing]:
    settings = targets[0].secrets.settings()
    settings = replace(
        settings,
        max_versions=settings.max_versions if op.max_versions is None else op.max_versions,
        cas_required=settings.cas_required if op.cas_required is None else op.cas_required,
        delete_after=settings.delete_after if op.delete_after is None else op.delete_after,
    )
    return Outcome(answer=Nothing(), put=(settings,))


def empty_keyring(op: ops.EmptyKeyring, targets: tuple[HeldKeyring], _act: Act) -> Outcome[bool]:
    """Secrets first, then the folders that led to them, then the settings."""
    (ring,) = targets  # put as well, so that nobody binds it to another address meanwhile
    if set(ring.namespaces) != {op.keyring.namespace}:
        return Outcome(answer=False)
    secrets, versions = [], list[SecretVersion]()
    for secret in ring.secrets.secrets(limit=AT_ONCE):
        secrets.append(secret)
        versions += ring.secrets.ending(secret)
        if len(versions) >= AT_ONCE:
            break
    if secrets:
        holding = tuple(held_by(versions))
        gone = (*secrets, *versions)
        return Outcome(answer=True, put=(ring.keyring,), delete=gone, destroy=holding, why=lost(versions))
    folders, settings = ring.secrets.folders(limit=AT_ONCE), ring.secrets.settings()
    return Outcome(answer=bool(folders), delete=(*folders, *((settings,) if settings.revision else ())))


HANDLERS: dict[type, Handler] = {
    ops.EmptyKeyring: empty_keyring,
    ops.ListSecrets: list_secrets,
    ops.ReadSecretSettings: read_settings,
    ops.PutSecretSettings: put_settings,
}
