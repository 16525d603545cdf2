"""Who signs for the installation: its audit log, and what is told of keys (C2SP signed-note).

And what it keys records with that are not in the log yet.
"""

from __future__ import annotations

from keystead.core.keyed import KeyedHash
from keystead.crypto.notes import NoteSigner
from keystead.service.barrier import Barrier


def origin(barrier: Barrier) -> str:
    """The name of the audit log in its checkpoints (C2SP tlog-checkpoint): one per installation."""
    return f"keystead/{barrier.name_id('audit log', 'origin')[:16]}"


def signer(barrier: Barrier) -> NoteSigner:
    return NoteSigner(origin(barrier), barrier.subkey("audit-sign"))


def journal_key(barrier: Barrier) -> KeyedHash:
    """Of the frames of journals, and of the sequencer's state (core.audit.frame, service.progress)."""
    return barrier.keyed("audit-journal")
