"""The policies that every installation has, under the paths that Vault documents for them.

Vault documentation, "Policies", "Built-in policies"; "Response wrapping". `root` is no text: see acl.compile_acl.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from keystead.core.policy.vault.document import Capability

_R, _U = Capability.READ, Capability.UPDATE
_OWN = (Capability.CREATE, _R, _U, Capability.DELETE, Capability.LIST)

_DEFAULT: tuple[tuple[str, tuple[tuple[str, tuple[Capability, ...]], ...]], ...] = (
    (
        "A token may look at itself, renew itself and end itself.",
        (
            ("auth/token/lookup-self", (_R,)),
            ("auth/token/renew-self", (_U,)),
            ("auth/token/revoke-self", (_U,)),
        ),
    ),
    (
        "It may ask what it is allowed to do.",
        (("sys/capabilities-self", (_U,)), ("sys/internal/ui/resultant-acl", (_R,))),
    ),
    (
        "It may read the entity it belongs to.",
        (
            ("identity/entity/id/{{identity.entity.id}}", (_R,)),
            ("identity/entity/name/{{identity.entity.name}}", (_R,)),
        ),
    ),
    (
        "It may renew and look up a lease whose id it knows.",
        (("sys/renew", (_U,)), ("sys/leases/renew", (_U,)), ("sys/leases/lookup", (_U,))),
    ),
    ("Its cubbyhole is its own.", (("cubbyhole/*", _OWN),)),
    (
        "It may wrap values, and look into and open what was wrapped for it.",
        (("sys/wrapping/wrap", (_U,)), ("sys/wrapping/lookup", (_U,)), ("sys/wrapping/unwrap", (_U,))),
    ),
    ("Hashing needs no right.", (("sys/tools/hash", (_U,)), ("sys/tools/hash/*", (_U,)))),
    ("It may ask how a request under a control group stands.", (("sys/control-group/request", (_U,)),)),
    ("It may log in to clients of an OIDC provider.", (("identity/oidc/provider/+/authorize", (_R, _U)),)),
)


def _stanzas(paths: Iterable[tuple[str, tuple[Capability, ...]]]) -> str:
    return "\n".join(
        f'path "{path}" {{\n  capabilities = {msgspec.json.encode(words).decode()}\n}}' for path, words in paths
    )


def policy_of(path: str, *capabilities: Capability) -> str:
    """The text of a policy for one path and nothing else. `path`: letters, digits and what needs no escape."""
    return _stanzas(((path, capabilities),)) + "\n"


def policy_of_access(issuer: str) -> str:
    """Of an access token: it reads of its entity at the issuer of that name. OpenID Connect Core 1.0 §5.3."""
    return policy_of(f"identity/oidc/provider/{issuer}/userinfo", _R, _U)


def policy_of_client(issuer: str) -> str:
    """Of a client that has shown who it is: it asks for its tokens at the issuer of that name. The same, §3.1.3."""
    return policy_of(f"identity/oidc/provider/{issuer}/token", _U)


DEFAULT_POLICY = "\n\n".join(f"# {why}\n{_stanzas(paths)}" for why, paths in _DEFAULT) + "\n"
"""`default`: of every token that was not made without it. It may be rewritten, never deleted."""

RESPONSE_WRAPPING_POLICY = (
    _stanzas((("cubbyhole/response", (Capability.CREATE, _R)), ("sys/wrapping/unwrap", (_U,)))) + "\n"
)
"""`response-wrapping`: of the token that stands for a wrapped response, and of no other."""
