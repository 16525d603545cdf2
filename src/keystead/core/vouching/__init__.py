"""Whom somebody else vouches for, and what a role asks of them before it lets them in.

service.credentials says that the word is genuine; what is here says whether it is enough. RFC 7519 §4.1, RFC 6901;
Vault documentation, "JWT/OIDC auth method": its words, which clients match on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from keystead.core.entities import CertBounds, JwtBounds, KubernetesBounds
from keystead.core.vouching.accounts import admitted_by_cluster
from keystead.core.vouching.browsers import admitted_from_browser
from keystead.core.vouching.certificates import admitted_by_certificate
from keystead.core.vouching.claims import admitted_by_claims
from keystead.core.vouching.words import Admitted, Certified, Claimed, Identified, ServiceAccount, Vouched, lacking


def admitted(vouched: Vouched, bounds: Any, issuer: str, now: datetime) -> Admitted:
    """Raises InvalidArgument, Unauthenticated (detail Unfit), in words for whoever sent it: it is genuine."""
    if isinstance(bounds, JwtBounds) and isinstance(vouched.word, Identified):
        return admitted_from_browser(vouched.word.claims, bounds, issuer, vouched.role)
    if isinstance(bounds, JwtBounds) and isinstance(vouched.word, Claimed):
        return admitted_by_claims(vouched.word.claims, bounds, issuer, vouched.role, int(now.timestamp()))
    if isinstance(bounds, KubernetesBounds) and isinstance(vouched.word, ServiceAccount):
        return admitted_by_cluster(vouched.word, bounds, vouched.role)
    if isinstance(bounds, CertBounds) and isinstance(vouched.word, Certified):
        return admitted_by_certificate(vouched.word, bounds, vouched.role)
    raise lacking("the role is of another kind")
