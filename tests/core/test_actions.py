"""The action table's aws column, held to AWS's own service model."""

import re
import sys

import botocore.session
import pytest

from keystead.core import operations
from keystead.core.actions import ABOUT_IDENTITIES, ACTIONS, USES, Action, Scope
from keystead.core.actions.takings import HARMLESS_VERBS, TAKES_AWAY, TAKES_FROM_KEY

SESSION = botocore.session.get_session()
KMS, STS = SESSION.get_service_model("kms"), SESSION.get_service_model("sts")
SPLIT = {"ReEncryptFrom", "ReEncryptTo"}  # one operation, two IAM actions


def _words(vendor: str) -> dict[str, Action]:
    return {
        row.aws.partition(":")[2]: row.action
        for row in ACTIONS.values()
        if row.aws is not None and row.aws.startswith(f"{vendor}:")
    }


def test_the_table_is_total_and_no_word_is_used_twice():
    assert set(ACTIONS) == set(Action)
    words = [row.aws for row in ACTIONS.values() if row.aws]
    assert len(words) == len({word.lower() for word in words})


def test_kms_words_are_operations_of_the_model():
    assert _words("kms").keys() - SPLIT <= set(KMS.operation_names)
    assert _words("kms").keys() >= SPLIT


def test_sts_words_are_operations_of_the_model():
    assert _words("sts").keys() - {"TagSession"} <= set(STS.operation_names)  # a right of AssumeRole with tags


def test_iam_words_are_operations_of_the_model_and_one_is_not_the_others():
    assert _words("iam").keys() <= set(SESSION.get_service_model("iam").operation_names)
    assert {action for action in ABOUT_IDENTITIES if action.value.startswith("key")} == set()
    assert set(_words("iam").values()) < ABOUT_IDENTITIES


def test_grantable_actions_are_the_models_grant_operations():
    grantable = {row.aws.partition(":")[2] for row in ACTIONS.values() if row.grantable and row.aws}
    assert grantable == set(KMS.shape_for("GrantOperation").enum)


def test_uses_are_what_the_model_tracks():
    tracked = set(KMS.shape_for("KeyLastUsageTrackingOperation").enum)
    assert {ACTIONS[action].aws.partition(":")[2] for action in USES} == (tracked - {"ReEncrypt"}) | SPLIT


def test_abroad_is_what_the_model_documents_as_cross_account_use():
    documented = {
        name
        for name in KMS.operation_names
        if re.search(r"Cross-account use</b>\s*:?\s*(?:</p>)?\s*Yes", KMS.operation_model(name).documentation)
    }
    assert len(documented) == 21
    documented = (documented - {"ReEncrypt"}) | SPLIT
    assert {
        row.aws.partition(":")[2] for row in ACTIONS.values() if row.abroad and row.scope is Scope.KEY
    } == documented


OF_PATHS = {
    kind.action
    for module in (
        *("mounts", "tokens", "aclpolicies", "tools", "logins", "oidclogins", "vouched", "revocations", "sealing"),
        *("settings", "leases", "belonging", "oidc", "oidcclients", "namespaces", "mfa"),
    )
    for kind in vars(sys.modules[f"keystead.core.operations.{module}"]).values()
    if hasattr(kind, "action") and kind.__module__.endswith(f".{module}")
}
"""Of a tenant's tree of paths and its tokens: Vault's, which has no word of its own for them."""


def test_own_words_name_the_action_itself():
    assert {w: a.value for w, a in _words("keystead").items()} == {
        a.value: a.value for a in _words("keystead").values()
    }
    words = set(_words("keystead").values())
    assert {action for action in words if action.value.startswith("key:")} == {
        Action.PUT_TERMS,
        Action.PUT_LIMITS,
        Action.LOOSEN_LIMITS,
        Action.READ_USAGE,
        Action.PUT_CERTIFICATES,
        Action.TRIM_KEY,
        Action.ERASE_KEY,
        Action.EXPORT_KEY,
        Action.ATTEST_KEY,
        Action.CERTIFY_DESTRUCTION,
    }
    assert words >= {Action.MANAGE_PRINCIPALS, Action.LIST_PRINCIPALS, Action.READ_SECRET} | OF_PATHS


def test_what_no_policy_can_name_only_the_system_may_do():
    assert all(row.system for row in ACTIONS.values() if row.aws is None)
    assert all(row.aws is None for row in ACTIONS.values() if row.scope is Scope.SYSTEM)


def test_the_system_manages_and_never_uses_a_key_nor_lets_others_use_it():
    uses = {row.action for row in ACTIONS.values() if row.grantable} - {Action.DESCRIBE_KEY}
    assert Action.CREATE_GRANT in uses
    assert not any(ACTIONS[action].system for action in uses)


