"""Keys that sign tokens of identity as they come to be: made, rotated, published for as long as they count, destroyed.

Each is a key of the keyring at the identity engine's address, rotated on schedule like any other. Its current version
is published before it signs, so that verifiers know it by then; the version before it signs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, Purpose
from keystead.core.entities import (
    Binding,
    Entity,
    Key,
    Keyring,
    KeyVersion,
    OidcKey,
    RotatedBy,
    Rotation,
    Terms,
)
from keystead.core.identifiers import new_id
from keystead.core.operations import DEFAULT_KEY, KeyringRef, identity_address
from keystead.core.sensitive import Sensitive
from keystead.core.states import Event, KeyState
from keystead.service.handlers.keys import create_key
from keystead.service.handlers.material import erased
from keystead.service.held import HeldKeyring, HeldTenant
from keystead.service.pipeline import Act

SPECS = {
    "RS256": "RSA_2048",
    "RS384": "RSA_2048",
    "RS512": "RSA_2048",
    "ES256": "EC_P256",
    "ES384": "EC_P384",
    "ES512": "EC_P521",
    "EdDSA": "ED25519",
}
"""Algorithm of RFC 7518 -> what is made for it."""
DAY = 24 * 3600  # seconds
MAX_PUBLISHED = 64  # versions of one key, the newest


def key_named(tenant: HeldTenant, name: str) -> OidcKey | None:
    """The default one too, as it is to be, where it has not been made yet."""
    found = tenant.oidc_key(name)
    return unmade(tenant, name, ("*",)) if found is None and name == DEFAULT_KEY else found


def unmade(tenant: HeldTenant, name: str, allowed_client_ids: tuple[str, ...] = ()) -> OidcKey:
    """As one is that nothing is said of, and before there is any material."""
    return OidcKey(
        id=tenant.oidc_key_id(name),
        tenant=tenant.id,
        name=name,
        algorithm="RS256",
        rotation_period=DAY,
        verification_ttl=DAY,
        allowed_client_ids=allowed_client_ids,
    )


def lasting(tenant: HeldTenant, record: OidcKey, now: datetime) -> Iterator[tuple[KeyVersion, datetime | None]]:
    """What waits, what signs, and what has signed; and when that is published no more. The newest first.

    A version has signed until the one after the next was made. However many there have been, few are looked at.
    """
    created: dict[int, datetime] = {}
    ttl, current = timedelta(seconds=record.verification_ttl), tenant.key(record.key_id).current
    for number in range(current, max(0, current - MAX_PUBLISHED), -1):
        version = tenant.key_version(record.key_id, number)
        created[number] = version.created_at
        retired = created.get(number + 2)
        ends = record.ends.get(str(number), None if retired is None else retired + ttl)
        if ends is None or ends > now:
            yield version, ends
        elif retired is not None and retired + ttl <= now:
            return  # those before it are older still


class Making:
    """What one commit makes, changes and destroys of keys."""

    def __init__(self, tenant: HeldTenant, act: Act) -> None:
        self._tenant, self._act = tenant, act
        self._at = identity_address(tenant.id)
        self.put: list[Entity] = []
        self.delete: list[Entity] = []
        self.seen: list[Entity] = []
        self.destroy: list[KeyVersion] = []
        self.material: dict[str, Sensitive] = {}

    def ring(self) -> HeldKeyring:
        """The keyring of these keys; it comes with the first of them."""
        found = self._tenant.keyring_bound(self._at)
        if found is None:
            ring = Keyring(
                id=new_id(self._act.entropy), tenant=self._tenant.id, name="identity", created_at=self._act.now
            )
            self.put += [ring, Binding(id=self._at, keyring=ring.id, created_at=self._act.now)]
            found = self._tenant.held_keyring(ring, self._at)
        return found

    def made(self, record: OidcKey) -> OidcKey:
        """With a key of its own, in two versions: one that signs, one that waits."""
        ring = self.ring()
        spec = KEY_SPECS[SPECS[record.algorithm]]
        wanted = ops.CreateKey(
            keyring=KeyringRef(self._at),
            spec=spec,
            purpose=Purpose.SIGNATURE,
            description=f"signs tokens of identity: {record.name}",
            terms=Terms(every_version=True),
            hsm="",  # verifiers trust it for a day, and a token is signed on every login (docs/adr/0034)
        )
        done = create_key(wanted, (ring,), self._act)
        key = done.answer.key
        self.put += [entity for entity in done.put if entity.id != key.id or not isinstance(entity, Key)]
        self.seen += done.seen if ring.keyring.revision else ()
        self.material |= done.material
        self._next(replace(key, rotation=_schedule(record.rotation_period, self._act.now)))
        return replace(record, key_id=key.id)

    def _next(self, key: Key) -> None:
        """Another version, which is the current one from now on."""
        made = self._act.provider.generate(key.spec)
        number = key.n_versions + 1
        version = KeyVersion(
            id=f"{key.id}/{number}",
            key_id=key.id,
            number=number,
            lifecycle=replace(key.lifecycle, since=self._act.now),
            created_at=self._act.now,
            rotated_by=RotatedBy.DEMAND,
            public_key=made.public_key,
            entropy=made.entropy,
        )
        self.put += [replace(key, n_versions=number, current=number), version]
        self.material[version.id] = made.material

    def rotated(self, record: OidcKey) -> None:
        key = self._tenant.key(record.key_id)
        self._next(replace(key, rotation=_schedule(record.rotation_period, self._act.now)))

    def rescheduled(self, record: OidcKey) -> None:
        """As soon as its period says now, and no later than it was to be."""
        key = self._tenant.key(record.key_id)
        soon = _schedule(record.rotation_period, self._act.now)
        before = key.rotation
        if before is not None:
            soon = replace(soon, next_at=min(soon.next_at, before.next_at))
        self.put.append(replace(key, rotation=soon))

    def destroyed(self, key_id: str) -> None:
        key, ring = self._tenant.key(key_id), self.ring()
        if key.lifecycle.state is KeyState.DESTROYED:
            return
        gone = [erased(version, self._act.now) for version in ring.to_erase(key)]
        life = replace(key.lifecycle.after(Event.DESTROY, self._act.now), destroy_at=None)
        self.put += [replace(key, lifecycle=life, rotation=None), *gone]
        self.delete += ring.grants(key)
        self.destroy += gone


def _schedule(period: int, now: datetime) -> Rotation:
    days, rest = divmod(period, DAY)
    return Rotation(
        period_days=days + bool(rest), next_at=now + timedelta(seconds=period), seconds=period if rest else 0
    )
