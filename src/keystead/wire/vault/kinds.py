"""What a parameter of Vault is declared as: its kind (framework.FieldType) is its type.

    class RoleRequest(Parameters, frozen=True):
        token_ttl: Duration = 0
        token_policies: CommaStrings = ()
        metadata: Pairs | None = None

The bounds and patterns say what needs no coercion; they do not say what is allowed.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any

from msgspec import Meta

from keystead.wire.vault import scalars


class Kind(Enum):
    """framework.FieldType, and ANY for what an operation looks at itself."""

    TEXT, LOWER, BOOL, INT, FLOAT, DURATION, SIGNED, TIME = range(8)
    COMMA_STRINGS, STRINGS, COMMA_INTS, LIST, MAP, PAIRS, HEADER, ANY = range(8, 16)


class Same(Enum):
    """In which other spellings what a path captures is the same name: other cases of letters, slashes at its ends."""

    LOWER, CASE, SLASHES = range(3)


_INT64 = Meta(ge=-(2**63), le=2**63 - 1)
Text = str
"""TypeString. `str`, `bool` and `float` say their kind without a name from here; a bare `int` bounds nothing."""
Int = Annotated[int, _INT64, Kind.INT]
Lower = Annotated[str, Meta(pattern=r"^[a-z0-9_.@/-]*$"), Kind.LOWER, Same.LOWER]
"""TypeLowerCaseString; the pattern is what needs no lowering."""
Caseless = Annotated[str, Kind.TEXT, Same.CASE]
"""A name that an operation lowers itself."""
Slashless = Annotated[str, Kind.TEXT, Same.SLASHES]
"""A path that an operation takes without slashes at its ends."""
Duration = Annotated[int, Meta(ge=0, le=scalars.MAX_SECONDS), Kind.DURATION]
"""TypeDurationSecond: whole seconds."""
SignedDuration = Annotated[int, Meta(ge=-scalars.MAX_SECONDS, le=scalars.MAX_SECONDS), Kind.SIGNED]
_Trimmed = Annotated[str, Meta(pattern=r"^(?:\S(?:[^\r\n]*\S)?)?\Z")]
CommaStrings = Annotated[tuple[_Trimmed, ...], Kind.COMMA_STRINGS]
"""TypeCommaStringSlice: "a, b" or ["a", "b"]."""
Strings = Annotated[tuple[_Trimmed, ...], Kind.STRINGS]
"""TypeStringSlice: "a, b" is one string."""
CommaInts = Annotated[tuple[Int, ...], Kind.COMMA_INTS]
Map = Annotated[dict[str, Any], Kind.MAP]
"""TypeMap: values are str, bool, None, int, Number, list, dict."""
Pairs = Annotated[dict[str, str], Kind.PAIRS]
"""TypeKVPairs: {"k": "v"} or ["k=v"]."""
Header = Annotated[dict[str, list[str]], Kind.HEADER]
"""TypeHeader: names as they were written."""
Time = Annotated[datetime, Kind.TIME]
"""TypeTime: aware, UTC, cut to microseconds."""
List = Annotated[list[Any], Kind.LIST]
