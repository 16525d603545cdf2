"""Trust in web identities: IAM User Guide, "AWS JSON policy elements: Principal", "Available keys for OIDC"."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from tests.policies import HERE, NOW, PEOPLE, allow, caller, document

from keystead.core import operations as o
from keystead.core.actions import Action
from keystead.core.caller import Caller
from keystead.core.entities import PrincipalKind, TrustPolicy
from keystead.core.errors import Denied, InvalidArgument
from keystead.core.federation import WebIdentity
from keystead.core.operations import Demand, PrincipalRef
from keystead.core.policy import aws, check_trust_policy
from keystead.core.policy.arn import provider_arn
from keystead.core.rights import Rights
from keystead.service.authorize import Authorizer
from keystead.service.held import HeldPrincipal

ISSUER = "oidc.example.com/id/Abc"
PROVIDER = provider_arn(HERE, ISSUER)
OTHER = provider_arn(HERE, "other.example")
ASSUME, DO = "sts:AssumeRoleWithWebIdentity", Action.ASSUME_ROLE_WITH_WEB_IDENTITY
ROLE = PrincipalRef(HERE, PrincipalKind.ROLE, "app")
ROOT = f"arn:aws:iam::{HERE}:root"


def pod(**changes: Any) -> Caller:
    facts = {
        "provider": PROVIDER,
        "issuer": ISSUER,
        "audiences": ("sts.amazonaws.com", "two"),
        "name": "system:serviceaccount:pay:web",
        "methods": ("pwd", "mfa"),
    } | changes
    who = WebIdentity(
        id=f"{facts['provider']}:a:b",
        tenant=HERE,
        principal_kind=PrincipalKind.WEB_IDENTITY,
        name_digest="",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        **facts,
    )
    return Caller(
        principal=who,
        rights=Rights.alone(who),
        credential_id=PROVIDER,
        namespace=f"aws:{HERE}:",
        door="aws",
        wire_operation=ASSUME,
        request_id="r",
        source="192.0.2.7",
        now=NOW,
    )


def trust(*statements: dict[str, Any]) -> TrustPolicy:
    text = document(*statements)
    ids = {name.text: HERE for name in aws.principals_of(text)}
    policy = TrustPolicy(dialect="aws", text=text, principals=ids)
    check_trust_policy(policy)
    return policy


def federated(effect: str = "Allow", to: Any = PROVIDER, when: Any = None, action: str = ASSUME, **more: Any) -> Any:
    said = {"Effect": effect, "Principal": {"Federated": to}, "Action": action, "Condition": when} | more
    return {name: value for name, value in said.items() if value is not None}


def decide(policy: TrustPolicy, who: Caller, action: Action = DO) -> str:
    role = replace(PEOPLE["app"], trust=policy)
    kind = o.AssumeRoleWithWebIdentity if action is DO else o.AssumeRole
    op = kind(principal=ROLE, session_name="here")
    try:
        return Authorizer().require(who, Demand(action, ROLE), HeldPrincipal(role, None), op)
    except Denied:
        return "denied"


AUD, SUB = f"{ISSUER}:aud", f"{ISSUER}:sub"


@pytest.mark.parametrize(
    ("statements", "answer"),
    [
        ([federated()], "trust policy"),
        ([federated(to=[OTHER, PROVIDER])], "trust policy"),
        ([federated(to=OTHER)], "denied"),
        ([federated(to=PROVIDER.lower())], "denied"),  # an issuer's path is compared to the letter
        ([federated(action="sts:AssumeRole")], "denied"),
        ([federated(action="sts:*")], "trust policy"),
        ([federated(when={"StringEquals": {AUD: "sts.amazonaws.com"}})], "trust policy"),
        ([federated(when={"StringEquals": {AUD: "two"}})], "trust policy"),
        ([federated(when={"StringEquals": {AUD: "three"}})], "denied"),
        ([federated(when={"StringEquals": {AUD.upper(): "two"}})], "trust policy"),
        ([federated(when={"StringEquals": {"other.example:aud": "two"}})], "denied"),
        ([federated(when={"StringEquals": {SUB: "system:serviceaccount:pay:web"}})], "trust policy"),
        ([federated(when={"StringLike": {SUB: "system:serviceaccount:pay:*"}})], "trust policy"),
        ([federated(when={"StringLike": {SUB: "system:serviceaccount:*:api"}})], "denied"),
        ([federated(when={"StringEquals": {SUB: "SYSTEM:serviceaccount:pay:web"}})], "denied"),
        ([federated(when={"ForAnyValue:StringLike": {f"{ISSUER}:amr": "mfa"}})], "trust policy"),
        ([federated(when={"ForAllValues:StringEquals": {f"{ISSUER}:amr": ["pwd"]}})], "denied"),
        ([federated(when={"Null": {f"{ISSUER}:azp": "true"}})], "trust policy"),
        ([federated(when={"StringEquals": {f"{ISSUER}:email": "a@b"}})], "denied"),  # no such claim is read
        ([federated(when={"StringEquals": {"sts:RoleSessionName": "here"}})], "trust policy"),
        ([federated(when={"StringEquals": {"sts:RoleSessionName": "there"}})], "denied"),
        ([federated(when={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})], "trust policy"),
        ([federated(when={"StringEquals": {"aws:PrincipalAccount": HERE}})], "denied"),  # it is of no account
        # nobody else's trust is theirs
        ([allow("*", "sts:*", resource=None)], "denied"),
        ([allow(ROOT, "sts:*", resource=None)], "denied"),
        ([allow(None, "sts:*", resource=None, NotPrincipal={"AWS": ROOT})], "denied"),
        ([federated(Principal=None, NotPrincipal={"Federated": OTHER})], "denied"),
        # a deny reaches them in every way
        ([federated(), federated("Deny")], "denied"),
        ([federated(), federated("Deny", to=OTHER)], "trust policy"),
        ([federated(), federated("Deny", when={"StringNotEquals": {SUB: "another"}})], "denied"),
        ([federated(), federated("Deny", Principal="*")], "denied"),
        ([federated(), federated("Deny", Principal={"AWS": ROOT})], "denied"),
        ([federated(), federated("Deny", Principal=None, NotPrincipal={"Federated": PROVIDER})], "trust policy"),
        ([federated(), federated("Deny", Principal=None, NotPrincipal={"Federated": OTHER})], "denied"),
        ([federated(), federated("Deny", Principal=None, NotPrincipal={"AWS": ROOT})], "denied"),
    ],
)
def test_what_a_trust_policy_says_of_a_web_identity(statements, answer) -> None:
    assert decide(trust(*statements), pod()) == answer


def test_a_claim_of_one_issuer_is_no_claim_of_another() -> None:
    """Two providers in one policy: each is asked for its own tokens' claims."""
    policy = trust(federated(to=[PROVIDER, OTHER], when={"StringEquals": {SUB: "root"}}))
    assert decide(policy, pod(name="root")) == "trust policy"
    assert decide(policy, pod(name="root", provider=OTHER, issuer="other.example")) == "denied"


