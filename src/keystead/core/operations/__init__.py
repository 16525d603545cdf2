"""What can be asked of Keystead: one typed operation per verb, each naming the action it needs.

Rule 1: the action belongs to the type, so no call site can authorize one thing and do another.
Rule 2: an operation names its targets by reference; the pipeline finds and authorizes them, and the
        handler gets just those.
Rule 3: the answer is the richest any door can use; a door drops what its protocol cannot carry.
"""

# ruff: noqa: F403 - the package is the sum of its modules, and a list of their names here would say each twice
from __future__ import annotations

from keystead.core.algorithms import MessageForm as MessageForm  # a word of operations, too
from keystead.core.operations.aclpolicies import *
from keystead.core.operations.approvals import *
from keystead.core.operations.base import *
from keystead.core.operations.belonging import *
from keystead.core.operations.boundaries import *
from keystead.core.operations.certificates import *
from keystead.core.operations.cipher import *
from keystead.core.operations.copies import *
from keystead.core.operations.each import *
from keystead.core.operations.federation import *
from keystead.core.operations.grants import *
from keystead.core.operations.groups import *
from keystead.core.operations.identities import *
from keystead.core.operations.identity_tags import *
from keystead.core.operations.imports import *
from keystead.core.operations.installation import *
from keystead.core.operations.keys import *
from keystead.core.operations.keystores import *
from keystead.core.operations.leases import *
from keystead.core.operations.limits import *
from keystead.core.operations.logins import *
from keystead.core.operations.managed import *
from keystead.core.operations.mfa import *
from keystead.core.operations.mounts import *
from keystead.core.operations.namespaces import *
from keystead.core.operations.oidc import *
from keystead.core.operations.oidcclients import *
from keystead.core.operations.oidclogins import *
from keystead.core.operations.otp import *
from keystead.core.operations.principals import *
from keystead.core.operations.related import *
from keystead.core.operations.revocations import *
from keystead.core.operations.schemes import *
from keystead.core.operations.sealing import *
from keystead.core.operations.secrets import *
from keystead.core.operations.sessions import *
from keystead.core.operations.settings import *
from keystead.core.operations.signature import *
from keystead.core.operations.terms import *
from keystead.core.operations.tokens import *
from keystead.core.operations.tools import *
from keystead.core.operations.vouched import *
