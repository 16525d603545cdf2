"""The kinds of error, as HTTP statuses; the body says the kind by its own name."""

from __future__ import annotations

from keystead.core import errors as e
from keystead.kit import ErrorTable, Fault

ERRORS: ErrorTable = {
    kind: Fault(kind.__name__, status)
    for kind, status in (
        (e.Malformed, 400),
        (e.InvalidArgument, 400),
        (e.Unauthenticated, 401),
        (e.Denied, 403),
        (e.NotApproved, 403),
        (e.NotFound, 404),
        (e.AlreadyExists, 409),
        (e.Conflict, 409),
        (e.WrongState, 409),
        (e.WrongUsage, 400),
        (e.Unsupported, 501),
        (e.DecryptionFailed, 400),
        (e.LimitExceeded, 400),
        (e.RateLimited, 429),
        (e.Sealed, 503),
        (e.Unavailable, 503),
        (e.Internal, 500),
        (e.DryRun, 200),
    )
}
EVERY = frozenset(row.code for row in ERRORS.values())
