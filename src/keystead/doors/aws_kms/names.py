"""AWS's ways to write a key, read once.

KMS Developer Guide, "Key identifiers (KeyId)": a key ID, a key ARN, an alias name, an alias ARN.
Names are compared exactly: no case is folded, nothing is decoded, trimmed or normalized. A name in the core
is the alias with its prefix, "alias/app".
"""

from __future__ import annotations

import re
from hashlib import sha256
from uuid import UUID

from msgspec.structs import replace

from keystead.core.algorithms import Family
from keystead.core.entities import Key
from keystead.core.envelope import NAMED, peek
from keystead.core.errors import InvalidArgument, NotFound
from keystead.core.family import in_header, known_as
from keystead.core.operations import KeyRef

NO_ALIAS = "Key Aliases are not supported for this operation."
"""words, and detail of the InvalidArgument: InvalidArnException, as AWS Lambda quotes it."""
RESERVED = "alias/aws/"  # KMS API Reference, CreateAlias: for the aliases of keys that AWS manages

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32}")
ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]{1,250}")
_ARN = re.compile(r"arn:aws:kms:([a-z0-9-]{1,64}):([0-9]{12}):((?:key|alias)/.*)")

_MOST, _LONGEST = 8192, 400
_read: dict[tuple[str, str], KeyRef] = {}


def key_ref(text: str, namespace: str) -> KeyRef:
    """The key that `text` means to a caller at `namespace`. Raises NotFound, for a malformed one too, as AWS does."""
    found = _read.get((text, namespace))
    if found is None:
        found = _parse(text, namespace)
        if len(_read) >= _MOST:
            _read.clear()
        if len(text) <= _LONGEST:
            _read[text, namespace] = found
    return found


def key_by_id(text: str, namespace: str) -> KeyRef:
    """A key told by its id or ARN, as management asks for it. Raises NotFound, InvalidArgument (NO_ALIAS)."""
    ref = key_ref(text, namespace)
    if ref.name:
        raise InvalidArgument(NO_ALIAS, NO_ALIAS)
    return ref


def _parse(text: str, namespace: str) -> KeyRef:
    if text.startswith("arn:"):
        if (arn := _ARN.fullmatch(text)) is None:
            raise NotFound(f"Invalid arn {text}", "KeyId")
        region, account, resource = arn.groups()
        if region != region_of(namespace):
            raise NotFound(f"Invalid arn {region}", "KeyId")
        namespace = f"aws:{account}:{region}"
        kind, _, name = resource.partition("/")
        text = name if kind == "key" else resource
        if kind == "key" and not _ID.fullmatch(text):
            raise NotFound(f"Invalid keyId {name}", "KeyId")
    if text.startswith("alias/"):
        if not ALIAS.fullmatch(text):
            raise NotFound(f"Alias {arn_at(namespace, text)} is not found.", "KeyId")
        return KeyRef(namespace, name=text)
    if not _ID.fullmatch(text):
        raise NotFound(f"Invalid keyId '{text}'", "KeyId")
    return KeyRef(namespace, id=text)


_sources: dict[tuple[str, str], tuple[bytes, KeyRef, KeyRef]] = {}
"""As a caller has written the key of a ciphertext: what a ciphertext that names the same has at NAMED, and what the
key is with such a one and with any other."""


def source_ref(text: str, namespace: str, blob: bytes) -> KeyRef:
    """The key that `text` means as that of the symmetric ciphertext `blob`. Raises NotFound.

    KMS API Reference, Decrypt, "Cross-account use": a key ID may be another account's, if the ciphertext names it too.
    """
    found = _sources.get((text, namespace))
    if found is None:
        ref = key_ref(text, namespace)
        is_short = not ref.name and not text.startswith("arn:")
        named = bytes.fromhex(in_header(ref.id).replace("-", "")) if is_short else b""
        found = named, replace(ref, in_ciphertext=is_short), ref
        if len(_sources) >= _MOST:
            _sources.clear()
        if len(text) <= _LONGEST:
            _sources[text, namespace] = found
    named, same, other = found
    return same if blob[NAMED] == named else other


def ciphertext_ref(blob: bytes, namespace: str) -> KeyRef:
    """The key that a ciphertext of ours names. Raises DecryptionFailed."""
    return KeyRef(namespace, id=peek(blob)[0], by_ciphertext=True)


def region_of(namespace: str) -> str:
    return namespace[namespace.rindex(":") + 1 :]


def arn_at(namespace: str, resource: str) -> str:
    """`resource`: "key/…" or "alias/…"; `namespace`: "aws:111122223333:us-east-1"."""
    _, account, region = namespace.split(":")
    return f"arn:aws:kms:{region}:{account}:{resource}"


_arns: dict[tuple[str, str], str] = {}


def key_arn(key: Key, namespace: str) -> str:
    """The ARN of a key of any tenant, in the region of `namespace`."""
    found = _arns.get((key.id, namespace))
    if found is None:
        if len(_arns) >= _MOST:
            _arns.clear()
        found = f"arn:aws:kms:{region_of(namespace)}:{key.tenant}:key/{known_as(key.id)}"
        _arns[key.id, namespace] = found
    return found


def ref_arn(ref: KeyRef) -> str:
    return arn_at(ref.namespace, ref.name or f"key/{ref.id}")


_materials: dict[tuple[str, int], str] = {}


def material_id(key: Key, version: int) -> str | None:
    """KeyMaterialId of a symmetric key's version: 64 hexadecimal digits.

    Of imported material a keyed digest that the core keeps; else from the names, and not from the material.
    """
    if key.spec.family is not Family.AES:
        return None
    if key.material_ids:
        return key.material_ids[version - 1]
    found = _materials.get((key.id, version))
    if found is None:
        if key.elsewhere is not None:  # KMS API Reference, KeyMetadata: of origin AWS_KMS and EXTERNAL alone
            return None
        if len(_materials) >= _MOST:
            _materials.clear()
        found = _materials[key.id, version] = material_digest(known_as(key.id), version)
    return found


def material_digest(key_id: str, version: int) -> str:
    return sha256(f"keystead/material/{key_id}/{version}".encode()).hexdigest()


def event_id(leaf: bytes) -> str:
    """CloudTrail's, of the request whose record has that hash in the log: a name of our own making (RFC 9562 §5.8)."""
    number = int.from_bytes(leaf[:16], "big")
    return str(UUID(int=number & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62))
