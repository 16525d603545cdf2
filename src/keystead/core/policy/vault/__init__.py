"""The vault dialect: ACL policies of HashiCorp Vault and OpenBao, read, compiled, and asked.

    policy = read_policy(text)                                     once, when it is written; says what is wrong
    acl = compile_acl([NamedPolicy(name="app", policy=policy)], now=now, facts=facts)      once a token
    acl.decide("transit/encrypt/app", Capability.UPDATE, parameters=body)                  once a request

A decision is one look into a dict where the path stands in a policy as it is, and a few bisections where it does not.
Here the most specific path decides alone; that is why these policies have a form of their own beside core.policy.form,
where every statement counts. docs/adr/0018 says what was chosen where Vault and OpenBao leave it open.
"""

from __future__ import annotations

from keystead.core.policy.vault.acl import Acl, NamedPolicy, compile_acl
from keystead.core.policy.vault.builtin import (
    DEFAULT_POLICY,
    RESPONSE_WRAPPING_POLICY,
    policy_of_access,
    policy_of_client,
)
from keystead.core.policy.vault.document import Capability, Policy, Stanza, read_policy
from keystead.core.policy.vault.rules import Verdict
from keystead.core.policy.vault.templates import Facts, directives

__all__ = [
    "DEFAULT_POLICY",
    "RESPONSE_WRAPPING_POLICY",
    "Acl",
    "Capability",
    "Facts",
    "NamedPolicy",
    "Policy",
    "Stanza",
    "Verdict",
    "compile_acl",
    "directives",
    "policy_of_access",
    "policy_of_client",
    "read_policy",
]
