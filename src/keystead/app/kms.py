"""Other key management services that the configuration names, as seals ask them (keystead.seals.services).

What they know us by is read each time: a file that somebody renews, or a command that prints it. AWS's is a secret
access key, or a command as in its `credential_process`; the others' a token.
"""

from __future__ import annotations

import subprocess

import msgspec
from msgspec import Struct

from keystead import config
from keystead.config import Kms, path_of
from keystead.core.errors import InvalidArgument, Unavailable
from keystead.core.ports import Net, Terms
from keystead.core.sensitive import Sensitive
from keystead.seals.services import Credential, Place

WITHIN = 20.0  # seconds that a command has
MOST = 65536
ENDPOINTS = {"aws": "https://kms.{region}.amazonaws.com", "google": "https://cloudkms.googleapis.com"}


class _Process(Struct, frozen=True, rename="pascal"):
    """AWS SDKs and Tools Reference Guide, "Process credential provider"."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""

    def __repr__(self) -> str:
        return "_Process()"


def place_of(name: str, settings: Kms, net: Net) -> Place:
    """Raises InvalidArgument."""
    endpoint = settings.endpoint or ENDPOINTS.get(settings.service, "").format(region=settings.region)
    if not endpoint.startswith("https://"):
        raise InvalidArgument(f"kms: {name} needs an endpoint, https:// and a host", "kms")
    if bool(settings.credential) == bool(settings.command):
        raise InvalidArgument(f"kms: {name} needs a credential or a command, one of them", "kms")
    if settings.credential:
        path_of(settings.credential)
    trust = path_of(settings.trust) if settings.trust else None
    return Place(
        name=name,
        service=settings.service,
        endpoint=endpoint,
        key=settings.key,
        region=settings.region,
        mount=settings.mount,
        namespace=settings.namespace,
        credential=lambda: credential(name, settings),
        net=net,
        terms=Terms(private=settings.private, certificates=trust),
    )


def credential(name: str, settings: Kms) -> Credential:
    """Raises InvalidArgument, Unavailable."""
    if settings.credential:
        return Credential(config.secret(settings.credential), settings.access_key_id)
    text = _printed(name, settings.command)
    if settings.service != "aws":
        return Credential(Sensitive(text.strip()))
    try:
        said = msgspec.json.decode(text, type=_Process)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unavailable(f"kms: the command of {name} prints no credential", "kms") from None
    session = Sensitive(said.session_token.encode()) if said.session_token else None
    return Credential(Sensitive(said.secret_access_key.encode()), said.access_key_id, session)


def _printed(name: str, command: list[str]) -> bytes:
    """What it prints of its own words is not shown to anybody."""
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own, from keystead.toml
            command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=WITHIN
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"kms: the command of {name} failed ({type(error).__name__})", "kms") from None
    if not 0 < len(done.stdout) <= MOST:
        raise Unavailable(f"kms: the command of {name} prints no credential", "kms")
    return done.stdout
