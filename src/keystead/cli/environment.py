"""What points the clients of each door at a running server: a table, one row per door."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from keystead.app.layout import Running, SavedCredentials
from keystead.config import Config, path_of

ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - compared, not bound


class Facts(Struct, frozen=True, kw_only=True):
    endpoint: str  # http://host:port
    region: str
    saved: SavedCredentials | None
    certificate: str = ""  # the path of the server's, where it has one

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


def vault(facts: Facts) -> dict[str, str]:
    """Vault and OpenBao documentation, "Environment variables" of their commands."""
    variables = {"VAULT_ADDR": facts.endpoint, "BAO_ADDR": facts.endpoint}
    if facts.saved is not None and facts.saved.vault_token:
        variables |= {"VAULT_TOKEN": facts.saved.vault_token, "BAO_TOKEN": facts.saved.vault_token}
    if facts.certificate:
        variables |= {"VAULT_CACERT": facts.certificate, "BAO_CACERT": facts.certificate}
    return variables


WITH_KEY = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


def left_over(found: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """What is set already and belongs to another access key: clients would send it along, and be refused with it."""
    return [name for name in WITH_KEY if name in there] if "AWS_ACCESS_KEY_ID" in found else []


VARIABLES: dict[str, Callable[[Facts], dict[str, str]]] = {"aws": aws, "xks": xks, "vault": vault}


def endpoint(running: Running, door: str, host: str | None = None) -> str:
    """`host`: the name that clients call it by, where it is not the address it listens on."""
    bound, _, port = running.listen[door].rpartition(":")
    return f"{'https' if running.tls else 'http'}://{host or ANYWHERE.get(bound, bound)}:{port}"


def variables(
    running: Running, door: str, settings: Config, saved: SavedCredentials | None, host: str | None
) -> dict[str, str]:
    certificate = str(path_of(settings.tls.certificate)) if running.tls and settings.tls is not None else ""
    at = endpoint(running, door, host)
    return VARIABLES[door](Facts(endpoint=at, region=settings.region, saved=saved, certificate=certificate))
