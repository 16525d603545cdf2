"""What points the clients of each door at a running server: a table, one row per door."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from keystead.app.layout import Running, SavedCredentials
from keystead.config import Config

ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - compared, not bound


class Facts(Struct, frozen=True, kw_only=True):
    endpoint: str  # http://host:port
    region: str
    saved: SavedCredentials | None

    def __repr__(self) -> str:
        return f"Facts({self.endpoint!r})"


def aws(facts: Facts) -> dict[str, str]:
    """AWS SDKs and Tools Reference Guide, "Service-specific endpoints". Never the global one: S3 stays where it is."""
    variables = {f"AWS_ENDPOINT_URL_{service}": facts.endpoint for service in ("KMS", "STS", "IAM")}
    if facts.saved is not None:
        variables |= {
            "AWS_ACCESS_KEY_ID": facts.saved.access_key_id,
            "AWS_SECRET_ACCESS_KEY": facts.saved.secret_access_key,
        }
    return variables | {"AWS_REGION": facts.region, "AWS_DEFAULT_REGION": facts.region}


def xks(facts: Facts) -> dict[str, str]:
    """README of AWS's test client for XKS proxies. Its credential is shown once, when it is made, and kept nowhere."""
    scheme, _, host = facts.endpoint.partition("://")
    return {"XKS_PROXY_HOST": host, "SCHEME": f"{scheme}://", "REGION": facts.region}


VARIABLES: dict[str, Callable[[Facts], dict[str, str]]] = {"aws": aws, "xks": xks}


def endpoint(running: Running, door: str, host: str | None = None) -> str:
    """`host`: the name that clients call it by, where it is not the address it listens on."""
    bound, _, port = running.listen[door].rpartition(":")
    return f"{'https' if running.tls else 'http'}://{host or ANYWHERE.get(bound, bound)}:{port}"


def variables(
    running: Running, door: str, settings: Config, saved: SavedCredentials | None, host: str | None
) -> dict[str, str]:
    return VARIABLES[door](Facts(endpoint=endpoint(running, door, host), region=settings.region, saved=saved))
