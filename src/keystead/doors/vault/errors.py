"""The door's table of errors: a status, and Vault's words where it has some of its own.

OpenBao, sdk/logical/response_util.go: RespondErrorCommon. An operation that knows better says so (endpoint.Said).
"""

from __future__ import annotations

from keystead.core import errors as e
from keystead.core import operations as ops
from keystead.core.vouching.words import Unfit
from keystead.kit import ErrorTable, Fault
from keystead.wire.vault.envelope import PERMISSION_DENIED

OWN = ""
"""The words of the error itself."""
ABSENT = "-"
"""No words: {"errors":[]}."""

ERRORS: ErrorTable = {
    e.Malformed: Fault(OWN, 400),
    e.InvalidArgument: Fault(OWN, 400),
    e.Unauthenticated: Fault("permission denied", 403),
    e.Denied: Fault(PERMISSION_DENIED, 403),
    e.NotApproved: Fault(OWN, 403),
    e.NotFound: Fault(ABSENT, 404),
    e.AlreadyExists: Fault(OWN, 400),
    e.Conflict: Fault(OWN, 400),
    e.WrongState: Fault(OWN, 400),
    e.WrongUsage: Fault(OWN, 400),
    e.Unsupported: Fault(OWN, 501),
    e.DecryptionFailed: Fault("cipher: message authentication failed", 400),
    e.LimitExceeded: Fault(OWN, 413),
    e.RateLimited: Fault("request path quota exceeded", 429),
    e.Sealed: Fault("Vault is sealed", 503),
    e.Unavailable: Fault(OWN, 503),
    e.Internal: Fault("internal error", 500),
    e.DryRun: Fault(OWN, 400),
    (e.Unsupported, ops.NOT_HELD): Fault(OWN, 400),  # docs/adr/0034: an HSM's keys are not for everything
    (e.Unsupported, ops.NEVER_LEAVES): Fault(OWN, 400),
    **{(e.Unauthenticated, why): Fault(OWN, 403) for why in Unfit},
}
