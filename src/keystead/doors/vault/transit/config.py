"""keys/:name/config and trim: a key's terms."""

from __future__ import annotations

from typing import Any

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.operations import Breach
from keystead.doors.vault.endpoint import Answer, Said, endpoint
from keystead.doors.vault.transit.keys import PERIOD, shown
from keystead.doors.vault.transit.names import key_ref
from keystead.doors.vault.transit.words import Named, asked_first, said
from keystead.kit import Call
from keystead.wire.vault.kinds import Duration, Int
from keystead.wire.vault.request import Verb

WORDS: dict[object, str] = {
    Breach.PERIOD: PERIOD,
    Breach.NOT_MADE_HERE: "allow_rotation must be set to true if auto-rotation is enabled",
    Breach.PROCESS_NEGATIVE: "min decryption version cannot be negative",
    Breach.PROCESS_TOO_NEW: "cannot set min decryption version of {process}, latest key version is {latest}",
    Breach.PROCESS_GONE: "min decryption version should not be less then min available version",
    Breach.PROTECT_NEGATIVE: "min encryption version cannot be negative",
    Breach.PROTECT_TOO_NEW: "cannot set min encryption version of {protect}, latest key version is {latest}",
    Breach.PROTECT_GONE: "min encryption version should not be less than min available version",
    Breach.PROTECT_TOO_LOW: (
        "cannot set min encryption/decryption values; min encryption version of {protect} must be greater than or "
        "equal to min decryption version of {process}"
    ),
    Breach.KEPT_BACK: "minimum available version cannot be decremented",
    Breach.KEPT_NO_PROTECT: "minimum available version cannot be set when minimum encryption version is not set",
    Breach.KEPT_ABOVE_PROTECT: "minimum available version cannot be greater than minmum encryption version",
    Breach.KEPT_ABOVE_PROCESS: "minimum available version cannot be greater than minimum decryption version",
    Breach.KEPT_ZERO: "minimum available version should be positive",
}
FIRST = "since Vault 0.3, transit key numbering starts at 1; forcing minimum to 1"


class ConfigRequest(Named, frozen=True, kw_only=True):
    min_decryption_version: Int | None = None
    min_encryption_version: Int | None = None
    deletion_allowed: bool | None = None
    exportable: bool | None = None
    allow_plaintext_backup: bool | None = None
    auto_rotate_period: Duration | None = None


@endpoint("transit", Verb.WRITE, "keys/{name}/config")
@asked_first
def configure(req: ConfigRequest, call: Call) -> Answer:
    """What is not named stays as it is."""
    try:
        call(
            ops.PutTerms(
                key=key_ref(req.name, call),
                min_process=req.min_decryption_version,
                min_protect=req.min_encryption_version,
                erasable=req.deletion_allowed,
                exportable=req.exportable,
                copyable=req.allow_plaintext_backup,
                rotate_every=req.auto_rotate_period,
            )
        )
    except e.NotFound as error:
        raise said(400, f"no existing key named {req.name} could be found", error) from error
    except e.InvalidArgument as error:
        if error.detail not in WORDS:
            raise
        key = error.about.key
        terms, process, protect = key.terms, req.min_decryption_version, req.min_encryption_version
        text = WORDS[error.detail].format(
            process=terms.min_process if process is None else process or 1,
            protect=terms.min_protect if protect is None else protect,
            latest=key.current,
        )
        raise said(400, text, error) from error
    return Answer(data=shown(req.name, call), warnings=(FIRST,) if req.min_decryption_version == 0 else ())


class TrimRequest(Named, frozen=True, kw_only=True):
    min_available_version: Int | None = None


@endpoint("transit", Verb.WRITE, "keys/{name}/trim")
@asked_first
def trim(req: TrimRequest, call: Call) -> dict[str, Any]:
    """The versions below it are destroyed."""
    if req.min_available_version is None:
        raise Said(400, "missing min_available_version")
    try:
        call(ops.TrimKey(key=key_ref(req.name, call), min_kept=req.min_available_version))
    except e.NotFound as error:
        raise said(400, "invalid key name", error) from error
    except e.InvalidArgument as error:
        if error.detail not in WORDS:
            raise
        raise said(400, WORDS[error.detail], error) from error
    return shown(req.name, call)


OPERATIONS = (configure, trim)
