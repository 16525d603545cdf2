"""{{identity.…}} in a path: what it says of whoever asks is put in its place.

Vault documentation, "Templated policies"; what a value may not contain: OpenBao,
`allow_wildcards_in_identity_templates` and `allow_slashes_in_identity_templates` of sys/policies/acl.
"""

from __future__ import annotations

from collections.abc import Mapping

from keystead.core.errors import InvalidArgument

Facts = Mapping[str, str]
"""What is known of an identity, under the names that templates use: "identity.entity.id",
"identity.entity.metadata.team", "identity.entity.aliases.<accessor>.name", "identity.groups.names.<name>.id" …
A value that is a list or a map has no place in a path, and so none here."""

WILDCARDS, SLASH = "*+", "/"


def _pieces(path: str) -> list[tuple[str, str]]:
    """(directive, the text after it), the first directive empty. Raises InvalidArgument if braces do not pair up."""
    first, *rest = path.split("{{")
    pieces = [("", first)]
    for piece in rest:
        directive, closed, after = piece.partition("}}")
        if not closed:
            raise InvalidArgument(_UNBALANCED, "Policy")
        pieces.append((directive.strip(), after))
    if any("}}" in after for _, after in pieces):
        raise InvalidArgument(_UNBALANCED, "Policy")
    return pieces


_UNBALANCED = "failed to validate policy templating: unbalanced templating characters"


def is_templated(path: str) -> bool:
    """Raises InvalidArgument for braces that do not pair up, and for the time, which is no fact of an identity."""
    if "{{" not in path and "}}" not in path:
        return False
    pieces = _pieces(path)
    if any(directive.startswith("time.") for directive, _ in pieces):
        raise InvalidArgument("a path cannot depend on the time; use expiration", "Policy")
    return len(pieces) > 1


def directives(path: str) -> tuple[str, ...]:
    """What a path asks to be told of whoever asks."""
    return tuple(directive for directive, _ in _pieces(path)[1:]) if is_templated(path) else ()


def fill(path: str, facts: Facts, forbidden: str) -> str | None:
    """`path` with every directive replaced; None if one has no value.

    Raises InvalidArgument if a value contains what is forbidden: to leave the path out could take a deny away.
    """
    (_, filled), *rest = _pieces(path)
    for directive, after in rest:
        value = facts.get(directive)
        if value is None or not (value or "metadata." in directive):
            return None
        for sign in forbidden:
            if sign in value:
                raise InvalidArgument(f'template substitution contains forbidden value: "{sign}"', "Policy")
        filled += value + after
    return filled
