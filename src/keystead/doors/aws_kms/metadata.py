"""KeyMetadata, as DescribeKey and CreateKey answer it: what does not apply to a key is absent.

Spec: KMS API Reference 2014-11-01, "KeyMetadata".
"""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from keystead.core.algorithms import Purpose
from keystead.core.entities import Key, Origin
from keystead.core.errors import NotFound
from keystead.core.keystores import Connection
from keystead.core.operations import Described, KeyRef
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
    current_key_material_id: str | None = None
    custom_key_store_id: str | None = None
    xks_key_configuration: XksKeyConfiguration | None = None


def expiration_model(at: datetime | None) -> str:
    return "KEY_MATERIAL_DOES_NOT_EXPIRE" if at is None else "KEY_MATERIAL_EXPIRES"


def key_state(key: Key, call: Call, connection: Connection | None = None) -> str:
    """`connection`: of the key store that it is in. Raises NotFound for a destroyed key: AWS keeps nothing of it."""
    life = key.lifecycle.at(call.caller.now)
    if life.state is KeyState.DESTROYED:
        raise NotFound("the key is destroyed", KeyRef(f"aws:{key.tenant}:{region_of(call.namespace)}", id=key.id))
    if life.destroy_at is not None:
        return "PendingDeletion"
    if key.elsewhere is not None and connection is not Connection.CONNECTED:
        return "Unavailable"
    return STATES[KeyState.PRE_ACTIVE if waiting(key, call.caller.now) else life.state]


def metadata(described: Described, call: Call) -> KeyMetadata:
    """KeyMetadata as AWS has it: what does not apply to the key is absent."""
    key = described.key
    state = key_state(key, call, described.connection)
    lent = key.origin is Origin.EXTERNAL and not waiting(key, call.caller.now)
    return KeyMetadata(
        account=key.tenant,
        key_id=key.id,
        arn=key_arn(key, call.namespace),
        creation_date=date(key.created_at),
        enabled=state == "Enabled",
        description=key.description,
        key_usage=KEY_USAGES[key.purpose],
        key_state=state,
        deletion_date=date(key.lifecycle.destroy_at) if key.lifecycle.destroy_at is not None else None,
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
        current_key_material_id=material_id(key, key.current) if described.version is not None else None,
        custom_key_store_id=key.elsewhere.store if key.elsewhere else None,
        xks_key_configuration=XksKeyConfiguration(id=key.elsewhere.name) if key.elsewhere else None,
    )
