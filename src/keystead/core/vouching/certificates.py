"""What a certificate says, and what a role asks of it."""

from __future__ import annotations

from keystead.core.entities import CertBounds
from keystead.core.vouching.patterns import matches
from keystead.core.vouching.words import Admitted, Certified, lacking

UNFIT_CERTIFICATE = "no chain matching all constraints could be found for this login certificate"
NOT_ASKED = "whether the certificate is revoked cannot be found out. Try again later."
NOT_FETCHED = "a list of revoked certificates cannot be had. Try again later."


def fits(said: Certified, bounds: CertBounds) -> bool:
    """Whether a certificate says all that a role asks."""
    return (
        _any(bounds.names, (said.common_name, *said.dns, *said.emails))
        and _any(bounds.common_names, (said.common_name,))
        and _any(bounds.dns, said.dns)
        and _any(bounds.emails, said.emails)
        and _any(bounds.uris, said.uris)
        and _any(bounds.units, said.units)
        and all(_has_extension(said, wanted) for wanted in bounds.extensions)
    )


def _any(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return not patterns or any(matches(pattern, name) for pattern in patterns for name in names)


def _has_extension(said: Certified, wanted: str) -> bool:
    """ "oid:text", whose text is that of a DER string; "hex:oid:hex", of the whole value."""
    hexed = wanted.startswith("hex:")
    oid, _, pattern = wanted.removeprefix("hex:").partition(":")
    if (value := said.extensions.get(oid)) is None:
        return False
    return matches(pattern.lower(), value.hex()) if hexed else matches(pattern, text_of(value))


STRINGS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii"}  # UTF8String, PrintableString, IA5String: X.690 §8.23
SHORT = 0x80


def text_of(der: bytes) -> str:
    """The text of a DER string; "" of anything else."""
    if len(der) < 2 or der[0] not in STRINGS:
        return ""
    n_length = der[1] - SHORT if der[1] >= SHORT else 0
    length = int.from_bytes(der[2 : 2 + n_length]) if n_length else der[1]
    text = der[2 + n_length :]
    try:
        return text.decode(STRINGS[der[0]]) if len(text) == length else ""
    except UnicodeDecodeError:
        return ""


def admitted_by_certificate(said: Certified, bounds: CertBounds, role: str) -> Admitted:
    """Raises InvalidArgument."""
    if not fits(said, bounds):
        raise lacking(UNFIT_CERTIFICATE)
    if not said.common_name:
        raise lacking("the certificate has no common name")
    own = {oid.replace(".", "-"): text_of(said.extensions[oid]) for oid in bounds.told if oid in said.extensions}
    return Admitted(
        alias=said.common_name,
        display_name=bounds.display_name or role,
        meta={
            **own,
            "authority_key_id": said.authority_key_id,
            "cert_name": role,
            "common_name": said.common_name,
            "serial_number": said.serial,
            "subject_key_id": said.subject_key_id,
        },
    )
