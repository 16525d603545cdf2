"""What of AWS KMS this door does not offer (SPEC.md): operations, and members of answers."""

from __future__ import annotations

# They answer UnsupportedOperationException.
UNSUPPORTED = frozenset(
    {
        # multi-Region keys
        "ReplicateKey",
        "UpdatePrimaryRegion",
    }
)

# shape -> its members that no answer of ours ever has, each for want of what it tells of
NEVER_SAID: dict[str, frozenset[str]] = {
    "KeyMetadata": frozenset(
        {
            "CloudHsmClusterId",
            "MultiRegionConfiguration",
            "PendingDeletionWindowInDays",
        }
    ),
    "CustomKeyStoresListEntry": frozenset({"CloudHsmClusterId", "TrustAnchorCertificate"}),
    "KeyLastUsageData": frozenset({"CloudTrailEventId"}),
    "GrantListEntry": frozenset({"GranteeServicePrincipal", "RetiringServicePrincipal"}),
}

# the same of STS and IAM
NEVER_SAID_IN_XML: dict[str, frozenset[str]] = {
    "User": frozenset({"PasswordLastUsed", "PermissionsBoundary", "Tags"}),
    "Role": frozenset(
        {"PermissionsBoundary", "Tags", "RoleLastUsed", "SourceRoleTemplate", "MaxSigninSessionDuration"}
    ),
    "AssumeRoleResponse": frozenset(
        {"PackedPolicySize", "SourceIdentity", "SessionTokenUtilization", "SessionTokenSize"}
    ),
    "GetSessionTokenResponse": frozenset({"SessionTokenUtilization", "SessionTokenSize"}),
}
