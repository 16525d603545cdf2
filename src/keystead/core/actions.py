"""The action table: everything that can be authorized, and what each policy dialect calls it.

A dialect is a column; issue by issue columns grow (gcp, azure, vault), never branches. None: the dialect
has no word, so none of its policies can allow it. tests/core/test_actions.py holds `aws` to AWS's service model.
"""

from __future__ import annotations

from enum import Enum, StrEnum

from msgspec import Struct


class Action(StrEnum):
    # use of a key
    ENCRYPT = "key:encrypt"
    DECRYPT = "key:decrypt"
    RE_ENCRYPT_FROM = "key:re-encrypt-from"
    RE_ENCRYPT_TO = "key:re-encrypt-to"
    GENERATE_DATA_KEY = "key:generate-data-key"
    GENERATE_DATA_KEY_BLIND = "key:generate-data-key-blind"
    GENERATE_DATA_KEY_PAIR = "key:generate-data-key-pair"
    GENERATE_DATA_KEY_PAIR_BLIND = "key:generate-data-key-pair-blind"
    SIGN = "key:sign"
    VERIFY = "key:verify"
    READ_PUBLIC_KEY = "key:read-public-key"
    GENERATE_MAC = "key:generate-mac"
    VERIFY_MAC = "key:verify-mac"
    DERIVE_SHARED_SECRET = "key:derive-shared-secret"  # noqa: S105 - a name, not a secret
    ENCAPSULATE = "key:encapsulate"
    DECAPSULATE = "key:decapsulate"
    # a key's life
    CREATE_KEY = "keyring:create-key"
    LIST_KEYS = "keyring:list-keys"
    DESCRIBE_KEY = "key:describe"
    UPDATE_KEY = "key:update"
    ENABLE_KEY = "key:enable"
    DISABLE_KEY = "key:disable"
    SCHEDULE_DESTRUCTION = "key:schedule-destruction"
    CANCEL_DESTRUCTION = "key:cancel-destruction"
    DESTROY_KEY = "key:destroy"
    EXPORT_KEY = "key:export"
    PUT_TERMS = "key:put-terms"
    PUT_CERTIFICATES = "key:put-certificates"
    WRITE_OTP_KEY = "keyring:write-otp-key"
    READ_OTP_KEY = "keyring:read-otp-key"
    LIST_OTP_KEYS = "keyring:list-otp-keys"
    DELETE_OTP_KEY = "keyring:delete-otp-key"
    GENERATE_OTP = "keyring:generate-otp"
    CHECK_OTP = "keyring:check-otp"
    READ_KEY_SETTINGS = "keyring:read-key-settings"
    PUT_KEY_SETTINGS = "keyring:put-key-settings"
    TRIM_KEY = "key:trim"
    ERASE_KEY = "key:erase"
    READ_LAST_USE = "key:read-last-use"
    READ_POLICY = "key:read-policy"
    PUT_POLICY = "key:put-policy"
    LIST_POLICIES = "key:list-policies"
    CREATE_NAME = "key:create-name"
    UPDATE_NAME = "key:update-name"
    DELETE_NAME = "key:delete-name"
    LIST_NAMES = "keyring:list-names"
    TAG_KEY = "key:tag"
    UNTAG_KEY = "key:untag"
    LIST_TAGS = "key:list-tags"
    ENABLE_ROTATION = "key:enable-rotation"
    DISABLE_ROTATION = "key:disable-rotation"
    READ_ROTATION = "key:read-rotation"
    ROTATE_KEY = "key:rotate"
    LIST_ROTATIONS = "key:list-rotations"
    PREPARE_IMPORT = "key:prepare-import"
    IMPORT_MATERIAL = "key:import-material"
    DELETE_MATERIAL = "key:delete-material"
    REPLICATE_KEY = "key:replicate"
    CHANGE_PRIMARY = "key:change-primary"
    CREATE_GRANT = "key:create-grant"
    LIST_GRANTS = "key:list-grants"
    LIST_RETIRABLE_GRANTS = "tenant:list-retirable-grants"
    RETIRE_GRANT = "key:retire-grant"
    REVOKE_GRANT = "key:revoke-grant"
    # key stores outside
    CREATE_KEY_STORE = "keyring:create-key-store"
    LIST_KEY_STORES = "keyring:list-key-stores"
    CONNECT_KEY_STORE = "key-store:connect"
    DISCONNECT_KEY_STORE = "key-store:disconnect"
    UPDATE_KEY_STORE = "key-store:update"
    DELETE_KEY_STORE = "key-store:delete"
    # a tenant
    GENERATE_RANDOM = "keyring:generate-random"
    DIGEST = "keyring:digest"
    WHO_AM_I = "tenant:who-am-i"
    MANAGE_PRINCIPALS = "tenant:manage-principals"
    LIST_PRINCIPALS = "tenant:list-principals"
    # identities, one by one as AWS IAM has them
    CREATE_USER = "tenant:create-user"
    LIST_USERS = "tenant:list-users"
    READ_USER = "principal:read-user"
    DELETE_USER = "principal:delete-user"
    CREATE_ACCESS_KEY = "principal:create-access-key"
    LIST_ACCESS_KEYS = "principal:list-access-keys"
    UPDATE_ACCESS_KEY = "principal:update-access-key"
    DELETE_ACCESS_KEY = "principal:delete-access-key"
    PUT_USER_POLICY = "principal:put-user-policy"
    READ_USER_POLICY = "principal:read-user-policy"
    LIST_USER_POLICIES = "principal:list-user-policies"
    DELETE_USER_POLICY = "principal:delete-user-policy"
    CREATE_ROLE = "tenant:create-role"
    LIST_ROLES = "tenant:list-roles"
    READ_ROLE = "principal:read-role"
    DELETE_ROLE = "principal:delete-role"
    PUT_TRUST_POLICY = "principal:put-trust-policy"
    PUT_ROLE_POLICY = "principal:put-role-policy"
    READ_ROLE_POLICY = "principal:read-role-policy"
    LIST_ROLE_POLICIES = "principal:list-role-policies"
    DELETE_ROLE_POLICY = "principal:delete-role-policy"
    READ_ACCESS_KEY_LAST_USE = "access-key:read-last-use"
    CREATE_OIDC_PROVIDER = "tenant:create-oidc-provider"
    LIST_OIDC_PROVIDERS = "tenant:list-oidc-providers"
    READ_OIDC_PROVIDER = "oidc-provider:read"
    DELETE_OIDC_PROVIDER = "oidc-provider:delete"
    ADD_CLIENT_ID = "oidc-provider:add-client-id"
    REMOVE_CLIENT_ID = "oidc-provider:remove-client-id"
    PUT_THUMBPRINTS = "oidc-provider:put-thumbprints"
    CREATE_GROUP = "tenant:create-group"
    LIST_GROUPS = "tenant:list-groups"
    READ_GROUP = "principal:read-group"
    DELETE_GROUP = "principal:delete-group"
    ADD_TO_GROUP = "principal:add-to-group"
    REMOVE_FROM_GROUP = "principal:remove-from-group"
    LIST_GROUPS_OF_USER = "principal:list-groups-of-user"
    PUT_GROUP_POLICY = "principal:put-group-policy"
    READ_GROUP_POLICY = "principal:read-group-policy"
    LIST_GROUP_POLICIES = "principal:list-group-policies"
    DELETE_GROUP_POLICY = "principal:delete-group-policy"
    CREATE_MANAGED_POLICY = "tenant:create-policy"
    LIST_MANAGED_POLICIES = "tenant:list-policies"
    READ_MANAGED_POLICY = "policy:read"
    DELETE_MANAGED_POLICY = "policy:delete"
    CREATE_POLICY_VERSION = "policy:create-version"
    READ_POLICY_VERSION = "policy:read-version"
    LIST_POLICY_VERSIONS = "policy:list-versions"
    SET_DEFAULT_POLICY_VERSION = "policy:set-default-version"
    DELETE_POLICY_VERSION = "policy:delete-version"
    LIST_HOLDERS = "policy:list-holders"
    ATTACH_USER_POLICY = "principal:attach-user-policy"
    DETACH_USER_POLICY = "principal:detach-user-policy"
    LIST_ATTACHED_USER_POLICIES = "principal:list-attached-user-policies"
    ATTACH_ROLE_POLICY = "principal:attach-role-policy"
    DETACH_ROLE_POLICY = "principal:detach-role-policy"
    LIST_ATTACHED_ROLE_POLICIES = "principal:list-attached-role-policies"
    ATTACH_GROUP_POLICY = "principal:attach-group-policy"
    DETACH_GROUP_POLICY = "principal:detach-group-policy"
    LIST_ATTACHED_GROUP_POLICIES = "principal:list-attached-group-policies"
    PUT_USER_BOUNDARY = "principal:put-user-boundary"
    DELETE_USER_BOUNDARY = "principal:delete-user-boundary"
    PUT_ROLE_BOUNDARY = "principal:put-role-boundary"
    DELETE_ROLE_BOUNDARY = "principal:delete-role-boundary"
    TAG_USER = "principal:tag-user"
    UNTAG_USER = "principal:untag-user"
    LIST_USER_TAGS = "principal:list-user-tags"
    TAG_ROLE = "principal:tag-role"
    UNTAG_ROLE = "principal:untag-role"
    LIST_ROLE_TAGS = "principal:list-role-tags"
    TAG_POLICY = "policy:tag"
    UNTAG_POLICY = "policy:untag"
    LIST_POLICY_TAGS = "policy:list-tags"
    UPDATE_ROLE = "principal:update-role"
    UPDATE_GROUP = "principal:update-group"
    LIST_INSTANCE_PROFILES = "principal:list-instance-profiles"
    # sessions
    ASSUME_ROLE = "principal:assume"
    ASSUME_ROLE_WITH_WEB_IDENTITY = "principal:assume-with-web-identity"
    TAG_SESSION = "principal:tag-session"
    OPEN_SESSION = "tenant:open-session"
    LOCATE_ACCESS_KEY = "tenant:locate-access-key"
    # a tenant's tree of paths, and tokens
    ENABLE_MOUNT = "tenant:enable-mount"
    LIST_MOUNTS = "tenant:list-mounts"
    CREATE_TOKEN = "tenant:create-token"  # noqa: S105 - a name, not a secret
    LOOK_UP_SELF = "tenant:look-up-self"
    # whom tokens belong to
    WRITE_ENTITY = "tenant:write-entity"
    READ_ENTITY = "tenant:read-entity"
    LIST_ENTITIES = "tenant:list-entities"
    DELETE_ENTITIES = "tenant:delete-entities"
    MERGE_ENTITIES = "tenant:merge-entities"
    WRITE_ENTITY_ALIAS = "tenant:write-entity-alias"
    WRITE_GROUP_ALIAS = "tenant:write-group-alias"
    READ_ALIAS = "tenant:read-alias"
    LIST_ALIASES = "tenant:list-aliases"
    DELETE_ALIAS = "tenant:delete-alias"
    WRITE_IDENTITY_GROUP = "tenant:write-identity-group"
    READ_IDENTITY_GROUP = "tenant:read-identity-group"
    LIST_IDENTITY_GROUPS = "tenant:list-identity-groups"
    DELETE_IDENTITY_GROUP = "tenant:delete-identity-group"
    WRITE_OIDC_SETTINGS = "tenant:write-oidc-settings"
    READ_OIDC_SETTINGS = "tenant:read-oidc-settings"
    WRITE_OIDC_KEY = "tenant:write-oidc-key"
    READ_OIDC_KEY = "tenant:read-oidc-key"
    LIST_OIDC_KEYS = "tenant:list-oidc-keys"
    ROTATE_OIDC_KEY = "tenant:rotate-oidc-key"
    DELETE_OIDC_KEY = "tenant:delete-oidc-key"
    WRITE_OIDC_ROLE = "tenant:write-oidc-role"
    READ_OIDC_ROLE = "tenant:read-oidc-role"
    LIST_OIDC_ROLES = "tenant:list-oidc-roles"
    DELETE_OIDC_ROLE = "tenant:delete-oidc-role"
    DRAFT_ID_TOKEN = "tenant:draft-id-token"  # noqa: S105 - a name, not a secret
    INTROSPECT_ID_TOKEN = "tenant:introspect-id-token"  # noqa: S105 - a name, not a secret
    PUBLISH_OIDC = "tenant:publish-oidc"
    # secrets
    WRITE_SECRET = "secret:write"  # noqa: S105 - a name, not a secret
    READ_SECRET = "secret:read"  # noqa: S105 - a name, not a secret
    PATCH_SECRET = "secret:patch"  # noqa: S105 - a name, not a secret
    DELETE_SECRET = "secret:delete"  # noqa: S105 - a name, not a secret
    DELETE_SECRET_VERSIONS = "secret:delete-versions"  # noqa: S105 - a name, not a secret
    UNDELETE_SECRET_VERSIONS = "secret:undelete-versions"  # noqa: S105 - a name, not a secret
    DESTROY_SECRET_VERSIONS = "secret:destroy-versions"  # noqa: S105 - a name, not a secret
    READ_SECRET_METADATA = "secret:read-metadata"  # noqa: S105 - a name, not a secret
    PUT_SECRET_METADATA = "secret:put-metadata"  # noqa: S105 - a name, not a secret
    LIST_SECRETS = "keyring:list-secrets"
    READ_SECRET_SETTINGS = "keyring:read-secret-settings"  # noqa: S105 - a name, not a secret
    PUT_SECRET_SETTINGS = "keyring:put-secret-settings"  # noqa: S105 - a name, not a secret
    EMPTY_KEYRING = "keyring:empty"
    USE_CUBBYHOLE = "tenant:use-cubbyhole"
    READ_MOUNT = "tenant:read-mount"
    TUNE_MOUNT = "tenant:tune-mount"
    MOVE_MOUNT = "tenant:move-mount"
    DISABLE_MOUNT = "tenant:disable-mount"
    LIST_REACHABLE_MOUNTS = "tenant:list-reachable-mounts"
    WRITE_ACL_POLICY = "tenant:write-acl-policy"
    READ_ACL_POLICY = "tenant:read-acl-policy"
    LIST_ACL_POLICIES = "tenant:list-acl-policies"
    DELETE_ACL_POLICY = "tenant:delete-acl-policy"
    READ_CAPABILITIES = "tenant:read-capabilities"
    READ_OWN_ACL = "tenant:read-own-acl"
    ISSUE_TOKEN = "tenant:issue-token"  # noqa: S105 - a name, not a secret
    LOOK_UP_TOKEN = "tenant:look-up-token"  # noqa: S105 - a name, not a secret
    RENEW_TOKEN = "tenant:renew-token"  # noqa: S105 - a name, not a secret
    REVOKE_TOKEN = "tenant:revoke-token"  # noqa: S105 - a name, not a secret
    LIST_TOKENS = "tenant:list-tokens"
    USE_TOKEN = "tenant:use-token"  # noqa: S105 - a name, not a secret
    WRITE_TOKEN_ROLE = "tenant:write-token-role"  # noqa: S105 - a name, not a secret
    READ_TOKEN_ROLE = "tenant:read-token-role"  # noqa: S105 - a name, not a secret
    LIST_TOKEN_ROLES = "tenant:list-token-roles"  # noqa: S105 - a name, not a secret
    DELETE_TOKEN_ROLE = "tenant:delete-token-role"  # noqa: S105 - a name, not a secret
    WRAP = "tenant:wrap"
    UNWRAP = "tenant:unwrap"
    LOOK_UP_WRAPPED = "tenant:look-up-wrapped"
    REWRAP = "tenant:rewrap"
    WRITE_ACCOUNT = "tenant:write-account"
    READ_ACCOUNT = "tenant:read-account"
    LIST_ACCOUNTS = "tenant:list-accounts"
    DELETE_ACCOUNT = "tenant:delete-account"
    MAKE_SECRET_ID = "tenant:make-secret-id"  # noqa: S105 - a name, not a secret
    READ_SECRET_ID = "tenant:read-secret-id"  # noqa: S105 - a name, not a secret
    LIST_SECRET_IDS = "tenant:list-secret-ids"  # noqa: S105 - a name, not a secret
    DESTROY_SECRET_ID = "tenant:destroy-secret-id"  # noqa: S105 - a name, not a secret
    SWEEP_SECRET_IDS = "tenant:sweep-secret-ids"  # noqa: S105 - a name, not a secret
    LOG_IN_BY_PASSWORD = "tenant:log-in-by-password"  # noqa: S105 - a name, not a secret
    LOG_IN_BY_ROLE = "tenant:log-in-by-role"
    LOG_IN_VOUCHED = "tenant:log-in-vouched"
    WRITE_LOGIN_SETTINGS = "tenant:write-login-settings"
    READ_LOGIN_SETTINGS = "tenant:read-login-settings"
    CREATE_NAMESPACE = "tenant:create-namespace"
    READ_NAMESPACE = "tenant:read-namespace"
    LIST_NAMESPACES = "tenant:list-namespaces"
    LIST_REACHABLE_NAMESPACES = "tenant:list-reachable-namespaces"
    PATCH_NAMESPACE = "tenant:patch-namespace"
    END_NAMESPACE = "tenant:end-namespace"
    CLEAR_NAMESPACE = "tenant:clear-namespace"
    LOCK_NAMESPACE = "tenant:lock-namespace"
    UNLOCK_NAMESPACE = "tenant:unlock-namespace"
    USE_TOOLS = "tenant:use-tools"
    DRAW_RANDOM = "tenant:draw-random"
    LIST_LOCKED = "tenant:list-locked"
    UNLOCK_ACCOUNT = "tenant:unlock-account"
    READ_LEASE = "tenant:read-lease"
    LIST_LEASES = "tenant:list-leases"
    REVOKE_LEASE = "tenant:revoke-lease"
    REVOKE_LEASES = "tenant:revoke-leases"
    WRITE_SETTING = "tenant:write-setting"
    READ_SETTING = "tenant:read-setting"
    LIST_SETTINGS = "tenant:list-settings"
    DELETE_SETTING = "tenant:delete-setting"
    DIGEST_FOR_DEVICE = "tenant:digest-for-device"
    DRAW_PASSWORD = "tenant:draw-password"  # noqa: S105 - a name, not a secret
    SEAL_SERVER = "tenant:seal-server"
    READ_ROOT_KEY = "tenant:read-root-key"
    ROTATE_ROOT_KEY = "tenant:rotate-root-key"
    CHANGE_SHARES = "tenant:change-shares"
    GENERATE_ROOT_TOKEN = "tenant:generate-root-token"  # noqa: S105 - a name, not a secret
    # the installation
    READ_STATUS = "system:read-status"
    MANAGE_SEAL = "system:manage-seal"
    MANAGE_KEYRINGS = "system:manage-keyrings"
    BACK_UP = "system:back-up"
    RESTORE = "system:restore"
    PROVE = "system:prove"


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


