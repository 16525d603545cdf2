"""KeyMetadata, as DescribeKey and CreateKey answer it: what does not apply to a key is absent.

Spec: KMS API Reference 2014-11-01, "KeyMetadata".
"""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from keystead.core.algorithms import Purpose
from keystead.core.entities import Key, Origin
from keystead.core.errors import NotFound
from keystead.core.family import known_as
from keystead.core.keystores import Connection
from keystead.core.operations import Copy, Described, KeyRef
from keystead.core.states import KeyState
from keystead.doors.aws_kms.names import key_arn, material_id, region_of
from keystead.doors.aws_kms.pages import date
from keystead.doors.aws_kms.shapes import KEY_USAGES, ORIGINS, algorithms, old_key_spec
from keystead.kit import Call, Message
from keystead.service.handlers.standing import waiting

# KMS API Reference, KeyMetadata: KeyState. AWS has no word for a key that its owner has taken out of service for ever.
STATES = {
    KeyState.PRE_ACTIVE: "PendingImport",
    KeyState.ACTIVE: "Enabled",
    KeyState.SUSPENDED: "Disabled",
    KeyState.DEACTIVATED: "Disabled",
    KeyState.COMPROMISED: "Disabled",
}


class MultiRegionKey(Message, frozen=True, kw_only=True, rename="pascal"):
    arn: str
    region: str


class MultiRegionConfiguration(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    multi_region_key_type: str
    primary_key: MultiRegionKey | None = None
    replica_keys: list[MultiRegionKey]


class XksKeyConfiguration(Message, frozen=True, kw_only=True, rename="pascal"):
    id: str


class KeyMetadata(Message, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    account: str = field(name="AWSAccountId")
    key_id: str
    arn: str
    creation_date: float
    enabled: bool
    description: str
    key_usage: str
    key_state: str
    deletion_date: float | None = None
    pending_deletion_window_in_days: int | None = None
    origin: str
    expiration_model: str | None = None
    valid_to: float | None = None
    key_manager: str
    customer_master_key_spec: str | None = None
    key_spec: str
    encryption_algorithms: list[str] | None = None
    signing_algorithms: list[str] | None = None
    key_agreement_algorithms: list[str] | None = None
    encapsulation_algorithms: list[str] | None = None
    mac_algorithms: list[str] | None = None
    multi_region: bool
    multi_region_configuration: MultiRegionConfiguration | None = None
    current_key_material_id: str | None = None
    custom_key_store_id: str | None = None
    cloud_hsm_cluster_id: str | None = None
    xks_key_configuration: XksKeyConfiguration | None = None


def expiration_model(at: datetime | None) -> str:
    return "KEY_MATERIAL_DOES_NOT_EXPIRE" if at is None else "KEY_MATERIAL_EXPIRES"


def key_state(key: Key, call: Call, connection: Connection | None = None) -> str:
    """`connection`: of the key store that it is in. Raises NotFound for a destroyed key: AWS keeps nothing of it."""
    life = key.lifecycle.at(call.caller.now)
    if life.state is KeyState.DESTROYED:
        at = f"aws:{key.tenant}:{region_of(call.namespace)}"
        raise NotFound("the key is destroyed", KeyRef(at, id=known_as(key.id)))
    if life.destroy_in_days:
        return "PendingReplicaDeletion"
    if life.destroy_at is not None:
        return "PendingDeletion"
    if key.elsewhere is not None and connection is not Connection.CONNECTED:
        return "Unavailable"
    return STATES[KeyState.PRE_ACTIVE if waiting(key, call.caller.now) else life.state]


def key_type(key: Key) -> str:
    return "PRIMARY" if key.is_primary else "REPLICA"


def _related(described: Described, at: str) -> MultiRegionConfiguration | None:
    """The primary key and its replicas, by region; a copy that answers nowhere in this dialect is not told of.

    `at`: where the key itself was asked for. A copy at several addresses is told of at the first of them.
    """
    own = described.key.id
    found = [(copy.key, [at] if copy.key.id == own else _here(copy)) for copy in described.copies]
    placed = [(key, min(here)) for key, here in found if here]
    if not placed:
        return None
    entries = {key.id: MultiRegionKey(arn=key_arn(key, at), region=region_of(at)) for key, at in placed}
    return MultiRegionConfiguration(
        multi_region_key_type=key_type(described.key),
        primary_key=next((entries[key.id] for key, _ in placed if key.is_primary), None),
        replica_keys=sorted((entries[key.id] for key, _ in placed if not key.is_primary), key=lambda one: one.region),
    )


def _here(copy: Copy) -> list[str]:
    return [namespace for namespace in copy.namespaces if namespace.startswith("aws:")]


def metadata(described: Described, call: Call, namespace: str = "") -> KeyMetadata:
    """KeyMetadata as AWS has it: what does not apply to the key is absent.

    `namespace`: where the key is, if not where it was asked for.
    """
    key = described.key
    state = key_state(key, call, described.connection)
    lent = key.origin is Origin.EXTERNAL and not waiting(key, call.caller.now)
    return KeyMetadata(
        account=key.tenant,
        key_id=known_as(key.id),
        arn=key_arn(key, namespace or call.namespace),
        creation_date=date(key.created_at),
        enabled=state == "Enabled",
        description=key.description,
        key_usage=KEY_USAGES[key.purpose],
        key_state=state,
        deletion_date=date(key.lifecycle.destroy_at) if key.lifecycle.destroy_at is not None else None,
        pending_deletion_window_in_days=key.lifecycle.destroy_in_days or None,
        origin=ORIGINS[key.origin],
        expiration_model=expiration_model(key.lapses_at) if lent else None,
        valid_to=date(key.lapses_at) if lent and key.lapses_at is not None else None,
        key_manager="CUSTOMER",
        customer_master_key_spec=old_key_spec(key.spec),
        key_spec=key.spec.aws or "",
        encryption_algorithms=algorithms(key, Purpose.CIPHER),
        signing_algorithms=algorithms(key, Purpose.SIGNATURE),
        key_agreement_algorithms=algorithms(key, Purpose.AGREEMENT),
        encapsulation_algorithms=algorithms(key, Purpose.ENCAPSULATION),
        mac_algorithms=algorithms(key, Purpose.MAC),
        multi_region=key.multi_region,
        multi_region_configuration=_related(described, namespace or call.namespace),
        current_key_material_id=material_id(key, key.current) if described.version is not None else None,
        custom_key_store_id=key.elsewhere.store if key.elsewhere else None,
        cloud_hsm_cluster_id=described.cluster or None,
        xks_key_configuration=XksKeyConfiguration(id=key.elsewhere.name) if key.elsewhere and not key.hsm else None,
    )
