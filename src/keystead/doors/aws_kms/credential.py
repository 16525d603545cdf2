"""How this door says that a request is not authenticated. The words are the verifier's (service.credentials.sigv4).

JSON protocol: KMS API Reference, "Common Errors", with the codes clients look for (SPEC.md).
Query protocol: STS and IAM API References, "Common Errors".
"""

from __future__ import annotations

from keystead.service.authenticate import Reason
from keystead.service.credentials.webidentity import Flaw

REASONS: dict[Reason, tuple[str, int]] = {
    Reason.MISSING: ("MissingAuthenticationTokenException", 400),
    Reason.INCOMPLETE: ("IncompleteSignatureException", 400),
    Reason.UNKNOWN: ("UnrecognizedClientException", 400),
    Reason.MISMATCH: ("InvalidSignatureException", 400),
    Reason.EXPIRED: ("InvalidSignatureException", 400),
    Reason.NOT_YET_CURRENT: ("InvalidSignatureException", 400),
    Reason.EXPIRED_TOKEN: ("ExpiredTokenException", 400),
    Reason.WRONG_SCOPE: ("InvalidSignatureException", 400),
}

FLAWS: dict[Flaw, tuple[str, int]] = {
    Flaw.INVALID: ("InvalidIdentityToken", 400),
    Flaw.EXPIRED: ("ExpiredTokenException", 400),
    Flaw.REJECTED: ("IDPRejectedClaim", 403),
}
"""Of identity tokens. botocore data/sts/2011-06-15/service-2.json, the errors of AssumeRoleWithWebIdentity."""

QUERY_REASONS: dict[Reason, tuple[str, int]] = {
    Reason.MISSING: ("MissingAuthenticationToken", 403),
    Reason.INCOMPLETE: ("IncompleteSignature", 400),
    Reason.UNKNOWN: ("InvalidClientTokenId", 403),
    Reason.MISMATCH: ("SignatureDoesNotMatch", 403),
    Reason.EXPIRED: ("SignatureDoesNotMatch", 403),
    Reason.NOT_YET_CURRENT: ("SignatureDoesNotMatch", 403),
    Reason.EXPIRED_TOKEN: ("ExpiredToken", 403),
    Reason.WRONG_SCOPE: ("SignatureDoesNotMatch", 403),
}
