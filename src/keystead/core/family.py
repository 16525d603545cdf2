"""Related keys: copies of one key in several keyrings, and how their ids are written (docs/adr/0014-related-keys.md).

    1234abcd-12ab-34cd-56ef-1234567890ab     a key that has no copies and never will
    mrk-1234abcd12ab34cd56ef1234567890ab     a family: what clients, policies and ciphertexts know every copy as
    mrk-1234abcd12ab34cd56ef1234567890ab@…   one copy: what the store, the audit log and the scheduler tell it by

Rule 1: a copy's id is never used twice; one made anew in the same keyring gets another, and old grants do not follow.
Rule 2: whoever shows an id to a client, or writes it into a policy's resource, passes it through `known_as`; whoever
        writes it into a ciphertext, through `in_header`. Nobody else looks into an id.
"""

from __future__ import annotations

MARK, AT = "mrk-", "@"
FAMILY_BYTES, COPY_BYTES = 16, 8


def new_family(random: bytes) -> str:
    """`random`: FAMILY_BYTES of it."""
    return MARK + random.hex()


def new_copy(family: str, random: bytes) -> str:
    """`random`: COPY_BYTES of it; the families' ids are unique already."""
    return f"{family}{AT}{random.hex()}"


def known_as(id: str) -> str:
    """What clients know a key as: the id of its family, or its own."""
    return id.partition(AT)[0]


def family_of(id: str) -> str:
    """The family a key belongs to; "" for a key of its own."""
    family, at, _ = id.partition(AT)
    return family if at else ""


def is_family(id: str) -> bool:
    return id.startswith(MARK) and AT not in id


def in_header(id: str) -> str:
    """The sixteen bytes that a ciphertext names a key by, as UUID text (core.envelope)."""
    if not id.startswith(MARK):
        return id
    text = known_as(id).removeprefix(MARK)
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def of_header(text: str) -> str:
    """The family that a ciphertext means, if it means one."""
    return MARK + text.replace("-", "")
