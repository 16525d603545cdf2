"""What of answers of AWS's this door never says (SPEC.md). It offers every operation of KMS."""

from __future__ import annotations

# shape -> its members that no answer of ours ever has, each for want of what it tells of
NEVER_SAID: dict[str, frozenset[str]] = {
    "GrantListEntry": frozenset({"GranteeServicePrincipal", "RetiringServicePrincipal"}),
}

# the same of STS and IAM
NEVER_SAID_IN_XML: dict[str, frozenset[str]] = {
    "User": frozenset({"PasswordLastUsed"}),
    "Role": frozenset({"RoleLastUsed", "SourceRoleTemplate", "MaxSigninSessionDuration"}),
    "AssumeRoleResponse": frozenset({"SourceIdentity"}),
    "InstanceProfile": frozenset(
        {"Path", "InstanceProfileName", "InstanceProfileId", "Arn", "CreateDate", "Roles", "Tags"}
    ),
    "AssumeRoleWithWebIdentityResponse": frozenset({"SourceIdentity", "TrustedIdentityPropagationContext"}),
    "CreateOpenIDConnectProviderResponse": frozenset({"Tags"}),
    "GetOpenIDConnectProviderResponse": frozenset(
        {"Tags", "ContextProvider", "IdentityCenterInstanceArn", "IdentityStoreArn"}
    ),
    "OpenIDConnectProviderListEntry": frozenset({"IsTrustedIdentityPropagationEnabled"}),
}
