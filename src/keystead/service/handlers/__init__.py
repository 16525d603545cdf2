"""The acts: pure functions from an operation and its found, authorized targets to an Outcome."""

from __future__ import annotations

from keystead.service.handlers import (
    agreement,
    cipher,
    datakey,
    destruction,
    detached,
    grants,
    identities,
    imports,
    installation,
    keyrings,
    keys,
    keystores,
    mac,
    names,
    policies,
    principals,
    random,
    rotation,
    sessions,
    signature,
    tags,
)
from keystead.service.pipeline import Handler

HANDLERS: dict[type, Handler] = {
    **cipher.HANDLERS,
    **detached.HANDLERS,
    **datakey.HANDLERS,
    **signature.HANDLERS,
    **mac.HANDLERS,
    **agreement.HANDLERS,
    **random.HANDLERS,
    **keys.HANDLERS,
    **policies.HANDLERS,
    **names.HANDLERS,
    **tags.HANDLERS,
    **rotation.HANDLERS,
    **destruction.HANDLERS,
    **imports.HANDLERS,
    **grants.HANDLERS,
    **principals.HANDLERS,
    **identities.HANDLERS,
    **sessions.HANDLERS,
    **keyrings.HANDLERS,
    **keystores.HANDLERS,
    **installation.HANDLERS,
}
