"""What holds for all tokens of identity: who is said to have issued them. Vault HTTP API, "Identity secrets engine"."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.entities import OidcSettings
from keystead.core.errors import InvalidArgument
from keystead.service.held import HeldTenant
from keystead.service.pipeline import Act, Handler, Outcome


def write_settings(op: ops.WriteOidcSettings, targets: tuple[HeldTenant], _act: Act) -> Outcome[OidcSettings]:
    (tenant,) = targets
    check_origin(op.issuer)
    before = tenant.oidc_settings() or OidcSettings(id=tenant.id)
    settings = replace(before, issuer=op.issuer)
    return Outcome(answer=settings, put=(settings,))


def check_origin(text: str) -> None:
    """Raises InvalidArgument for what is more, or less, than "https://host:port"; "" is none."""
    if text and not _is_origin(text):
        raise InvalidArgument(
            "invalid issuer, which must include only a scheme, host, and optional port (e.g. https://example.com:8200)",
            "issuer",
        )


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    is_bare = text == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    return (
        is_bare
        and parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and text.isprintable()
        and len(text) <= 255
    )


def read_settings(_op: ops.ReadOidcSettings, targets: tuple[HeldTenant], _act: Act) -> Outcome[OidcSettings]:
    return Outcome(answer=targets[0].oidc_settings() or OidcSettings(id=targets[0].id))


HANDLERS: dict[type, Handler] = {ops.WriteOidcSettings: write_settings, ops.ReadOidcSettings: read_settings}
