"""What a request is authenticated by, with the rights of whoever shows it."""

from __future__ import annotations

from typing import Any

from keystead.core.entities import Credential, Token
from keystead.core.rights import Rights


class HeldCredential:
    """A credential with the rights of the principal it stands for, and what a verifier has come to know of it."""

    __slots__ = ("credential", "known", "principal", "rights")

    def __init__(self, credential: Credential, rights: Rights) -> None:
        self.credential, self.rights, self.principal = credential, rights, rights.principal
        self.known: Any = None  # the verifier's own


class HeldToken:
    """A token with the rights of whoever bears it."""

    __slots__ = ("rights", "token")

    def __init__(self, token: Token, rights: Rights) -> None:
        self.token, self.rights = token, rights
