"""The HTTP API of HashiCorp Vault and OpenBao: what a request says, what a field may be, what an answer looks like.

    request.ask(…)       method, target -> Asked (verb, path, query), or the Redirect to the clean path
    request.arguments(…) Asked, content type, body -> what a reader takes
    tree(…)              a body -> its object, for an operation that takes any parameters
    headers              token, namespace, wrap_for
    kinds                Duration, CommaStrings …: what a parameter is declared as; fields has Go's coercions into it
    reader.reader(…)     Struct -> (captures, arguments) -> the message, and warnings about what was left out of it
    envelope             answers, errors, the empty answer
    scalars              base64, durations and times as Go reads and writes them

Behaviour held to the server OpenBao 2.7.2 by tests/wire/test_vault_openbao.py. Where we refuse more than it does:
docs/adr/0019.
"""

from __future__ import annotations

from keystead.wire import Malformed, Misfit


class Refused(Malformed):
    """A request that gets no further. str() is the text of the error; "" where the errors are an empty list."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text)
        self.status = status


class FieldError(Misfit):
    """A value that does not convert into its field.

    path   the field's name
    text   Vault's words, without the prefix VALIDATION
    """

    def __init__(self, name: str, text: str) -> None:
        Malformed.__init__(self, f'error converting input for field "{name}": {text}')
        self.path, self.text = name, str(self)


VALIDATION = "Field validation failed: "
"""Stands before a FieldError's text, except where an operation asks first whether its object exists."""
