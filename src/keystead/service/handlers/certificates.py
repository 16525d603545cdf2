"""Certificates of keys (core.operations.certificates)."""

from __future__ import annotations

from msgspec.structs import replace

from keystead.core import operations as ops
from keystead.core.algorithms import ALGORITHMS, Family, Purpose
from keystead.core.entities import KeyVersion
from keystead.core.errors import InvalidArgument
from keystead.core.operations import Chain, Nothing
from keystead.crypto.certificates import facts
from keystead.service.handlers.standing import staying
from keystead.service.handlers.use import algorithm_for, require_to_protect, underived
from keystead.service.held import HeldKey
from keystead.service.pipeline import Act, Handler, Outcome


def request_certificate(
    op: ops.RequestCertificate, targets: tuple[HeldKey], act: Act
) -> Outcome[ops.CertificateRequest]:
    (held,) = targets
    algorithm = algorithm_for(held.key, Purpose.SIGNATURE)  # the default of every spec is what requests are signed by
    underived(held.key)
    if held.key.spec.family is Family.RSA:
        algorithm = ALGORITHMS["RSA_PKCS1_SHA256"]
    version = require_to_protect(held, algorithm, act, op.version or 0)
    made = version.loaded.request_certificate(op.template)
    number = version.version.number
    return Outcome(answer=ops.CertificateRequest(held.key, number, made), versions=(number,))


def put_certificates(op: ops.PutCertificates, targets: tuple[HeldKey], act: Act) -> Outcome[Nothing]:
    (held,) = targets
    key = held.key
    staying(key, act.now)
    algorithm_for(key, Purpose.SIGNATURE)
    underived(key)
    read = [facts(one) for one in op.certificates]
    number = key.current if op.version is None else op.version
    version = next((one for one in held.versions() if one.number == number and one.wrapped), None)
    for wrong, chain in (
        (not read, Chain.UNREADABLE),
        (read and read[0].is_authority, Chain.NO_LEAF),
        (len(read) > 1 and not read[-1].is_authority, Chain.NO_AUTHORITY),
        (not all(one.is_authority for one in read[1:-1]), Chain.MORE_LEAVES),
        (version is None, Chain.NO_VERSION),
        (read and read[0].family is not key.spec.family, Chain.OTHER_KIND),
        (version is not None and read[0].public_key != version.public_key, Chain.OTHER_KEY),
    ):
        if wrong:
            raise InvalidArgument(f"not the key's certificates: {chain.value}", chain)
    assert isinstance(version, KeyVersion)  # noqa: S101 - NO_VERSION is above
    put = replace(version, certificates=op.certificates)
    return Outcome(answer=Nothing(), put=(key, put), versions=(number,))


HANDLERS: dict[type, Handler] = {
    ops.RequestCertificate: request_certificate,
    ops.PutCertificates: put_certificates,
}
