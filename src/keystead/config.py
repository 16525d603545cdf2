"""Configuration: one typed tree, read from DIR/keystead.toml. Secrets come in by reference only.

docs/operations.md says what each member is for, in one table (tests/house/test_docs.py holds it to this file).
Unknown members are refused, so that a misspelled one is not silently ignored.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from keystead.core.cutoffs import Cutoffs, Rules
from keystead.core.errors import InvalidArgument
from keystead.core.places import allowed
from keystead.core.quotas import Quotas
from keystead.core.sensitive import Sensitive
from keystead.service.rates import Rates

MAX_SECRET = 65536
PKCS11, TPM = "pkcs11", "tpm"
"""The slots that are no directories: "pkcs11:NAME", "tpm"."""
FILE_NAME = "keystead.toml"
DEFAULT_LISTEN = {"aws": "127.0.0.1:8200"}
DEV_LISTEN = {**DEFAULT_LISTEN, "vault": "127.0.0.1:8201"}
"""Where a development server answers, whose configuration says nothing of it."""


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    certificate: str  # file: reference to a PEM chain
    private_key: str  # file: reference


class Clients(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose certificates a door asks for, before it listens to anything else."""

    authorities: str  # file: reference to the PEM certificates of who vouches for them
    names: list[str] = []  # of which a certificate must have one, as CN or DNS name; none: it need not


class Issuer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the keys of one OpenID Connect issuer are had, where not as those of any issuer on the internet are."""

    keys: str = ""  # file: reference to a JWK set; the issuer is then never asked
    certificates: str = ""  # file: reference to the PEM certificates of who vouches for it; the system's without
    private: bool = False  # it may be at an address that is not public


class Xks(Struct, frozen=True, forbid_unknown_fields=True):
    private_endpoints: bool | list[str] = False
    trust: str = ""  # file: reference to PEM certificates
    routes: dict[str, str] = {}  # domain name -> IP address and port
    threads: Annotated[int, Meta(ge=1, le=256)] = 32


class Logins(Struct, frozen=True, forbid_unknown_fields=True):
    private_hosts: bool | list[str] = False  # that auth methods may ask at an address that is not public
    plain_hosts: list[str] = []  # that may be asked by http:// whether a certificate is revoked (OCSP, CRL)


ClusterId = Annotated[str, Meta(pattern="^(cluster-[2-7a-zA-Z]{11,16})?$")]


class Hsm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token behind a PKCS#11 module: found by its label, its serial number or its slot, or several of them."""

    module: str  # the path of the shared library
    pin: str  # file:, env: or fd: reference to the user's PIN, read once; "prompt": whoever starts the server is asked
    token: str = ""  # its label
    serial: str = ""
    slot: Annotated[int, Meta(ge=0)] | None = None
    sessions: Annotated[int, Meta(ge=1, le=512)] = 8  # of each process at most, and one for its login
    wait_for: Annotated[float, Meta(gt=0, le=60)] = 5.0  # seconds that a call waits for a session
    cluster: ClusterId = ""  # what the aws door calls it; made of the token's serial number without


HsmName = Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{0,31}$")]


class TpmAt(Struct, frozen=True, forbid_unknown_fields=True):
    tcti: str = "device:/dev/tpmrm0"  # the kernel's resource manager, which many processes may use
    owner: str | None = None  # file:PATH of its owner hierarchy's password, where it has one; read each time


