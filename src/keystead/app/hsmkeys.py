"""The keys that are held in the HSMs of the configuration (docs/adr/0034)."""

from __future__ import annotations

from keystead.app.clock import boot
from keystead.app.entropy import screened
from keystead.app.hsms import Tokens
from keystead.app.layout import Layout
from keystead.config import Config
from keystead.core.ports import Clock, Disk, Entropy
from keystead.providers.clusters import HsmClusters
from keystead.providers.guesses import GuessFiles
from keystead.providers.pkcs11 import Pkcs11Provider
from keystead.service.hsmnotes import NoteFiles
from keystead.service.hsms import Hsms
from keystead.service.meter import Meter


def keys_in_hsms(
    layout: Layout, settings: Config, tokens: Tokens, disk: Disk, clock: Clock, entropy: Entropy, meter: Meter
) -> Hsms:
    guesses = GuessFiles(disk, layout.hsm_guesses, clock, boot())
    return Hsms(
        {name: Pkcs11Provider(tokens.token(name), entropy, meter) for name in tokens.names},
        NoteFiles(disk, layout.hsm_notes),
        clusters=HsmClusters(tokens.names, tokens.token, tokens.pin, tokens.clusters, guesses, screened),
        new_keys_in=settings.protect_in,
        or_software=settings.protect_in_or_software,
        passed=clock.monotonic,
    )
