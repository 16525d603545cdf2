"""A row of the action table: what each policy dialect calls an action, and who may do it whatever a policy says."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from keystead.core.actions.names import Action


class Scope(Enum):
    """What kind of thing an action is done to."""

    KEY = "key"
    KEYRING = "keyring"
    KEY_STORE = "key-store"
    TENANT = "tenant"
    PRINCIPAL = "principal"
    ACCESS_KEY = "access-key"
    OIDC_PROVIDER = "oidc-provider"
    POLICY = "policy"  # a managed one
    SECRET = "secret"  # noqa: S105 - a kind, not a secret
    SYSTEM = "system"


_SCOPES = {action: Scope(action.partition(":")[0]) for action in Action}


class ActionRow(Struct, frozen=True):
    action: Action
    aws: str | None  # Service Authorization Reference; "keystead:<action>" where AWS has no such action (docs/adr/0005)
    grantable: bool = False  # AWS KMS GrantOperation; the grant's word is the part after "kms:"
    abroad: bool = False  # API Reference, "Cross-account use": may be done to another tenant's key
    system: bool = False  # the system principal may do it, and no policy is asked: to manage, never to use a key
    free: bool = False  # whoever has a credential may do it, and no policy can take that away
    vault: str = ""  # "<capability> <path>" of Vault's HTTP API; {mount} and {name} are the key's address and name

    @property
    def scope(self) -> Scope:
        return _SCOPES[self.action]
