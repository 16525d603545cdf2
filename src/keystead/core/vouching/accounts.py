"""Service accounts of a Kubernetes cluster, and what a role asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keystead.core.entities import KubernetesBounds
from keystead.core.vouching.patterns import matches
from keystead.core.vouching.words import USUAL_SKEW, Admitted, ServiceAccount, Unfit, text_in, unfit

OF_ACCOUNT = "kubernetes.io"


def service_account(claims: Mapping[str, Any]) -> ServiceAccount:
    """Of whom a token says that it is: as projected ones say it, or as those that are kept in a secret do.

    Kubernetes documentation, "Managing Service Accounts"; a name that is missing is empty.
    """
    bound = claims.get(OF_ACCOUNT)
    if isinstance(bound, Mapping):
        who = bound.get("serviceaccount")
        who = who if isinstance(who, Mapping) else {}
        return ServiceAccount(
            name=text_in(who.get("name")), namespace=text_in(bound.get("namespace")), uid=text_in(who.get("uid"))
        )
    old = f"{OF_ACCOUNT}/serviceaccount"
    return ServiceAccount(
        name=text_in(claims.get(f"{old}/service-account.name")),
        namespace=text_in(claims.get(f"{old}/namespace")),
        uid=text_in(claims.get(f"{old}/service-account.uid")),
        kept_in=text_in(claims.get(f"{old}/secret.name")),
    )


def require_account(who: ServiceAccount, bounds: KubernetesBounds) -> None:
    """Raises Unauthenticated (detail Unfit)."""
    if not who.name or not any(matches(one, who.name) for one in bounds.names):
        raise unfit(Unfit.NAME)
    if not who.namespace or not any(matches(one, who.namespace) for one in bounds.namespaces):
        raise unfit(Unfit.NAMESPACE)


def require_claims(claims: Mapping[str, Any], audience: str, issuer: str, now: int) -> None:
    """`audience`, `issuer`: that it has to be for, and of; "" for any. Raises Unauthenticated (detail Unfit)."""
    if issuer and claims.get("iss") != issuer:
        raise unfit(Unfit.ISSUER)
    if audience and audience not in audiences_of(claims):
        raise unfit(Unfit.AUDIENCE)
    exp, nbf = claims.get("exp"), claims.get("nbf")
    if isinstance(exp, int | float) and now > exp + USUAL_SKEW:
        raise unfit(Unfit.EXPIRED)
    if isinstance(nbf, int | float) and now < nbf - USUAL_SKEW:
        raise unfit(Unfit.EARLY)


def audiences_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """What is text among them."""
    said = claims.get("aud")
    return tuple(one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str))


def admitted_by_cluster(who: ServiceAccount, bounds: KubernetesBounds, role: str) -> Admitted:
    """Raises Unauthenticated (detail Unfit)."""
    require_account(who, bounds)
    by_name = bounds.alias_source == "serviceaccount_name"
    return Admitted(
        alias=who.subject if by_name else who.uid,
        display_name=f"{who.namespace}-{who.name}",
        meta={
            "role": role,
            "service_account_name": who.name,
            "service_account_namespace": who.namespace,
            "service_account_secret_name": who.kept_in,
            "service_account_uid": who.uid,
        },
    )
