"""A share on a page to be printed: HTML that asks for nothing from anywhere, one file a share.

A sheet holds the secret. It lies in a directory that is best in memory (/dev/shm), for its holder's eyes alone, and is
taken away once the holder has typed the share back.
"""

from __future__ import annotations

import os
from base64 import b64encode
from contextlib import suppress
from hashlib import sha256
from html import escape
from pathlib import Path

import segno
from msgspec import Struct

from keystead.core.sensitive import Sensitive

_STYLE = (
    "body{font:12pt serif;margin:2cm}code{font:14pt monospace;overflow-wrap:anywhere}svg{width:6cm}td{padding:2pt 8pt}"
)
_ALLOWED = "default-src 'none'; style-src 'sha256-{}'"


class Facts(Struct, frozen=True, kw_only=True):
    """What stands on a sheet beside the share."""

    title: str
    holder: str
    number: int
    n_shares: int
    threshold: int
    set_id: str
    check: str
    date: str


def fingerprint(share: Sensitive) -> str:
    """What the transcript and the sheet say of a share: of 256 random bits it tells nothing."""
    return sha256(b"keystead/ceremony-share/v1\n" + share.reveal()).hexdigest()


def write(directory: Path, share: Sensitive, facts: Facts) -> Path:
    """A file of mode 0600 that was not there before. Raises FileExistsError, OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"share-{facts.number}.html"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(_page(share.reveal().decode(), facts))
    return path


def take_away(path: Path) -> None:
    """Overwritten once, and removed; what a medium keeps of it nevertheless, it keeps."""
    with suppress(FileNotFoundError):
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()


def _page(text: str, facts: Facts) -> str:
    policy = _ALLOWED.format(b64encode(sha256(_STYLE.encode()).digest()).decode())
    rows = (
        ("Share", f"{facts.number} of {facts.n_shares}; any {facts.threshold} open it"),
        ("Set", facts.set_id),
        ("Check", facts.check),
        ("Holder", facts.holder),
        ("Date", facts.date),
    )
    table = "".join(f"<tr><td>{name}</td><td>{escape(value)}</td></tr>" for name, value in rows)
    code = segno.make_qr(text, error="q").svg_inline(omitsize=True)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(facts.title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(facts.title)}</h1><table>{table}</table><p><code>{escape(text)}</code></p>{code}"
        "<p>Keep this page apart from the others, and from the machine.</p></body></html>\n"
    )