USE = {
    *(Action.ENCRYPT, Action.DECRYPT, Action.RE_ENCRYPT_FROM, Action.RE_ENCRYPT_TO, Action.GENERATE_DATA_KEY),
    *(Action.GENERATE_DATA_KEY_BLIND, Action.GENERATE_DATA_KEY_PAIR, Action.GENERATE_DATA_KEY_PAIR_BLIND),
    *(Action.SIGN, Action.VERIFY, Action.GENERATE_MAC, Action.VERIFY_MAC, Action.DERIVE_SHARED_SECRET),
    *(Action.ENCAPSULATE, Action.DECAPSULATE, Action.GENERATE_RANDOM, Action.READ_PUBLIC_KEY),
    *(Action.EXPORT_KEY, Action.DIGEST),
}


def test_the_system_manages_keys_and_never_uses_one():
    assert not any(ACTIONS[action].system for action in USE)
    giving = {Action.CREATE_GRANT, Action.RETIRE_GRANT, Action.LIST_RETIRABLE_GRANTS, Action.WHO_AM_I}
    giving |= {
        Action.ASSUME_ROLE,
        Action.ASSUME_ROLE_WITH_WEB_IDENTITY,
        Action.TAG_SESSION,
        Action.OPEN_SESSION,
        Action.LOCATE_ACCESS_KEY,
    }  # sessions are for whoever came with a key
    operators = {Action.ISSUE_TOKEN, Action.REVOKE_TOKEN, Action.LIST_TOKENS, Action.REFRESH_REVOCATION_LIST}
    operators |= {one for one in Action if "namespace" in one} - {Action.LIST_REACHABLE_NAMESPACES}
    giving |= (OF_PATHS - operators) | {Action.USE_CUBBYHOLE}
    giving |= {Action.LIST_SECRETS, Action.READ_SECRET_SETTINGS, Action.PUT_SECRET_SETTINGS, Action.EMPTY_KEYRING}
    giving |= {action for action in Action if ACTIONS[action].scope is Scope.SECRET}
    giving |= {action for action in Action if "otp" in action.value} | {
        Action.READ_KEY_SETTINGS,
        Action.PUT_KEY_SETTINGS,
    }
    assert {action for action in Action if not ACTIONS[action].system} == USE | giving


def test_what_is_done_to_another_tenants_is_done_to_a_key_or_is_taking_on_a_role():
    assert {row.scope for row in ACTIONS.values() if row.abroad or row.grantable} == {Scope.KEY, Scope.PRINCIPAL}
    assert [a for a in Action if ACTIONS[a].abroad and ACTIONS[a].scope is Scope.PRINCIPAL] == [
        Action.ASSUME_ROLE,
        Action.TAG_SESSION,
    ]


@pytest.mark.parametrize(
    "op",
    [
        t
        for t in vars(operations).values()
        if isinstance(t, type) and issubclass(t, operations.Operation) and "action" in vars(t)
    ],
    ids=lambda t: t.__name__,
)
def test_an_operation_demands_an_action_of_its_targets_scope(op):
    bases = {
        operations.KeyringOperation: Scope.KEYRING,
        operations.KeyStoreOperation: Scope.KEY_STORE,
        operations.TenantOperation: Scope.TENANT,
        operations.PrincipalOperation: Scope.PRINCIPAL,
        operations.AccessKeyOperation: Scope.ACCESS_KEY,
        operations.ProviderOperation: Scope.OIDC_PROVIDER,
        operations.PolicyOperation: Scope.POLICY,
        operations.SecretOperation: Scope.SECRET,
        operations.CubbyOperation: Scope.TENANT,
        operations.SystemOperation: Scope.SYSTEM,
        operations.ScopeOperation: Scope.TENANT,  # or the installation, where no policy is asked
    }
    scope = next((s for base, s in bases.items() if issubclass(op, base)), Scope.KEY)
    assert ACTIONS[op.action].scope is scope


HARMLESS = """
add approve assume attach attest authorize back begin cancel certify check connect create decapsulate
decrypt derive describe digest draft draw enable encapsulate encrypt enrol export generate give import
introspect issue list locate log look loosen make note open prepare prove publish re read redeem refresh
renew replicate restore rewrap rotate seal sign take tell trace undelete unlock unwrap use validate verify who
wrap
"""


def test_every_verb_is_known_to_take_something_away_or_not_to() -> None:
    """A new one is looked at: what an older backup brings back is held to it (docs/adr/0047)."""
    assert set(HARMLESS.split()) == HARMLESS_VERBS
    assert TAKES_AWAY.isdisjoint(USES)
    shutting = {Action.DISABLE_KEY, Action.SCHEDULE_DESTRUCTION, Action.PUT_POLICY, Action.PUT_TERMS, Action.PUT_LIMITS}
    assert shutting < TAKES_FROM_KEY
    ended = {Action.REVOKE_GRANT, Action.DELETE_NAME, Action.REVOKE_TOKEN, Action.DESTROY_SECRET_ID, Action.DELETE_USER}
    assert ended < TAKES_AWAY
