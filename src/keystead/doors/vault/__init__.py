"""HashiCorp Vault and OpenBao: the HTTP API under /v1/, by token.

One folder or file for each engine; an operation stands at a path below where its engine is mounted.
"""

from __future__ import annotations

from keystead.doors.vault import (
    approle,
    beginning,
    cert,
    crls,
    cubbyhole,
    jwt,
    kubernetes,
    oidclogin,
    tokenroles,
    tokens,
    totp,
    transit,
    userpass,
)
from keystead.doors.vault.errors import ERRORS
from keystead.doors.vault.front import VaultFront
from keystead.doors.vault.identity import OPERATIONS as OF_IDENTITY
from keystead.doors.vault.kv import astray, data, metadata, unversioned
from keystead.doors.vault.system import (
    audit,
    capabilities,
    catalog,
    config,
    controlgroups,
    leases,
    lockouts,
    managedkeys,
    metrics,
    mfa,
    mounts,
    namespaces,
    nodes,
    passwords,
    pathhelp,
    policies,
    quotas,
    rekeying,
    remount,
    rooting,
    sealing,
    specs,
    tools,
    wrapping,
)
from keystead.kit import Door
from keystead.wire.http import Limits

OPERATIONS = (
    *mounts.OPERATIONS,
    *remount.OPERATIONS,
    *policies.OPERATIONS,
    *namespaces.OPERATIONS,
    *passwords.OPERATIONS,
    *managedkeys.OPERATIONS,
    *quotas.OPERATIONS,
    *audit.OPERATIONS,
    *catalog.OPERATIONS,
    *config.OPERATIONS,
    *controlgroups.OPERATIONS,
    *lockouts.OPERATIONS,
    *mfa.OPERATIONS,
    *capabilities.OPERATIONS,
    *wrapping.OPERATIONS,
    *leases.OPERATIONS,
    *tools.OPERATIONS,
    beginning.initialised,
    *sealing.OPERATIONS,
    *metrics.OPERATIONS,
    *nodes.OPERATIONS,
    *rekeying.OPERATIONS,
    *rooting.OPERATIONS,
    *tokens.OPERATIONS,
    *tokenroles.OPERATIONS,
    *userpass.OPERATIONS,
    *approle.OPERATIONS,
    *jwt.OPERATIONS,
    *oidclogin.OPERATIONS,
    *kubernetes.OPERATIONS,
    *cert.OPERATIONS,
    *crls.OPERATIONS,
    *OF_IDENTITY,
    *transit.OPERATIONS,
    *totp.OPERATIONS,
    *unversioned.OPERATIONS,
    *data.OPERATIONS,
    *metadata.OPERATIONS,
    *astray.OPERATIONS,
    *cubbyhole.OPERATIONS,
)

DOOR = Door(
    name="vault",
    operations=(*OPERATIONS, *specs.over(OPERATIONS), *pathhelp.over(OPERATIONS)),
    errors=ERRORS,
    limits=Limits(n_body=1024 * 1024, lists=True),
    front=VaultFront,
    asks=True,
)
