"""Single rows put back: nothing that lets somebody in comes to life, whatever kind of row it is."""

from __future__ import annotations

import pytest
from tests.doors.vault.factors import Site
from tests.service.restored import Past

from keystead.core import entities
from keystead.core.entities import Kind
from keystead.service.barrier import Commit
from keystead.service.restoring import RESTORED
from keystead.service.since import NOTHING

BACK = {
    Kind.TENANT,
    Kind.KEYRING,
    Kind.BINDING,
    Kind.KEY,
    Kind.KEY_VERSION,
    Kind.KEY_POLICY,
    Kind.NAME,
    Kind.KEY_STORE,
    Kind.SECRET_SETTINGS,
    Kind.OTP_KEY,
    Kind.SECRET_VERSION,
    Kind.SECRET,
    Kind.FOLDER,
}
"""Keys and secrets, and where they are. No kind else: a row of one that says who may would say what it said then."""


def test_no_kind_comes_back_that_lets_somebody_in() -> None:
    assert {one.kind for one in RESTORED} == BACK


class Revoked(Site):
    """Of everything that somebody is let in by: one, and a backup of then."""

    def __init__(self) -> None:
        super().__init__()
        root = self.root
        self.token = root.token(ttl="1h")
        root.data("POST", "sys/auth/approle", {"type": "approle"})
        root.data("POST", "auth/approle/role/r", {})
        self.role = root.data("GET", "auth/approle/role/r/role-id")["role_id"]
        self.secret = root.data("POST", "auth/approle/role/r/secret-id", {})["secret_id"]
        root.data("POST", "identity/oidc/key/k", {"allowed_client_ids": "*"})
        root.data("POST", "identity/oidc/client/app", {"redirect_uris": "https://a.test/cb", "key": "k"})
        root.policy("p", 'path "secret/*" { capabilities = ["read"] }')
        self.user("eve")
        self.past = Past(self.stack)


REVOKE = {
    Kind.TOKEN: lambda s: s.token.data("POST", "auth/token/revoke-self"),
    Kind.SECRET_ID: lambda s: s.root.data("POST", "auth/approle/role/r/secret-id/destroy", {"secret_id": s.secret}),
    Kind.MFA_SECRET: lambda s: s.root.data(
        "POST", "identity/mfa/method/totp/admin-destroy", {"method_id": s.method, "entity_id": s.entity}
    ),
    Kind.OIDC_CLIENT_SECRET: lambda s: s.root.data("DELETE", "identity/oidc/client/app"),
    Kind.OIDC_CLIENT: lambda s: s.root.data("DELETE", "identity/oidc/client/app"),
    Kind.ACCOUNT: lambda s: s.root.data("DELETE", "auth/userpass/users/eve"),
    Kind.ACL_POLICY: lambda s: s.root.data("DELETE", "sys/policies/acl/p"),
    Kind.IDENTITY_ENTITY: lambda s: s.root.data("DELETE", f"identity/entity/id/{s.entity}"),
    Kind.ALIAS: lambda s: s.root.data("DELETE", f"identity/entity/id/{s.entity}"),
    Kind.MOUNT: lambda s: s.root.data("DELETE", "sys/auth/approle"),
}


@pytest.mark.parametrize("kind", REVOKE, ids=str)
def test_what_was_revoked_since_stays_so(kind) -> None:
    """Also where whoever restores has it as it was."""
    site = Revoked()
    REVOKE[kind](site)
    before = {one: site.stack.store.count(one) for one in Kind}
    assert before[kind] < site.past.store.count(kind)
    assert site.past.restore(NOTHING).restored == ()
    assert {one: site.stack.store.count(one) for one in Kind} == before


def test_nor_does_what_the_disk_has_lost() -> None:
    """Nobody can tell it from what was revoked."""
    site = Revoked()
    of = (entities.Token, entities.SecretId, entities.MfaSecret, entities.Account, entities.OidcClient)
    lost = [one for kind in of for one in site.stack.barrier.every(kind)]
    site.stack.barrier.commit(Commit(delete=tuple(lost)))
    assert len(lost) >= len(of) and site.past.restore(NOTHING).restored == ()
