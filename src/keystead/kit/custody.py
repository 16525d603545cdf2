"""The seal as a door sees it: shares come in one by one, a token with leave seals, and the custodian answers.

Who keeps the installation hears these requests and nothing else (docs/adr/0022): a share is proof in itself, and what
needs none is asked for once the core has given leave. One process holds what has been given, so it does not matter
which worker a share came to.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from keystead.core.sensitive import Sensitive

A = TypeVar("A")


class Why(Enum):
    """Why the custodian does not do it."""

    SEALED = "sealed"
    OPEN = "open"
    NO_SHARES = "no-shares"  # the seal is of another kind: nothing is shared
    STAYS_OPEN = "stays-open"  # the seal opens by itself, so that sealing would end nothing
    BAD_SET = "bad-set"  # no set has so many shares, or so many to open it
    IN_PROGRESS = "in-progress"
    NOTHING_BEGUN = "nothing-begun"
    TO_BE_VERIFIED = "to-be-verified"  # the new shares have been told, and are to be given back
    WRONG_NONCE = "wrong-nonce"
    NOT_A_SHARE = "not-a-share"
    GIVEN_BEFORE = "given-before"
    WRONG_SHARES = "wrong-shares"
    WRONG_LENGTH = "wrong-length"  # of a one-time pad
    TOO_OFTEN = "too-often"
    BUSY = "busy"  # another change is on its way, and may be starting every worker anew
    FAILED = "failed"


class No(Exception):
    """The custodian's refusal. `detail` is for whoever asked: why a share or a set is none, never what it is."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(why, detail)
        self.why, self.detail = why, detail


# --- answers


class Message(Struct, frozen=True, kw_only=True, tag=True):
    """What goes between a door and the custodian. Its repr shows nothing of what is in it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Done(Message, frozen=True):
    pass


class Standing(Message, frozen=True):
    """Of the seal. `progress`: how many shares have been given of those that open it."""

    kind: str
    is_sealed: bool
    n_shares: int
    threshold: int
    progress: int = 0
    nonce: str = ""


class RootKey(Message, frozen=True):
    """`term`: how many there have been. `n_commits`: since the installation began."""

    term: int
    since: datetime
    n_commits: int


class Rekeying(Message, frozen=True):
    """How far new shares have come. `required`: of the old ones; `n_shares`, `threshold`: of the new ones."""

    nonce: str = ""
    n_shares: int = 0
    threshold: int = 0
    progress: int = 0
    required: int = 0
    with_verification: bool = False
    verification_nonce: str = ""  # once they have been told


class Rekeyed(Message, frozen=True):
    """The new shares, told once. With a nonce they are not good yet: enough of them are to be given back first."""

    nonce: str
    shares: tuple[Sensitive, ...]
    verification_nonce: str = ""


class Verifying(Message, frozen=True):
    nonce: str = ""
    n_shares: int = 0
    threshold: int = 0
    progress: int = 0
    complete: bool = False


class Rooting(Message, frozen=True):
    """How far a new root token has come. `pad`: told once, to whoever began without one; `encoded`: at the end."""

    nonce: str = ""
    progress: int = 0
    required: int = 0
    pad: Sensitive | None = None
    pad_length: int = 0
    encoded: Sensitive | None = None  # the token's text XOR the pad


class Gauge(Struct, frozen=True):
    """`name`: words with dots between them. `labels`: which of several."""

    name: str
    value: float
    labels: dict[str, str] = {}


class Gauges(Message, frozen=True):
    """How the whole installation stands, in numbers; none is a secret, nor of a key or a caller."""

    gauges: tuple[Gauge, ...]


# --- requests


class Request(Message, Generic[A], frozen=True):
    """A request that is answered by an A."""


class Look(Request[Standing], frozen=True):
    pass


class Offer(Request[Standing], frozen=True):
    """A share of the seal; None: forget those that were given."""

    share: Sensitive | None = None


class SealUp(Request[Done], frozen=True):
    pass


class RotateRoot(Request[Done], frozen=True):
    pass


class LookAtRoot(Request[RootKey], frozen=True):
    pass


class LookAtServer(Request[Gauges], frozen=True):
    pass


class BeginRekey(Request[Rekeying], frozen=True):
    n_shares: int
    threshold: int
    with_verification: bool = False


class LookAtRekey(Request[Rekeying], frozen=True):
    pass


class CancelRekey(Request[Done], frozen=True):
    pass


class GiveForRekey(Request["Rekeying | Rekeyed"], frozen=True):
    share: Sensitive
    nonce: str


class LookAtVerify(Request[Verifying], frozen=True):
    pass


class CancelVerify(Request[Verifying], frozen=True):
    """Begin to verify anew; the new shares stay."""


class GiveForVerify(Request[Verifying], frozen=True):
    share: Sensitive
    nonce: str


class BeginRoot(Request[Rooting], frozen=True):
    pad: Sensitive | None = None


class LookAtRootToken(Request[Rooting], frozen=True):
    pass


class CancelRoot(Request[Done], frozen=True):
    pass


class GiveForRoot(Request[Rooting], frozen=True):
    share: Sensitive
    nonce: str


AnyRequest = (
    Look
    | Offer
    | SealUp
    | RotateRoot
    | LookAtRoot
    | LookAtServer
    | BeginRekey
    | LookAtRekey
    | CancelRekey
    | GiveForRekey
    | LookAtVerify
    | CancelVerify
    | GiveForVerify
    | BeginRoot
    | LookAtRootToken
    | CancelRoot
    | GiveForRoot
)
AnyAnswer = Done | Standing | RootKey | Gauges | Rekeying | Rekeyed | Verifying | Rooting


class Custody(Protocol):
    """The custodian, from a worker. May take long: never on the event loop."""

    def __call__(self, request: Request[A], /) -> A:
        """Raises No."""
        ...


def hide(value: Any) -> bytes:
    """msgspec's enc_hook for what these messages hold, onto a line that nobody else hears."""
    if isinstance(value, Sensitive):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} is in no message")


def unhide(kind: type[Any], value: Any) -> Any:
    """The dec_hook beside it."""
    if kind is Sensitive and isinstance(value, bytes):
        return Sensitive(value)
    raise TypeError(f"{kind.__name__} is in no message")
