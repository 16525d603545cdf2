"""The first objects of an installation, as ordinary entities in one commit with its record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from keystead.core.actions import Action
from keystead.core.audit.record import PERFORMED, Record, Target, Who
from keystead.core.entities import (
    Binding,
    Credential,
    CredentialKind,
    Keyring,
    PolicyText,
    Principal,
    PrincipalKind,
    Tenant,
)
from keystead.core.errors import Conflict, Internal, InvalidArgument
from keystead.core.identifiers import new_id
from keystead.core.operations import AccessKey, MadeToken, RestoreBackup
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Barrier, Commit
from keystead.service.handlers.keyrings import ADDRESS, ROOT, TENANT
from keystead.service.handlers.principals import NAME, access_key
from keystead.service.handlers.tokenparts import root_token

SYSTEM_TENANT, SCHEDULER = "", "scheduler"
ADMINISTRATOR = PolicyText(
    "administrator",
    "aws",
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:*","iam:*","sts:*","keystead:*"],"Resource":"*"}]}',
)
OPERATION = "initialise"


class First(Struct, frozen=True, kw_only=True):
    """What an installation begins with. `access_key` is the administrator's, shown once; None: it was to have none."""

    tenant: Tenant
    keyrings: tuple[Keyring, ...]
    root: Principal
    administrator: Principal
    system: Principal  # who the scheduler and the operator at the control socket are
    access_key: AccessKey | None


def bootstrap(
    barrier: Barrier,
    *,
    tenant: str,
    regions: Sequence[str],
    administrator: str,
    uid: int | None,
    now: datetime,
    entropy: Entropy,
    with_access_key: bool = True,
) -> First:
    """Put the first objects into an open barrier; they are durable on return.

    `tenant`: twelve digits. Each of `regions` gets a keyring bound at "aws:<tenant>:<region>". `uid`: whoever is
    that user on this machine is the system principal at the control socket. `with_access_key`: for the administrator,
    who is to be shown it. Raises Conflict where there is a tenant already, InvalidArgument.
    """
    check_names(tenant, regions, administrator)
    if barrier.every(Tenant, limit=1):
        raise Conflict("the installation has its first tenant already")

    def principal(of: str, kind: PrincipalKind, name: str) -> Principal:
        digest = principal_digest(barrier, of, kind, name)
        return Principal(
            id=new_id(entropy), tenant=of, principal_kind=kind, name=name, name_digest=digest, created_at=now
        )

    system = principal(SYSTEM_TENANT, PrincipalKind.SYSTEM, SCHEDULER)
    owner = replace(principal(tenant, PrincipalKind.USER, administrator), policies=(ADMINISTRATOR,))
    first = First(
        tenant=Tenant(id=tenant, name=tenant, created_at=now),
        keyrings=tuple(Keyring(id=new_id(entropy), tenant=tenant, name=name, created_at=now) for name in regions),
        root=principal(tenant, PrincipalKind.ROOT, ROOT),
        administrator=owner,
        system=system,
        access_key=access_key(owner.id, now, entropy) if with_access_key else None,
    )
    bound = tuple(Binding(id=f"aws:{tenant}:{ring.name}", keyring=ring.id, created_at=now) for ring in first.keyrings)
    operator = () if uid is None else (_peer(uid, system, now),)
    barrier.commit(
        Commit(
            put=(
                first.tenant,
                *first.keyrings,
                *bound,
                first.root,
                owner,
                system,
                *((first.access_key.credential,) if first.access_key else ()),
                *operator,
            ),
            record=_record(system, now, OPERATION, Action.MANAGE_KEYRINGS),
        )
    )
    return first


def first_token(
    barrier: Barrier,
    tenant: str,
    now: datetime,
    entropy: Entropy,
    text: Sensitive | None = None,
    operation: str = OPERATION,
) -> MadeToken:
    """A token of Vault's clients that may do everything in the tenant, on record; durable on return.

    `text`: what it is to be; None: at random.
    """
    made = root_token(tenant, now, entropy, text)
    record = _record(system_principal(barrier), now, operation, Action.CREATE_TOKEN)
    barrier.commit(Commit(put=(made.token,), record=record))
    return made


def check_names(tenant: str, regions: Sequence[str], administrator: str) -> None:
    """Raises InvalidArgument."""
    if TENANT.fullmatch(tenant) is None:
        raise InvalidArgument("a tenant's id is twelve digits", "tenant")
    for name in regions:
        if ADDRESS.fullmatch(f"aws:{tenant}:{name}") is None or regions.count(name) > 1:
            raise InvalidArgument(f"{name!r} is no name of a region, or is given twice", "region")
    if NAME.fullmatch(administrator) is None:
        raise InvalidArgument("a principal's name is 1 to 64 letters, digits and _+=,.@-", "administrator")


def _peer(uid: int, principal: Principal, now: datetime) -> Credential:
    return Credential(id=f"uid:{uid}", principal_id=principal.id, credential_kind=CredentialKind.PEER, created_at=now)


def _record(system: Principal, now: datetime, operation: str, action: Action, made: str = "") -> bytes:
    return _record_of(system, now, operation, (Target(action=action.value),), made)


def _record_of(system: Principal, now: datetime, operation: str, targets: tuple[Target, ...], made: str = "") -> bytes:
    who = Who(id=system.id, kind=system.principal_kind.value)
    return Record(at=now, who=who, operation=operation, targets=targets, made=made, outcome=PERFORMED).encode()


def system_principal(barrier: Barrier) -> Principal:
    """Raises Internal."""
    digest = principal_digest(barrier, SYSTEM_TENANT, PrincipalKind.SYSTEM, SCHEDULER)
    if not (found := barrier.linked(Principal, digest, limit=1)):
        raise Internal("the installation has no system principal")
    return found[0]


def record_of_seal(barrier: Barrier, now: datetime, act: str, kind: str) -> bytes:
    """That there is a seal of that kind more or less, or another one. Who had it done is on record beside it."""
    return _record(system_principal(barrier), now, act, Action.MANAGE_SEAL, kind)


def record_of_slots(barrier: Barrier, now: datetime, operation: str, slot: str) -> bytes:
    """That the root is kept in one slot more, or less. Who asked for it is on record beside it."""
    return _record(system_principal(barrier), now, operation, Action.MANAGE_SLOTS, slot)


def record_recovery(barrier: Barrier, now: datetime) -> None:
    """Put on record that a backup has become the database: what came after it in the log is no more."""
    record = _record(system_principal(barrier), now, RestoreBackup.__name__, RestoreBackup.action)
    barrier.commit(Commit(record=record))


def record_of_restored(barrier: Barrier, now: datetime, back: Sequence[str], shut: Sequence[str]) -> bytes:
    """That rows of these ids have come back, or what a backup had of them has ended; and that keys are disabled."""
    done = [(RestoreBackup.action, id_) for id_ in back] + [(Action.DISABLE_KEY, id_) for id_ in shut]
    targets = tuple(Target(action=action.value, key=id_) for action, id_ in done)
    return _record_of(system_principal(barrier), now, RestoreBackup.__name__, targets)


def principal_digest(barrier: Barrier, tenant: str, kind: PrincipalKind, name: str) -> str:
    """As service.held.HeldTenant.name_digest makes it."""
    return barrier.name_id(f"principal:{tenant}", f"{kind.value}/{name}")
