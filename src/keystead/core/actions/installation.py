"""Of the installation as a whole: no policy is asked."""

from __future__ import annotations

from keystead.core.actions.names import Action
from keystead.core.actions.row import ActionRow

A, _R = Action, ActionRow
OF_THE_INSTALLATION = (
    _R(A.READ_STATUS, None, system=True),
    _R(A.MANAGE_SEAL, None, system=True),
    _R(A.MANAGE_SLOTS, None, system=True),
    _R(A.MANAGE_KEYRINGS, None, system=True),
    _R(A.BACK_UP, None, system=True),
    _R(A.RESTORE, None, system=True),
    _R(A.PROVE, None, system=True),
    _R(A.ERASE_OBJECT, None, system=True),
    _R(A.NOTE_CEREMONY, None, system=True),
    _R(A.TRACE_KEYS, None, system=True),
    _R(A.GIVE_UP_OBJECTS, None, system=True),
    _R(A.TAKE_UP_OBJECTS, None, system=True),
)
