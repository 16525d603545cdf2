"""sys/managed-keys/pkcs11: key pairs in an HSM that somebody else has named. Vault HTTP API, "/sys/managed-keys".

OpenBao has none of this. `library` is the name of an HSM in the operator's configuration, whose token and user stand
there; `pin` has to be that user's. Other types than pkcs11 are not offered.
"""

from __future__ import annotations

from typing import Any

from keystead.core import operations as ops
from keystead.core.entities import Topic
from keystead.core.errors import Conflict, NotFound
from keystead.core.managedkeys import ManagedKey
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.endpoint import Said, endpoint
from keystead.doors.vault.tokens import Nothing, here
from keystead.kit import Call
from keystead.service.handlers.settings import value_of
from keystead.wire.vault.kinds import Int, Lower
from keystead.wire.vault.reader import CAPTURED, Parameters
from keystead.wire.vault.request import Verb

KIND, AT = "pkcs11", "managed-keys/pkcs11"
REDACTED = "redacted"
FLAGS = ("allow_generate_key", "allow_replace_key", "allow_store_key", "any_mount", "force_rw_session")


class NameRequest(Parameters, frozen=True, kw_only=True):
    name: Lower = CAPTURED


class WriteRequest(NameRequest, frozen=True, kw_only=True):
    library: str = ""
    key_label: str = ""
    key_id: str = ""
    mechanism: str = ""
    pin: str = ""
    slot: str = ""
    token_label: str = ""
    curve: str = ""
    key_bits: Int = 0
    allow_generate_key: bool = False
    allow_replace_key: bool = False
    allow_store_key: bool = False
    any_mount: bool = False
    force_rw_session: bool = False

    def __repr__(self) -> str:
        return f"WriteRequest({self.name!r})"


def shown(name: str, key: ManagedKey) -> dict[str, Any]:
    return {
        "UUID": key.uuid,
        **{flag: getattr(key, flag) for flag in FLAGS},
        "curve": key.curve,
        "key_bits": key.key_bits,
        "key_id": key.id,
        "key_label": key.label,
        "library": key.hsm,
        "mechanism": key.mechanism,
        "name": name,
        "pin": REDACTED,
        "slot": key.slot,
        "token_label": key.token_label,
        "type": KIND,
    }


@endpoint("system", Verb.LIST, f"{AT}/?")
def list_managed_keys(_req: Nothing, call: Call) -> dict[str, Any]:
    found = call(ops.ListSettings(tenant=here(call), topic=Topic.MANAGED_KEY))
    if not found:
        raise Said(404, "")
    return {"keys": [one.name for one in found]}


@endpoint("system", Verb.READ, f"{AT}/{{name}}")
def read_managed_key(req: NameRequest, call: Call) -> dict[str, Any]:
    found = call(ops.ReadSetting(tenant=here(call), topic=Topic.MANAGED_KEY, name=req.name))
    return shown(req.name, value_of(found, ManagedKey))


@endpoint("system", Verb.WRITE, f"{AT}/{{name}}")
def write_managed_key(req: WriteRequest, call: Call) -> None:
    for name in ("library", "mechanism", "pin"):
        if not getattr(req, name):
            raise Said(400, f"{name} is required")
    given = {
        **{flag: getattr(req, flag) for flag in FLAGS},
        "hsm": req.library,
        "label": req.key_label,
        "id": req.key_id,
        "mechanism": _number(req.mechanism),
        "pin": Sensitive(req.pin.encode()),
        "slot": req.slot,
        "token_label": req.token_label,
        "curve": req.curve,
        "key_bits": req.key_bits,
    }
    call(ops.WriteSetting(tenant=here(call), topic=Topic.MANAGED_KEY, name=req.name, given=given))


def _number(text: str) -> int:
    """Hexadecimal behind 0x, or decimal. Raises Said."""
    try:
        return int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        raise Said(400, f"mechanism {text} is not a number") from None


@endpoint("system", Verb.DELETE, f"{AT}/{{name}}")
def delete_managed_key(req: NameRequest, call: Call) -> None:
    try:
        call(ops.DeleteSetting(tenant=here(call), topic=Topic.MANAGED_KEY, name=req.name))
    except Conflict as error:
        raise Said(400, str(error)) from error


@endpoint("system", Verb.WRITE, f"{AT}/{{name}}/test/sign")
def test_sign(req: NameRequest, call: Call) -> None:
    try:
        call(ops.TestManagedKey(tenant=here(call), name=req.name))
    except NotFound as error:
        if error.detail != "key_label":
            raise
        raise Said(400, str(error)) from error


OPERATIONS = (list_managed_keys, read_managed_key, write_managed_key, delete_managed_key, test_sign)
