"""The plan of a ceremony: one TOML file, without secrets, of which the transcript has the digest.

title = "Root of production"
[[people]]
name = "Olga"
role = "operator"            # custodian, witness
key = "olga+1f2e3d4c+…"      # of whoever countersigns (`keystead ceremony witness-key`)

[init]                       # keystead ceremony init
threshold = 2                # of the custodians; there is a share for each of them
sheets = "/dev/shm/sheets"   # shares are printed; without it they are shown on the screen
tenant = "111122223333"
regions = ["eu-west-1"]
administrator = "admin"
slots = ["/mnt/a/slot", "/mnt/b/slot"]

[key]                        # keystead ceremony import-key
spec = "AES_256"
check = "kcv"                # or "cmac"
check_value = "A1B2C3"       # of the whole key, as whoever sends it has announced it
name = "alias/payments"
hsm = "safe"                 # the HSM that holds it for life; without it as keystead.toml says
description = ""
"""

from __future__ import annotations

import tomllib
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from keystead.app.installation import ADMINISTRATOR, REGIONS
from keystead.cli import files
from keystead.core.audit.note import VerifierKey
from keystead.core.audit.transcript import Person, Role
from keystead.core.errors import InvalidArgument, Malformed
from keystead.crypto.check import FORMS

MAX_PLAN = 65_536
LEAST = {Role.OPERATOR: 1, Role.CUSTODIAN: 2, Role.WITNESS: 1}
"""How many of each there have to be: nobody does anything alone."""
SIZES = {"AES_128": 16, "AES_256": 32}


class Init(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    threshold: Annotated[int, Meta(ge=2, le=32)]
    sheets: str = ""
    tenant: str | None = None
    regions: tuple[str, ...] = REGIONS
    administrator: str = ADMINISTRATOR
    slots: tuple[str, str] | None = None


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    spec: str
    check: str = "kcv"
    check_value: str
    name: str = ""
    description: str = ""
    hsm: str | None = None
    place: str | None = None
    tenant: str | None = None


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    people: Annotated[tuple[Person, ...], Meta(max_length=64)]
    init: Init | None = None
    key: NewKey | None = None

    def of(self, role: Role) -> tuple[Person, ...]:
        return tuple(one for one in self.people if one.role is role)

    @property
    def custodians(self) -> tuple[Person, ...]:
        return self.of(Role.CUSTODIAN)

    @property
    def onlookers(self) -> tuple[Person, ...]:
        """Who confirms what concerns everybody."""
        return (*self.of(Role.OPERATOR), *self.of(Role.WITNESS))


def read(path: Path) -> tuple[Plan, str]:
    """The plan, and the SHA-256 of its text, hex. Raises InvalidArgument."""
    try:
        text = files.read(path, "plan")
        if len(text) > MAX_PLAN:
            raise InvalidArgument(f"{path.name} is longer than any plan", "plan")
        plan = msgspec.convert(tomllib.loads(text.decode()), Plan)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise InvalidArgument(f"{path.name}: {error}", "plan") from None
    check(plan)
    return plan, sha256(text).hexdigest()


def check(plan: Plan) -> None:
    """Raises InvalidArgument."""
    names = [one.name for one in plan.people]
    if len({name.casefold() for name in names}) != len(names):
        raise InvalidArgument("two people of the plan have one name, or one person two roles", "people")
    if any(not name.strip() or name != name.strip() or not name.isprintable() for name in names):
        raise InvalidArgument("a name is one line of text", "people")
    for role, least in LEAST.items():
        if len(plan.of(role)) < least:
            raise InvalidArgument(f"the plan needs {least} {role.value}{'s' if least > 1 else ''} at least", "people")
    for person in plan.people:
        if person.key:
            _check_key(person)
    if plan.key is not None:
        _check_new(plan.key)


def _check_key(person: Person) -> None:
    try:
        VerifierKey.parse(person.key)
    except Malformed:
        raise InvalidArgument(f"the key of {person.name} is no verifier key", "people") from None


def _check_new(key: NewKey) -> None:
    if key.spec not in SIZES:
        raise InvalidArgument(f"components make {' or '.join(SIZES)} keys", "spec")
    if key.check not in FORMS:
        raise InvalidArgument(f"check values are {' or '.join(FORMS)}", "check")
    n_bytes = len(FORMS[key.check](bytes(16)))
    if len(key.check_value) != 2 * n_bytes or set(key.check_value.upper()) - set("0123456789ABCDEF"):
        raise InvalidArgument(f"a check value of form {key.check} is {2 * n_bytes} hexadecimal digits", "check_value")
