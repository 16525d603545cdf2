"""How the aws dialect writes principals and resources.

IAM User Guide, "IAM identifiers"; KMS Developer Guide, "Key identifiers (KeyId)".
"""

from __future__ import annotations

import re

from msgspec import Struct

from keystead.core.caller import Caller
from keystead.core.entities import ManagedPolicy, Principal, PrincipalKind
from keystead.core.federation import SCHEME, issuer_name
from keystead.core.operations import PolicyRef

_FORMS: dict[PrincipalKind, str] = {
    PrincipalKind.ROOT: "arn:aws:iam::{tenant}:root",
    PrincipalKind.USER: "arn:aws:iam::{tenant}:user/{name}",
    PrincipalKind.ROLE: "arn:aws:iam::{tenant}:role/{name}",
    PrincipalKind.GROUP: "arn:aws:iam::{tenant}:group/{name}",
    PrincipalKind.SERVICE: "{name}",
    PrincipalKind.WEB_IDENTITY: "keystead:web-identity/{name}",
    PrincipalKind.SYSTEM: "keystead:system/{name}",
    PrincipalKind.TOKEN: "keystead:{tenant}:token/{name}",
}
AWS = "aws"
"""Whose the managed policies are that AWS gives to every account."""
_ACCOUNT = re.compile(r"[0-9]{12}")
_ARN = re.compile(r"arn:aws:iam::([0-9]{12}):(?:root|(user|role)/([\x21-\x29\x2b-\x3e\x40-\x7e]{1,576}))")  # no * ?
# IAM API Reference, "policyPathType", "policyNameType"
_POLICY = re.compile(r"arn:aws:iam::([0-9]{12}|aws):policy(/(?:[A-Za-z0-9.,+@=_-]+/)*)([A-Za-z0-9_+=,.@-]{1,128})")
_SESSION = re.compile(r"arn:aws:sts::([0-9]{12}):assumed-role/([A-Za-z0-9_+=,.@-]{1,64})/([A-Za-z0-9_+=,.@-]{2,64})")
_SERVICE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,126}[a-z0-9])?\.amazonaws\.com")


class PrincipalName(Struct, frozen=True):
    """A principal as a policy or a grant names it.

    What is kept of it is an id. A ROOT name stands for its account, and the id is the tenant's. A SERVICE has
    no tenant, and need not exist; every other one must.

    `session`: of a role, the session that alone is meant (policy.sessions); then no path is said.
    """

    text: str
    kind: PrincipalKind
    tenant: str = ""
    name: str = ""
    path: str | None = "/"
    session: str = ""


def principal_name(text: str) -> PrincipalName | None:
    """`text` read as an account id, an ARN (root, user, role, session of a role) or a service; None for no such."""
    if _ACCOUNT.fullmatch(text):
        return PrincipalName(text, PrincipalKind.ROOT, text)
    if found := _ARN.fullmatch(text):
        tenant, kind, full = found.groups()
        path, _, name = f"/{full or ''}".rpartition("/")
        return PrincipalName(text, PrincipalKind(kind or "root"), tenant, name, f"{path}/")
    if found := _SESSION.fullmatch(text):
        tenant, role, session = found.groups()
        return PrincipalName(text, PrincipalKind.ROLE, tenant, role, None, session)
    if _SERVICE.fullmatch(text):
        return PrincipalName(text, PrincipalKind.SERVICE, name=text)
    return None


def arn_of_name(name: PrincipalName) -> str:
    """Of whomever is named, however it is written."""
    if name.session:
        return session_arn(name.tenant, name.name, name.session)
    return principal_arn(name.tenant, name.kind, f"{(name.path or '/')[1:]}{name.name}")


def arn_of(principal: Principal) -> str:
    return principal_arn(principal.tenant, principal.principal_kind, principal.full_name)


def arn_of_caller(caller: Caller) -> str:
    """Of the principal; of its session where it is a role's (IAM User Guide, "AWS JSON policy elements: Principal")."""
    principal = caller.principal
    if caller.is_role and caller.session:
        return session_arn(principal.tenant, principal.name, caller.session)
    return arn_of(principal)


def session_arn(tenant: str, role: str, session: str) -> str:
    """IAM User Guide, "AWS JSON policy elements: Principal", role session principals: without the role's path."""
    return f"arn:aws:sts::{tenant}:assumed-role/{role}/{session}"


def principal_arn(tenant: str, kind: PrincipalKind, full_name: str) -> str:
    """The same of a principal that need not exist. `full_name`: as entities.Principal has it."""
    return _FORMS[kind].format(tenant=tenant, name=full_name)


def policy_arn(policy: PolicyRef | ManagedPolicy) -> str:
    return f"arn:aws:iam::{policy.tenant}:policy{policy.path}{policy.name}"


def policy_ref(arn: str) -> PolicyRef | None:
    """A managed policy by its ARN; None if it is none of one. Its tenant is "aws" for a policy of AWS's own."""
    if (found := _POLICY.fullmatch(arn)) is None:
        return None
    return PolicyRef(found[1], found[3], found[2])


_PROVIDER = re.compile(r"arn:aws:iam::([0-9]{12}):oidc-provider/(.+)")


def provider_arn(tenant: str, issuer: str) -> str:
    return f"arn:aws:iam::{tenant}:oidc-provider/{issuer}"


def provider_of(arn: str) -> tuple[str, str] | None:
    """(tenant, issuer's name) of the ARN of an OpenID Connect provider; None if it is none."""
    found = _PROVIDER.fullmatch(arn)
    return (found[1], found[2]) if found and issuer_name(SCHEME + found[2]) else None


def resource_arn(namespace: str, resource: str) -> str:
    """`resource` is "key/<id>" or "alias/<name>"; `namespace` is "aws:<tenant>:<region>"."""
    _, _, rest = namespace.partition(":")
    tenant, _, region = rest.partition(":")
    return f"arn:aws:kms:{region}:{tenant}:{resource}"


def secret_arn(tenant: str, keyring_id: str, path: str) -> str:
    """Of a secret; of a folder, where `path` is "" or ends in a slash. By the keyring: addresses come and go."""
    return f"arn:aws:keystead::{tenant}:secret/{keyring_id}/{path}"


def tenant_of(namespace: str) -> str:
    return namespace.split(":")[1] if ":" in namespace else ""