A, _R = Action, ActionRow
ACTIONS: dict[Action, ActionRow] = {
    r.action: r
    for r in (
        _R(A.ENCRYPT, "kms:Encrypt", grantable=True, abroad=True, vault="update {mount}/encrypt/{name}"),
        _R(A.DECRYPT, "kms:Decrypt", grantable=True, abroad=True, vault="update {mount}/decrypt/{name}"),
        _R(A.RE_ENCRYPT_FROM, "kms:ReEncryptFrom", grantable=True, abroad=True, vault="update {mount}/decrypt/{name}"),
        _R(A.RE_ENCRYPT_TO, "kms:ReEncryptTo", grantable=True, abroad=True, vault="update {mount}/encrypt/{name}"),
        _R(
            A.GENERATE_DATA_KEY,
            "kms:GenerateDataKey",
            grantable=True,
            abroad=True,
            vault="update {mount}/datakey/plaintext/{name}",
        ),
        _R(
            A.GENERATE_DATA_KEY_BLIND,
            "kms:GenerateDataKeyWithoutPlaintext",
            grantable=True,
            abroad=True,
            vault="update {mount}/datakey/wrapped/{name}",
        ),
        _R(A.GENERATE_DATA_KEY_PAIR, "kms:GenerateDataKeyPair", grantable=True, abroad=True),
        _R(A.GENERATE_DATA_KEY_PAIR_BLIND, "kms:GenerateDataKeyPairWithoutPlaintext", grantable=True, abroad=True),
        _R(A.SIGN, "kms:Sign", grantable=True, abroad=True, vault="update {mount}/sign/{name}"),
        _R(A.VERIFY, "kms:Verify", grantable=True, abroad=True, vault="update {mount}/verify/{name}"),
        _R(A.READ_PUBLIC_KEY, "kms:GetPublicKey", grantable=True, abroad=True, vault="read {mount}/keys/{name}"),
        _R(A.GENERATE_MAC, "kms:GenerateMac", grantable=True, abroad=True, vault="update {mount}/hmac/{name}"),
        _R(A.VERIFY_MAC, "kms:VerifyMac", grantable=True, abroad=True, vault="update {mount}/verify/{name}"),
        _R(A.DERIVE_SHARED_SECRET, "kms:DeriveSharedSecret", grantable=True, abroad=True),
        _R(A.ENCAPSULATE, "kms:Encapsulate", grantable=True, abroad=True),
        _R(A.DECAPSULATE, "kms:Decapsulate", grantable=True, abroad=True),
        _R(A.CREATE_KEY, "kms:CreateKey", system=True),
        _R(A.LIST_KEYS, "kms:ListKeys", system=True),
        _R(
            A.DESCRIBE_KEY,
            "kms:DescribeKey",
            grantable=True,
            abroad=True,
            system=True,
            vault="read {mount}/keys/{name}",
        ),
        _R(A.UPDATE_KEY, "kms:UpdateKeyDescription", system=True),
        _R(A.ENABLE_KEY, "kms:EnableKey", system=True),
        _R(A.DISABLE_KEY, "kms:DisableKey", system=True),
        _R(A.SCHEDULE_DESTRUCTION, "kms:ScheduleKeyDeletion", system=True, vault="delete {mount}/keys/{name}"),
        _R(A.CANCEL_DESTRUCTION, "kms:CancelKeyDeletion", system=True),
        _R(A.DESTROY_KEY, None, system=True),
        _R(A.EXPORT_KEY, "keystead:key:export"),
        _R(A.PUT_TERMS, "keystead:key:put-terms", system=True, vault="update {mount}/keys/{name}/config"),
        _R(
            A.PUT_CERTIFICATES,
            "keystead:key:put-certificates",
            system=True,
            vault="update {mount}/keys/{name}/set-certificate",
        ),
        _R(A.WRITE_OTP_KEY, "keystead:keyring:write-otp-key"),
        _R(A.READ_OTP_KEY, "keystead:keyring:read-otp-key"),
        _R(A.LIST_OTP_KEYS, "keystead:keyring:list-otp-keys"),
        _R(A.DELETE_OTP_KEY, "keystead:keyring:delete-otp-key"),
        _R(A.GENERATE_OTP, "keystead:keyring:generate-otp"),
        _R(A.CHECK_OTP, "keystead:keyring:check-otp"),
        _R(A.READ_KEY_SETTINGS, "keystead:keyring:read-key-settings"),
        _R(A.PUT_KEY_SETTINGS, "keystead:keyring:put-key-settings"),
        _R(A.TRIM_KEY, "keystead:key:trim", system=True, vault="update {mount}/keys/{name}/trim"),
        _R(A.ERASE_KEY, "keystead:key:erase", system=True, vault="delete {mount}/keys/{name}"),
        _R(A.READ_LAST_USE, "kms:GetKeyLastUsage", system=True),
        _R(A.READ_POLICY, "kms:GetKeyPolicy", system=True),
        _R(A.PUT_POLICY, "kms:PutKeyPolicy", system=True),
        _R(A.LIST_POLICIES, "kms:ListKeyPolicies", system=True),
        _R(A.CREATE_NAME, "kms:CreateAlias", system=True),
        _R(A.UPDATE_NAME, "kms:UpdateAlias", system=True),
        _R(A.DELETE_NAME, "kms:DeleteAlias", system=True),
        _R(A.LIST_NAMES, "kms:ListAliases", system=True),
        _R(A.TAG_KEY, "kms:TagResource", system=True),
        _R(A.UNTAG_KEY, "kms:UntagResource", system=True),
        _R(A.LIST_TAGS, "kms:ListResourceTags", system=True),
        _R(A.ENABLE_ROTATION, "kms:EnableKeyRotation", system=True),
        _R(A.DISABLE_ROTATION, "kms:DisableKeyRotation", system=True),
        _R(A.READ_ROTATION, "kms:GetKeyRotationStatus", abroad=True, system=True),
        _R(A.ROTATE_KEY, "kms:RotateKeyOnDemand", system=True, vault="update {mount}/keys/{name}/rotate"),
        _R(A.LIST_ROTATIONS, "kms:ListKeyRotations", system=True),
        _R(A.PREPARE_IMPORT, "kms:GetParametersForImport", system=True),
        _R(A.IMPORT_MATERIAL, "kms:ImportKeyMaterial", system=True),
        _R(A.DELETE_MATERIAL, "kms:DeleteImportedKeyMaterial", system=True),
        _R(A.REPLICATE_KEY, "kms:ReplicateKey", system=True),
        _R(A.CHANGE_PRIMARY, "kms:UpdatePrimaryRegion", system=True),
        _R(A.CREATE_GRANT, "kms:CreateGrant", grantable=True, abroad=True),
        _R(A.LIST_GRANTS, "kms:ListGrants", abroad=True, system=True),
        _R(A.LIST_RETIRABLE_GRANTS, "kms:ListRetirableGrants"),
        _R(A.RETIRE_GRANT, "kms:RetireGrant", grantable=True, abroad=True),
        _R(A.REVOKE_GRANT, "kms:RevokeGrant", abroad=True, system=True),
        _R(A.CREATE_KEY_STORE, "kms:CreateCustomKeyStore", system=True),
        _R(A.LIST_KEY_STORES, "kms:DescribeCustomKeyStores", system=True),
        _R(A.CONNECT_KEY_STORE, "kms:ConnectCustomKeyStore", system=True),
        _R(A.DISCONNECT_KEY_STORE, "kms:DisconnectCustomKeyStore", system=True),
        _R(A.UPDATE_KEY_STORE, "kms:UpdateCustomKeyStore", system=True),
        _R(A.DELETE_KEY_STORE, "kms:DeleteCustomKeyStore", system=True),
        _R(A.GENERATE_RANDOM, "kms:GenerateRandom"),
        _R(A.DIGEST, "keystead:keyring:digest"),
        _R(A.WHO_AM_I, "sts:GetCallerIdentity", free=True),
        _R(A.MANAGE_PRINCIPALS, "keystead:tenant:manage-principals", system=True),
        _R(A.LIST_PRINCIPALS, "keystead:tenant:list-principals", system=True),
        _R(A.CREATE_USER, "iam:CreateUser", system=True),
        _R(A.LIST_USERS, "iam:ListUsers", system=True),
        _R(A.READ_USER, "iam:GetUser", system=True),
        _R(A.DELETE_USER, "iam:DeleteUser", system=True),
        _R(A.CREATE_ACCESS_KEY, "iam:CreateAccessKey", system=True),
        _R(A.LIST_ACCESS_KEYS, "iam:ListAccessKeys", system=True),
        _R(A.UPDATE_ACCESS_KEY, "iam:UpdateAccessKey", system=True),
        _R(A.DELETE_ACCESS_KEY, "iam:DeleteAccessKey", system=True),
        _R(A.PUT_USER_POLICY, "iam:PutUserPolicy", system=True),
        _R(A.READ_USER_POLICY, "iam:GetUserPolicy", system=True),
        _R(A.LIST_USER_POLICIES, "iam:ListUserPolicies", system=True),
        _R(A.DELETE_USER_POLICY, "iam:DeleteUserPolicy", system=True),
        _R(A.CREATE_ROLE, "iam:CreateRole", system=True),
        _R(A.LIST_ROLES, "iam:ListRoles", system=True),
        _R(A.READ_ROLE, "iam:GetRole", system=True),
        _R(A.DELETE_ROLE, "iam:DeleteRole", system=True),
        _R(A.PUT_TRUST_POLICY, "iam:UpdateAssumeRolePolicy", system=True),
        _R(A.PUT_ROLE_POLICY, "iam:PutRolePolicy", system=True),
        _R(A.READ_ROLE_POLICY, "iam:GetRolePolicy", system=True),
        _R(A.LIST_ROLE_POLICIES, "iam:ListRolePolicies", system=True),
        _R(A.DELETE_ROLE_POLICY, "iam:DeleteRolePolicy", system=True),
        _R(A.READ_ACCESS_KEY_LAST_USE, "iam:GetAccessKeyLastUsed", system=True),
        _R(A.CREATE_OIDC_PROVIDER, "iam:CreateOpenIDConnectProvider", system=True),
        _R(A.LIST_OIDC_PROVIDERS, "iam:ListOpenIDConnectProviders", system=True),
        _R(A.READ_OIDC_PROVIDER, "iam:GetOpenIDConnectProvider", system=True),
        _R(A.DELETE_OIDC_PROVIDER, "iam:DeleteOpenIDConnectProvider", system=True),
        _R(A.ADD_CLIENT_ID, "iam:AddClientIDToOpenIDConnectProvider", system=True),
        _R(A.REMOVE_CLIENT_ID, "iam:RemoveClientIDFromOpenIDConnectProvider", system=True),
        _R(A.PUT_THUMBPRINTS, "iam:UpdateOpenIDConnectProviderThumbprint", system=True),
        _R(A.CREATE_GROUP, "iam:CreateGroup", system=True),
        _R(A.LIST_GROUPS, "iam:ListGroups", system=True),
        _R(A.READ_GROUP, "iam:GetGroup", system=True),
        _R(A.DELETE_GROUP, "iam:DeleteGroup", system=True),
        _R(A.ADD_TO_GROUP, "iam:AddUserToGroup", system=True),
        _R(A.REMOVE_FROM_GROUP, "iam:RemoveUserFromGroup", system=True),
        _R(A.LIST_GROUPS_OF_USER, "iam:ListGroupsForUser", system=True),
        _R(A.PUT_GROUP_POLICY, "iam:PutGroupPolicy", system=True),
        _R(A.READ_GROUP_POLICY, "iam:GetGroupPolicy", system=True),
        _R(A.LIST_GROUP_POLICIES, "iam:ListGroupPolicies", system=True),
        _R(A.DELETE_GROUP_POLICY, "iam:DeleteGroupPolicy", system=True),
        _R(A.CREATE_MANAGED_POLICY, "iam:CreatePolicy", system=True),
        _R(A.LIST_MANAGED_POLICIES, "iam:ListPolicies", system=True),
        _R(A.READ_MANAGED_POLICY, "iam:GetPolicy", system=True),
        _R(A.DELETE_MANAGED_POLICY, "iam:DeletePolicy", system=True),
        _R(A.CREATE_POLICY_VERSION, "iam:CreatePolicyVersion", system=True),
        _R(A.READ_POLICY_VERSION, "iam:GetPolicyVersion", system=True),
        _R(A.LIST_POLICY_VERSIONS, "iam:ListPolicyVersions", system=True),
        _R(A.SET_DEFAULT_POLICY_VERSION, "iam:SetDefaultPolicyVersion", system=True),
        _R(A.DELETE_POLICY_VERSION, "iam:DeletePolicyVersion", system=True),
        _R(A.LIST_HOLDERS, "iam:ListEntitiesForPolicy", system=True),
        _R(A.ATTACH_USER_POLICY, "iam:AttachUserPolicy", system=True),
        _R(A.DETACH_USER_POLICY, "iam:DetachUserPolicy", system=True),
        _R(A.LIST_ATTACHED_USER_POLICIES, "iam:ListAttachedUserPolicies", system=True),
        _R(A.ATTACH_ROLE_POLICY, "iam:AttachRolePolicy", system=True),
        _R(A.DETACH_ROLE_POLICY, "iam:DetachRolePolicy", system=True),
        _R(A.LIST_ATTACHED_ROLE_POLICIES, "iam:ListAttachedRolePolicies", system=True),
        _R(A.ATTACH_GROUP_POLICY, "iam:AttachGroupPolicy", system=True),
        _R(A.DETACH_GROUP_POLICY, "iam:DetachGroupPolicy", system=True),
        _R(A.LIST_ATTACHED_GROUP_POLICIES, "iam:ListAttachedGroupPolicies", system=True),
        _R(A.PUT_USER_BOUNDARY, "iam:PutUserPermissionsBoundary", system=True),
        _R(A.DELETE_USER_BOUNDARY, "iam:DeleteUserPermissionsBoundary", system=True),
        _R(A.PUT_ROLE_BOUNDARY, "iam:PutRolePermissionsBoundary", system=True),
        _R(A.DELETE_ROLE_BOUNDARY, "iam:DeleteRolePermissionsBoundary", system=True),
        _R(A.TAG_USER, "iam:TagUser", system=True),
        _R(A.UNTAG_USER, "iam:UntagUser", system=True),
        _R(A.LIST_USER_TAGS, "iam:ListUserTags", system=True),
        _R(A.TAG_ROLE, "iam:TagRole", system=True),
        _R(A.UNTAG_ROLE, "iam:UntagRole", system=True),
        _R(A.LIST_ROLE_TAGS, "iam:ListRoleTags", system=True),
        _R(A.TAG_POLICY, "iam:TagPolicy", system=True),
        _R(A.UNTAG_POLICY, "iam:UntagPolicy", system=True),
        _R(A.LIST_POLICY_TAGS, "iam:ListPolicyTags", system=True),
        _R(A.UPDATE_ROLE, "iam:UpdateRole", system=True),
        _R(A.UPDATE_GROUP, "iam:UpdateGroup", system=True),
        _R(A.LIST_INSTANCE_PROFILES, "iam:ListInstanceProfilesForRole", system=True),
        _R(A.ASSUME_ROLE, "sts:AssumeRole", abroad=True),
        _R(A.ASSUME_ROLE_WITH_WEB_IDENTITY, "sts:AssumeRoleWithWebIdentity"),
        _R(A.TAG_SESSION, "sts:TagSession", abroad=True),
        _R(A.OPEN_SESSION, "sts:GetSessionToken", free=True),
        _R(A.LOCATE_ACCESS_KEY, "sts:GetAccessKeyInfo"),
        _R(A.ENABLE_MOUNT, "keystead:tenant:enable-mount"),
        _R(A.LIST_MOUNTS, "keystead:tenant:list-mounts"),
        _R(A.CREATE_TOKEN, "keystead:tenant:create-token"),
        _R(A.LOOK_UP_SELF, "keystead:tenant:look-up-self"),
        _R(A.WRITE_ENTITY, "keystead:tenant:write-entity"),
        _R(A.READ_ENTITY, "keystead:tenant:read-entity"),
        _R(A.LIST_ENTITIES, "keystead:tenant:list-entities"),
        _R(A.DELETE_ENTITIES, "keystead:tenant:delete-entities"),
        _R(A.MERGE_ENTITIES, "keystead:tenant:merge-entities"),
        _R(A.WRITE_ENTITY_ALIAS, "keystead:tenant:write-entity-alias"),
        _R(A.WRITE_GROUP_ALIAS, "keystead:tenant:write-group-alias"),
        _R(A.READ_ALIAS, "keystead:tenant:read-alias"),
        _R(A.LIST_ALIASES, "keystead:tenant:list-aliases"),
        _R(A.DELETE_ALIAS, "keystead:tenant:delete-alias"),
        _R(A.WRITE_IDENTITY_GROUP, "keystead:tenant:write-identity-group"),
        _R(A.READ_IDENTITY_GROUP, "keystead:tenant:read-identity-group"),
        _R(A.LIST_IDENTITY_GROUPS, "keystead:tenant:list-identity-groups"),
        _R(A.DELETE_IDENTITY_GROUP, "keystead:tenant:delete-identity-group"),
        _R(A.WRITE_OIDC_SETTINGS, "keystead:tenant:write-oidc-settings"),
        _R(A.READ_OIDC_SETTINGS, "keystead:tenant:read-oidc-settings"),
        _R(A.WRITE_OIDC_KEY, "keystead:tenant:write-oidc-key"),
        _R(A.READ_OIDC_KEY, "keystead:tenant:read-oidc-key"),
        _R(A.LIST_OIDC_KEYS, "keystead:tenant:list-oidc-keys"),
        _R(A.ROTATE_OIDC_KEY, "keystead:tenant:rotate-oidc-key"),
        _R(A.DELETE_OIDC_KEY, "keystead:tenant:delete-oidc-key"),
        _R(A.WRITE_OIDC_ROLE, "keystead:tenant:write-oidc-role"),
        _R(A.READ_OIDC_ROLE, "keystead:tenant:read-oidc-role"),
        _R(A.LIST_OIDC_ROLES, "keystead:tenant:list-oidc-roles"),
        _R(A.DELETE_OIDC_ROLE, "keystead:tenant:delete-oidc-role"),
        _R(A.DRAFT_ID_TOKEN, "keystead:tenant:draft-id-token"),
        _R(A.INTROSPECT_ID_TOKEN, "keystead:tenant:introspect-id-token"),
        _R(A.PUBLISH_OIDC, "keystead:tenant:publish-oidc", free=True),
        _R(A.WRITE_SECRET, "keystead:secret:write"),
        _R(A.READ_SECRET, "keystead:secret:read"),
        _R(A.PATCH_SECRET, "keystead:secret:patch"),
        _R(A.DELETE_SECRET, "keystead:secret:delete"),
        _R(A.DELETE_SECRET_VERSIONS, "keystead:secret:delete-versions"),
        _R(A.UNDELETE_SECRET_VERSIONS, "keystead:secret:undelete-versions"),
        _R(A.DESTROY_SECRET_VERSIONS, "keystead:secret:destroy-versions"),
        _R(A.READ_SECRET_METADATA, "keystead:secret:read-metadata"),
        _R(A.PUT_SECRET_METADATA, "keystead:secret:put-metadata"),
        _R(A.LIST_SECRETS, "keystead:keyring:list-secrets"),
        _R(A.READ_SECRET_SETTINGS, "keystead:keyring:read-secret-settings"),
        _R(A.PUT_SECRET_SETTINGS, "keystead:keyring:put-secret-settings"),
        _R(A.EMPTY_KEYRING, "keystead:keyring:empty"),
        _R(A.USE_CUBBYHOLE, "keystead:tenant:use-cubbyhole"),
        _R(A.READ_MOUNT, "keystead:tenant:read-mount"),
        _R(A.TUNE_MOUNT, "keystead:tenant:tune-mount"),
        _R(A.MOVE_MOUNT, "keystead:tenant:move-mount"),
        _R(A.DISABLE_MOUNT, "keystead:tenant:disable-mount"),
        _R(A.LIST_REACHABLE_MOUNTS, "keystead:tenant:list-reachable-mounts", free=True),
        _R(A.WRITE_ACL_POLICY, "keystead:tenant:write-acl-policy"),
        _R(A.READ_ACL_POLICY, "keystead:tenant:read-acl-policy"),
        _R(A.LIST_ACL_POLICIES, "keystead:tenant:list-acl-policies"),
        _R(A.DELETE_ACL_POLICY, "keystead:tenant:delete-acl-policy"),
        _R(A.READ_CAPABILITIES, "keystead:tenant:read-capabilities"),
        _R(A.READ_OWN_ACL, "keystead:tenant:read-own-acl"),
        _R(A.ISSUE_TOKEN, "keystead:tenant:issue-token", system=True),
        _R(A.LOOK_UP_TOKEN, "keystead:tenant:look-up-token"),
        _R(A.RENEW_TOKEN, "keystead:tenant:renew-token"),
        _R(A.REVOKE_TOKEN, "keystead:tenant:revoke-token", system=True),
        _R(A.LIST_TOKENS, "keystead:tenant:list-tokens", system=True),
        _R(A.USE_TOKEN, "keystead:tenant:use-token", free=True),
        _R(A.WRITE_TOKEN_ROLE, "keystead:tenant:write-token-role"),
        _R(A.READ_TOKEN_ROLE, "keystead:tenant:read-token-role"),
        _R(A.LIST_TOKEN_ROLES, "keystead:tenant:list-token-roles"),
        _R(A.DELETE_TOKEN_ROLE, "keystead:tenant:delete-token-role"),
        _R(A.WRAP, "keystead:tenant:wrap", free=True),
        _R(A.UNWRAP, "keystead:tenant:unwrap"),
        _R(A.LOOK_UP_WRAPPED, "keystead:tenant:look-up-wrapped", free=True),
        _R(A.REWRAP, "keystead:tenant:rewrap"),
        _R(A.WRITE_ACCOUNT, "keystead:tenant:write-account"),
        _R(A.READ_ACCOUNT, "keystead:tenant:read-account"),
        _R(A.LIST_ACCOUNTS, "keystead:tenant:list-accounts"),
        _R(A.DELETE_ACCOUNT, "keystead:tenant:delete-account"),
        _R(A.MAKE_SECRET_ID, "keystead:tenant:make-secret-id"),
        _R(A.READ_SECRET_ID, "keystead:tenant:read-secret-id"),
        _R(A.LIST_SECRET_IDS, "keystead:tenant:list-secret-ids"),
        _R(A.DESTROY_SECRET_ID, "keystead:tenant:destroy-secret-id"),
        _R(A.SWEEP_SECRET_IDS, "keystead:tenant:sweep-secret-ids"),
        _R(A.LOG_IN_BY_PASSWORD, "keystead:tenant:log-in-by-password", free=True),
        _R(A.LOG_IN_BY_ROLE, "keystead:tenant:log-in-by-role", free=True),
        _R(A.LOG_IN_VOUCHED, "keystead:tenant:log-in-vouched", free=True),
        _R(A.WRITE_LOGIN_SETTINGS, "keystead:tenant:write-login-settings"),
        _R(A.READ_LOGIN_SETTINGS, "keystead:tenant:read-login-settings"),
        _R(A.CREATE_NAMESPACE, "keystead:tenant:create-namespace", system=True),
        _R(A.READ_NAMESPACE, "keystead:tenant:read-namespace", system=True),
        _R(A.LIST_NAMESPACES, "keystead:tenant:list-namespaces", system=True),
        _R(A.LIST_REACHABLE_NAMESPACES, "keystead:tenant:list-reachable-namespaces", free=True),
        _R(A.PATCH_NAMESPACE, "keystead:tenant:patch-namespace", system=True),
        _R(A.END_NAMESPACE, "keystead:tenant:end-namespace", system=True),
        _R(A.CLEAR_NAMESPACE, "keystead:tenant:clear-namespace", system=True),
        _R(A.LOCK_NAMESPACE, "keystead:tenant:lock-namespace", system=True),
        _R(A.UNLOCK_NAMESPACE, "keystead:tenant:unlock-namespace", system=True),
        _R(A.USE_TOOLS, "keystead:tenant:use-tools"),
        _R(A.DRAW_RANDOM, "keystead:tenant:draw-random"),
        _R(A.LIST_LOCKED, "keystead:tenant:list-locked"),
        _R(A.UNLOCK_ACCOUNT, "keystead:tenant:unlock-account"),
        _R(A.READ_LEASE, "keystead:tenant:read-lease"),
        _R(A.LIST_LEASES, "keystead:tenant:list-leases"),
        _R(A.REVOKE_LEASE, "keystead:tenant:revoke-lease"),
        _R(A.REVOKE_LEASES, "keystead:tenant:revoke-leases"),
        _R(A.WRITE_SETTING, "keystead:tenant:write-setting"),
        _R(A.READ_SETTING, "keystead:tenant:read-setting"),
        _R(A.LIST_SETTINGS, "keystead:tenant:list-settings"),
        _R(A.DELETE_SETTING, "keystead:tenant:delete-setting"),
        _R(A.DIGEST_FOR_DEVICE, "keystead:tenant:digest-for-device"),
        _R(A.DRAW_PASSWORD, "keystead:tenant:draw-password"),
        _R(A.SEAL_SERVER, "keystead:tenant:seal-server"),
        _R(A.READ_ROOT_KEY, "keystead:tenant:read-root-key"),
        _R(A.ROTATE_ROOT_KEY, "keystead:tenant:rotate-root-key"),
        _R(A.CHANGE_SHARES, "keystead:tenant:change-shares"),
        _R(A.GENERATE_ROOT_TOKEN, "keystead:tenant:generate-root-token"),
        _R(A.READ_STATUS, None, system=True),
        _R(A.MANAGE_SEAL, None, system=True),
        _R(A.MANAGE_KEYRINGS, None, system=True),
        _R(A.BACK_UP, None, system=True),
        _R(A.RESTORE, None, system=True),
        _R(A.PROVE, None, system=True),
    )
}

ABOUT_IDENTITIES = frozenset(row.action for row in ACTIONS.values() if (row.aws or "").startswith("iam:")) | {
    A.MANAGE_PRINCIPALS,
    A.LIST_PRINCIPALS,
}
"""What a user's own session may not do: a right that lasts is given for a credential that lasts (docs/adr/0010)."""

USES = frozenset(row.action for row in ACTIONS.values() if row.grantable) - {
    A.READ_PUBLIC_KEY,
    A.DESCRIBE_KEY,
    A.CREATE_GRANT,
    A.RETIRE_GRANT,
}
"""The cryptographic operations: what counts as use of a key (KMS API Reference, "KeyLastUsageData")."""
