"""What Keystead keeps: typed, versioned entities, each sealed into one row of the store.

    tenant ─ keyring ─┬─ key ─┬─ key version
                      │       ├─ key policy
                      │       └─ grant
                      ├─ key store <─ key
                      └─ name (door namespace, name) ─> key
    tenant ─ namespace ─> tenant
    tenant ─ principal ── credential
    group ── membership ── user
    tenant ─ managed policy ── attachment ── user, role or group
    keyring ─ otp key
    erasure ─> key, if there still is one
    keyring ─ folder ─┬─ folder …
                      └─ secret ── secret version

    tenant ─ identity entity ─ alias; identity group ─ tie ── entity or group
    tenant ─ approval rules; approval request

Related keys (core.family) are keys of their own; `link` finds them by their family.

Rule 1: an id is opaque and never used twice; a name made anew gets a new id, and old grants do not follow it.
Rule 2: `parent` is the listing an entity belongs to, `link` a second index; both are ids, or digests of names.
Rule 3: `revision` grows with every change; a commit names the revisions it rests on.
Rule 4: what belongs to a key (version, policy, name, grant) never changes without the key's own revision changing
        too, so one number tells every cache that something about the key is new (what is noted of its use, no cache
        holds). So with what ties principals to
        others (membership, attachment): it never changes without both its ends.
Rule 5: whoever makes or destroys one of related keys, or changes which is the primary or what they share, puts
        the primary too: so whoever commits on its revision knows all of them.
"""

# ruff: noqa: F403 - the package is the sum of its modules, and a list of their names here would say each twice
from __future__ import annotations

from keystead.core.entities.approvals import *
from keystead.core.entities.base import *
from keystead.core.entities.belonging import *
from keystead.core.entities.custody import *
from keystead.core.entities.identities import *
from keystead.core.entities.keys import *
from keystead.core.entities.logins import *
from keystead.core.entities.mfa import *
from keystead.core.entities.namespaces import *
from keystead.core.entities.oidcclients import *
from keystead.core.entities.otp import *
from keystead.core.entities.paths import *
from keystead.core.entities.revocations import *
from keystead.core.entities.secrets import *
from keystead.core.entities.settings import *
from keystead.core.entities.slots import *
