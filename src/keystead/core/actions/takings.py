"""Which actions may take away what was allowed: by the verb of each, so that a new action has its place at once.

What comes back as it was in an older backup is held to what was done to it since by one of these (service.since). What
an act has narrowed its record does not tell, so an act that may narrow counts as one that has.
"""

from __future__ import annotations

from keystead.core.actions.names import Action

_TAKES = frozenset(
    {
        "change",
        "clear",
        "delete",
        "destroy",
        "detach",
        "disable",
        "disconnect",
        "empty",
        "end",
        "erase",
        "lock",
        "manage",
        "merge",
        "move",
        "patch",
        "put",
        "remove",
        "retire",
        "revoke",
        "schedule",
        "set",
        "sweep",
        "tag",
        "trim",
        "tune",
        "untag",
        "update",
        "write",
    }
)
_HARMLESS = frozenset(
    {
        Action.UPDATE_KEY,  # its description
        Action.PUT_CERTIFICATES,
        Action.DISABLE_ROTATION,
        Action.CHANGE_PRIMARY,  # another copy has the lead: the rows of the copies tell
        Action.WRITE_SECRET,  # another version
        Action.PATCH_SECRET,
        Action.WRITE_OTP_KEY,  # what it replaces has left the key tree
        Action.TAG_SESSION,
        Action.ERASE_OBJECT,
        Action.END_APPROVAL,
    }
)
"""Of these verbs, and takes nothing away."""


def verb(action: Action) -> str:
    return action.partition(":")[2].partition("-")[0]


OF_NAMES = frozenset({Action.UPDATE_NAME, Action.DELETE_NAME})
OF_GRANTS = frozenset({Action.RETIRE_GRANT, Action.REVOKE_GRANT})
"""They take a name, or a grant, away from a key, and nothing from the rest of it."""
TAKES_AWAY = frozenset(action for action in Action if verb(action) in _TAKES) - _HARMLESS
TAKES_FROM_KEY = TAKES_AWAY - OF_NAMES - OF_GRANTS
HARMLESS_VERBS = frozenset({verb(action) for action in Action}) - _TAKES
"""The other verbs there are; tests/core/test_actions.py lists them, so that a new one is looked at."""
