"""Certificates of a key: asked for, and kept with the version whose public key they are of."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from keystead.core.actions import Action
from keystead.core.entities import Key
from keystead.core.operations.base import KeyOperation, Nothing

BAD_REQUEST = "certificate request"
"""detail of the InvalidArgument for a template that is no request."""


class CertificateRequest(Struct, frozen=True):
    key: Key
    version: int
    request: bytes  # DER, RFC 2986


class RequestCertificate(KeyOperation[CertificateRequest], frozen=True, kw_only=True):
    """A request signed by the key; subject, extensions and attributes are those of the template.

    Raises WrongUsage, WrongState, Unsupported (Withdrawn), InvalidArgument (BAD_REQUEST, Breach).
    """

    action = Action.SIGN
    template: bytes = b""  # DER, RFC 2986; its signature is not looked at. None: an empty subject
    version: int | None = None  # None: the current one


class Chain(Enum):
    """detail of the InvalidArgument for certificates that are none of the key's. OpenBao, PersistCertificateChain"""

    NO_VERSION = "no such version"
    UNREADABLE = "no certificate"
    NO_LEAF = "the first is an authority's"
    NO_AUTHORITY = "the last is no authority's"
    MORE_LEAVES = "one between is no authority's"
    OTHER_KIND = "of another kind of key"
    OTHER_KEY = "of another key"


class PutCertificates(KeyOperation[Nothing], frozen=True, kw_only=True):
    """Instead of those that were there, the leaf first. Raises InvalidArgument (Chain), WrongUsage, WrongState."""

    action = Action.PUT_CERTIFICATES
    changes = True
    certificates: tuple[bytes, ...]  # DER
    version: int | None = None