class Kms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key at another key management service, which wraps what opens the seal `external`."""

    service: Annotated[str, Meta(pattern="^(aws|vault|google|azure)$")]
    key: Annotated[str, Meta(pattern="^[A-Za-z0-9:/_.-]{1,512}$")]  # as the service names it
    endpoint: str = ""  # https:// and a host; AWS and Google have one by default
    region: str = ""  # aws
    access_key_id: str = ""  # aws
    credential: str = ""  # file: reference to a token, or AWS's secret access key; read each time
    command: list[str] = []  # instead: what prints it; for aws as its credential_process does
    mount: Annotated[str, Meta(pattern="^[A-Za-z0-9/_.-]{1,200}$")] = "transit"  # vault
    namespace: str = ""  # vault
    trust: str = ""  # file: reference to the PEM certificates of who vouches for it; the system's without
    private: bool = False  # it may be at an address that is not public


class EntropyFrom(Struct, frozen=True, forbid_unknown_fields=True):
    sources: Annotated[tuple[str, ...], Meta(max_length=8)] = ()
    required: bool = False  # by at least one of them


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    listen: dict[str, str] = msgspec.field(default_factory=lambda: dict(DEFAULT_LISTEN))
    tls: Tls | None = None
    clients: dict[str, Clients] = msgspec.field(default_factory=dict)  # door -> the certificates that it asks for
    slots: tuple[str, ...] = ("slot-1", "slot-2")  # directories, relative to DIR; "pkcs11:NAME", "tpm"
    slots_at_least: Annotated[int, Meta(ge=1, le=8)] = 2  # places
    recovery_for: Annotated[int, Meta(ge=1, le=3650)] = 35  # days
    workers: Annotated[int, Meta(ge=1, le=60)] = 1
    thread_pool: Annotated[int, Meta(ge=1, le=64)] = 32  # of each worker
    region: str = "us-east-1"
    tree_copy: str = ""  # a path, or nowhere
    audit_devices: tuple[str, ...] = ()  # directories, beside DIR/audit/devices
    audit_sockets: Annotated[tuple[str, ...], Meta(max_length=64)] = ()  # core.places
    rates: Rates = Rates()
    issuers: dict[str, Issuer] = msgspec.field(default_factory=dict)  # by URL, as it stands in their tokens
    algorithms: Rules = Rules()  # core.cutoffs
    quotas: Quotas = Quotas()  # core.quotas
    xks: Xks = Xks()
    logins: Logins = Logins()
    hsms: dict[HsmName, Hsm] = msgspec.field(default_factory=dict)
    protect_in: str = ""  # one of `hsms`, or software
    protect_in_or_software: bool = False  # where that HSM cannot hold such a key
    tpm: TpmAt | None = None
    kms: dict[HsmName, Kms] = msgspec.field(default_factory=dict)
    entropy: EntropyFrom = EntropyFrom()

    @property
    def slots_beside(self) -> tuple[str, ...]:
        """Those of `slots` that are no directories."""
        return tuple(name for name in self.slots if name == TPM or name.startswith(f"{PKCS11}:"))

    @property
    def slot_directories(self) -> tuple[str, ...]:
        """Two, or none."""
        return tuple(name for name in self.slots if name not in self.slots_beside)


def check_slots(slots: tuple[str, ...]) -> None:
    """Raises InvalidArgument."""
    chosen = Config(slots=slots)
    if len(chosen.slot_directories) not in {0, 2} or not slots:
        raise InvalidArgument("files are kept twice: two directories, or none where there are other slots", "slots")
    if len(set(slots)) != len(slots):
        raise InvalidArgument("a slot is named twice", "slots")


def read(directory: Path) -> Config:
    """The configuration of an installation; defaults where there is no file. Raises InvalidArgument."""
    path = directory / FILE_NAME
    try:
        found = msgspec.convert(tomllib.loads(path.read_text()), Config) if path.exists() else Config()
    except (msgspec.ValidationError, tomllib.TOMLDecodeError) as error:
        raise InvalidArgument(f"{path.name}: {error}", "configuration") from None
    except UnicodeDecodeError:
        raise InvalidArgument(f"{path.name} is no text in UTF-8", "configuration") from None
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be read: {error.strerror}", "configuration") from error
    if found.tpm and found.tpm.owner is not None:
        path_of(found.tpm.owner)
    Cutoffs(found.algorithms)
    check_slots(found.slots)
    for one in found.audit_sockets:
        allowed(one)
    if found.protect_in and found.protect_in not in found.hsms:
        raise InvalidArgument(f"{path.name}: `protect_in` names no HSM of `hsms`", "configuration")
    for name, hsm in found.hsms.items():
        if not (hsm.token or hsm.serial or hsm.slot is not None):
            raise InvalidArgument(f"{path.name}: say the token, serial or slot of the HSM {name}", "configuration")
    if found.clients and found.tls is None:
        raise InvalidArgument(f"{path.name}: `clients` asks for certificates over TLS: set `tls` too", "configuration")
    _check_entropy(found, path.name)
    return found


def _check_entropy(config: Config, name: str) -> None:
    sources = config.entropy.sources
    for source in sources:
        kind, _, where = source.partition(":")
        known = kind == "hsm" and where in config.hsms
        if not (known or (source == "tpm" and config.tpm) or (kind == "device" and Path(where).is_absolute())):
            words = '"hsm:" and a name in `hsms`, "tpm" (with `tpm` set), or "device:" and an absolute path'
            raise InvalidArgument(f"{name}: a source of entropy is {words}, not {source!r}", "configuration")
    if len(set(sources)) != len(sources) or (config.entropy.required and not sources):
        raise InvalidArgument(f"{name}: `entropy` names each source once, and one if it is required", "configuration")


def write(directory: Path, config: Config) -> None:
    """Write the members that differ from their defaults."""
    chosen = msgspec.to_builtins(config)
    default = msgspec.to_builtins(Config())
    lines = [f"{name} = {_toml(value)}\n" for name, value in chosen.items() if value != default[name]]
    path = directory / FILE_NAME
    path.touch(mode=0o600)
    path.write_text("".join(lines))


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items() if v is not None) + " }"
    return msgspec.json.encode(value).decode()  # strings, numbers and arrays of them read the same in TOML


def secret(reference: str) -> Sensitive:
    """What a reference points at: "file:PATH", "env:NAME", "fd:N". A trailing newline is dropped.

    Raises InvalidArgument for another scheme and for one that cannot be read. It is not repeated: it may be the secret.
    """
    scheme, _, where = reference.partition(":")
    if (read_from := SECRETS.get(scheme)) is None:
        raise InvalidArgument("a secret is given as file:PATH, env:NAME or fd:N", "secret")
    try:
        return Sensitive(read_from(where).removesuffix(b"\n"))
    except KeyError:
        raise InvalidArgument("env: the secret cannot be read: no such variable is set", "secret") from None
    except ValueError:
        raise InvalidArgument(f"{scheme}: the secret cannot be read: that is no {MEANT[scheme]}", "secret") from None
    except OSError as error:
        raise InvalidArgument(f"{scheme}: the secret cannot be read: {error.strerror}", "secret") from None


def _read_descriptor(number: str) -> bytes:
    with open(int(number), "rb", closefd=True) as stream:
        return stream.read(MAX_SECRET)


SECRETS: dict[str, Callable[[str], bytes]] = {
    "file": lambda where: Path(where).read_bytes(),
    "env": lambda where: os.environ.pop(where).encode(),  # no child is to inherit it, and keep it beyond a seal
    "fd": _read_descriptor,
}
MEANT = {"file": "path", "env": "name of a variable", "fd": "number of a descriptor"}


def path_of(reference: str, of: str = "it") -> Path:
    """The path in a "file:PATH" reference. Raises InvalidArgument, with `of` for what it is and not the reference."""
    scheme, _, where = reference.partition(":")
    if scheme != "file" or not where:
        raise InvalidArgument(f"give {of} as file:PATH", "configuration")
    return Path(where)
