"""Secrets: written, read, deleted, destroyed. HashiCorp Vault documentation, "KV secrets engine - version 2"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import Entity, Folder, Secret, SecretSettings, SecretVersion
from keystead.core.errors import Conflict, InvalidArgument, LimitExceeded, NotFound
from keystead.core.merge import merged
from keystead.core.operations import MetadataPut, Nothing, Versioned
from keystead.core.sensitive import Sensitive
from keystead.service.damaged import held_by
from keystead.service.handlers.folders import emptied, led_through
from keystead.service.handlers.material import lost
from keystead.service.held.secrets import HeldSecret, above, oldest_after
from keystead.service.pipeline import Act, Handler, Outcome

MAX_VALUE = 1 << 20  # bytes
MAX_PATH, MAX_DEPTH = 1024, 32
DROPPED = 64
"""Versions that are dropped wait until there are so many: one rotation of the slot erases them all."""
MAX_ERASED = 1024  # versions in one commit
MAX_CUSTOM, MAX_CUSTOM_KEY, MAX_CUSTOM_VALUE = 64, 128, 512


def write_secret(op: ops.WriteSecret, targets: tuple[HeldSecret], act: Act) -> Outcome[Versioned]:
    (held,) = targets
    settings = held.ring.secrets.settings()
    _check(op.cas, held.secret, settings)
    return _written(held, settings, op.value, op.n_kept, act)


def patch_secret(op: ops.PatchSecret, targets: tuple[HeldSecret], act: Act) -> Outcome[Versioned]:
    (held,) = targets
    secret, version = _current(held)
    settings = held.ring.secrets.settings()
    _check(op.cas, secret, settings)
    if version.is_destroyed or version.is_deleted(act.now):
        return Outcome(answer=Versioned(secret, version), versions=(version.number,), why="deleted")
    value = Sensitive(merged(held.value(version).reveal(), op.patch.reveal()))
    return _written(held, settings, value, None, act)


def _check(cas: int | None, secret: Secret | None, settings: SecretSettings) -> None:
    if cas is None:
        if settings.cas_required or (secret is not None and secret.cas_required):
            raise InvalidArgument("check-and-set parameter required for this call", "cas")
    elif cas != (0 if secret is None else secret.current):
        raise Conflict("check-and-set parameter did not match the current version", "cas")


def _written(
    held: HeldSecret, settings: SecretSettings, value: Sensitive, n_kept: int | None, act: Act
) -> Outcome[Versioned]:
    if len(value) > MAX_VALUE:
        raise LimitExceeded(f"a secret has at most {MAX_VALUE} bytes", "value")
    secret, made, rests_on = _there(held, act.now)
    number = secret.current + 1
    version = SecretVersion(
        id=f"{secret.id}/{number}",
        secret_id=secret.id,
        number=number,
        created_at=act.now,
        deleted_at=_appointed(act.now, settings, secret),
    )
    oldest = oldest_after(secret, settings, n_kept)
    until = _erased_until(secret.kept_from, oldest)
    gone = tuple(one for n in range(secret.kept_from, until) if (one := held.ending(n)) is not None)
    secret = replace(secret, current=number, oldest=oldest, kept_from=until, updated_at=act.now)
    return Outcome(
        answer=Versioned(secret, version, value),
        put=(secret, version, *made),
        seen=(settings, *rests_on),
        delete=gone,
        destroy=_holding(gone),
        material={version.id: value},
        versions=(number,),
    )


def _erased_until(kept_from: int, oldest: int) -> int:
    """The first version whose row stays."""
    return min(oldest, kept_from + MAX_ERASED) if oldest - kept_from >= DROPPED else kept_from


def _appointed(now: datetime, settings: SecretSettings, secret: Secret) -> datetime | None:
    """When a version written now is deleted: after the shorter of the two times that are set."""
    if settings.delete_after < 0:
        return None
    after = min((one for one in (settings.delete_after, secret.delete_after) if one), default=0)
    return now + timedelta(seconds=after) if after else None


def _there(held: HeldSecret, now: datetime) -> tuple[Secret, tuple[Folder, ...], tuple[Entity, ...]]:
    """The secret, there already or about to be; new folders that lead to it; the folder that they rest on."""
    if held.secret is not None:
        return held.secret, (), ()
    path, ring = held.path, held.ring
    if not path or path[-1] == "/" or len(path) > MAX_PATH or path.count("/") >= MAX_DEPTH:
        raise InvalidArgument(f"a path has at most {MAX_PATH} characters in {MAX_DEPTH} segments", "path")
    new, rests_on = led_through(ring, above(path))
    secret = Secret(
        id=held.id,
        tenant=ring.tenant,
        keyring=ring.id,
        folder=ring.secrets.folder_id(above(path)),
        path=path,
        created_at=now,
        updated_at=now,
    )
    return secret, new, rests_on


def _holding(versions: Iterable[SecretVersion]) -> tuple[SecretVersion, ...]:
    return tuple(held_by(versions))


def _current(held: HeldSecret, number: int = 0) -> tuple[Secret, SecretVersion]:
    """The secret and its version `number`, or the current one. Raises NotFound."""
    secret = held.secret
    if secret is None:
        raise NotFound("no such secret", "secret")
    number = number if number > 0 else secret.current
    version = held.version(number) if number >= max(secret.oldest, 1) else None
    if version is None:
        raise NotFound("no such version of the secret", "version")
    return secret, version


def read_secret(op: ops.ReadSecret, targets: tuple[HeldSecret], act: Act) -> Outcome[Versioned]:
    (held,) = targets
    secret, version = _current(held, op.version)
    number = (version.number,)
    if version.is_destroyed or version.is_deleted(act.now):
        return Outcome(answer=Versioned(secret, version), versions=number, why="deleted")
    return Outcome(answer=Versioned(secret, version, held.value(version)), versions=number)


# --- deleted, had back, destroyed


def _told(
    held: HeldSecret, numbers: tuple[int, ...], look: Callable[[int], SecretVersion | None]
) -> list[SecretVersion]:
    """Of the versions that the caller names, those that there are."""
    if (secret := held.secret) is None:
        return []
    inside = sorted({number for number in numbers if max(secret.oldest, 1) <= number <= secret.current})
    return [one for number in inside if (one := look(number)) is not None]


def _changed(held: HeldSecret, changed: Iterable[SecretVersion], *, destroy: bool = False) -> Outcome[Nothing]:
    """The secret goes with its versions (entities, Rule 4)."""
    put = tuple(changed)
    if held.secret is None or not put:
        return Outcome(answer=Nothing())
    return Outcome(
        answer=Nothing(),
        put=(held.secret, *put),
        destroy=put if destroy else (),
        versions=tuple(one.number for one in put),
        why=lost(put),
    )


def delete_versions(op: ops.DeleteVersions, targets: tuple[HeldSecret], act: Act) -> Outcome[Nothing]:
    (held,) = targets
    numbers = op.versions
    if numbers is None:
        numbers = () if held.secret is None else (held.secret.current,)
    there = (one for one in _told(held, numbers, held.version) if not one.is_destroyed and not one.is_deleted(act.now))
    return _changed(held, (replace(one, deleted_at=act.now) for one in there))


def undelete_versions(op: ops.UndeleteVersions, targets: tuple[HeldSecret], _act: Act) -> Outcome[Nothing]:
    (held,) = targets
    there = (
        one for one in _told(held, op.versions, held.version) if not one.is_destroyed and one.deleted_at is not None
    )
    return _changed(held, (replace(one, deleted_at=None) for one in there))


def destroy_versions(op: ops.DestroyVersions, targets: tuple[HeldSecret], _act: Act) -> Outcome[Nothing]:
    (held,) = targets
    return _changed(held, _holding(_told(held, op.versions, held.ending)), destroy=True)


def delete_secret(_op: ops.DeleteSecret, targets: tuple[HeldSecret], _act: Act) -> Outcome[Nothing]:
    (held,) = targets
    if (secret := held.secret) is None:
        return Outcome(answer=Nothing())
    versions, folders = held.ring.secrets.ending(secret), emptied(held.ring, secret)
    return Outcome(
        answer=Nothing(),
        delete=(secret, *versions, *folders),
        childless=folders,
        destroy=_holding(versions),
        versions=tuple(one.number for one in versions),
        why=lost(versions),
    )


# --- metadata


def read_metadata(_op: ops.ReadSecretMetadata, targets: tuple[HeldSecret], _act: Act) -> Outcome[ops.SecretMetadata]:
    (held,) = targets
    if (secret := held.secret) is None:
        raise NotFound("no such secret", "secret")
    told = tuple(one for one in held.versions() if one.number >= secret.oldest)
    return Outcome(answer=ops.SecretMetadata(secret, told))


def put_metadata(op: ops.PutSecretMetadata, targets: tuple[HeldSecret], act: Act) -> Outcome[MetadataPut]:
    (held,) = targets
    if op.must_exist and held.secret is None:
        raise NotFound("no such secret", "secret")
    answer = MetadataPut(held.ring.secrets.settings().cas_required)
    if op.says_nothing:
        return Outcome(answer=answer)
    secret, made, rests_on = _there(held, act.now)
    custom = dict(secret.custom if op.custom is None else op.custom)
    for name, value in (op.custom_changes or {}).items():
        if value is None:
            custom.pop(name, None)
        else:
            custom[name] = value
    _check_custom(custom)
    secret = replace(
        secret,
        max_versions=secret.max_versions if op.max_versions is None else op.max_versions,
        cas_required=secret.cas_required if op.cas_required is None else op.cas_required,
        delete_after=secret.delete_after if op.delete_after is None else op.delete_after,
        custom=custom,
        updated_at=act.now,
    )
    return Outcome(answer=answer, put=(secret, *made), seen=rests_on)


def _check_custom(custom: Mapping[str, str]) -> None:
    if len(custom) > MAX_CUSTOM or any(
        not 0 < len(name.encode()) <= MAX_CUSTOM_KEY or not 0 < len(value.encode()) <= MAX_CUSTOM_VALUE
        for name, value in custom.items()
    ):
        raise InvalidArgument(
            f"custom metadata has at most {MAX_CUSTOM} names of up to {MAX_CUSTOM_KEY} bytes, "
            f"with values of up to {MAX_CUSTOM_VALUE}",
            "custom_metadata",
        )


HANDLERS: dict[type, Handler] = {
    ops.WriteSecret: write_secret,
    ops.ReadSecret: read_secret,
    ops.PatchSecret: patch_secret,
    ops.DeleteVersions: delete_versions,
    ops.UndeleteVersions: undelete_versions,
    ops.DestroyVersions: destroy_versions,
    ops.DeleteSecret: delete_secret,
    ops.ReadSecretMetadata: read_metadata,
    ops.PutSecretMetadata: put_metadata,
}
