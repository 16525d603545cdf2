"""The doors. To add one, add its folder and a line here."""

from __future__ import annotations

from keystead.doors import aws_kms, aws_xks, vault
from keystead.kit import Door

DOORS: dict[str, Door] = {
    "aws": aws_kms.DOOR,
    "xks": aws_xks.DOOR,
    "vault": vault.DOOR,
}
"""The name in `--listen NAME=HOST:PORT` and `keystead env NAME` -> the door."""