def test_whoever_comes_with_a_token_can_do_nothing_else() -> None:
    policy = trust(federated(action="sts:*"), allow(ROOT, "sts:*", resource=None))
    assert decide(policy, pod()) == "trust policy"
    assert decide(policy, pod(), Action.ASSUME_ROLE) == "denied"
    for op in (o.WhoAmI(tenant=o.TenantRef(HERE)), o.OpenSession(tenant=o.TenantRef(HERE))):
        with pytest.raises(Denied, match="Not authorized to perform sts:"):
            Authorizer().require(pod(), Demand(op.action, op.tenant), None, op)


def test_and_nobody_else_can_do_what_they_do() -> None:
    policy = trust(federated(), allow("*", "sts:*", resource=None))
    for name in ("alice", "root", "system", "app"):
        assert decide(policy, caller(name)) == "denied"
    assert decide(policy, caller("alice"), Action.ASSUME_ROLE) == "trust policy"


@pytest.mark.parametrize(
    "to",
    [
        "*",
        "accounts.google.com",
        "cognito-identity.amazonaws.com",
        f"arn:aws:iam::{HERE}:saml-provider/x",
        f"arn:aws:iam::{HERE}:oidc-provider/a/../b",
        f"arn:aws:iam::{HERE}:oidc-provider/*",
        f"arn:aws:iam::{HERE}:user/alice",
        ROOT,
        HERE,
        "",
        7,
    ],
)
def test_what_is_no_provider_is_not_trusted(to) -> None:
    with pytest.raises(InvalidArgument, match="invalid principals"):
        trust(federated(to=to))


def test_a_provider_is_a_principal_of_trust_policies_alone() -> None:
    text = document({"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": "kms:*", "Resource": "*"})
    assert aws.principals_of(text) == ()
    with pytest.raises(InvalidArgument, match="invalid principals"):
        aws.compile_key_policy(text, {})
    with pytest.raises(InvalidArgument, match="is invalid"):
        trust(allow(PROVIDER, ASSUME, resource=None))


def test_a_request_that_is_not_signed_is_for_no_region() -> None:
    assert decide(trust(federated(when={"Null": {"aws:RequestedRegion": "true"}})), pod()) == "trust policy"
