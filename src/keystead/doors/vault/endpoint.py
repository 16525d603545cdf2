"""How an operation of this door is declared, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import asdict

from keystead.core import errors as e
from keystead.core.caller import Asked, Caller
from keystead.core.entities import ROOT, path_of_chain, sign_of_chain
from keystead.core.errors import KeysteadError
from keystead.core.operations import Operation
from keystead.core.sensitive import Sensitive
from keystead.doors.vault.spelling import Spelling, spelling
from keystead.kit import Call, Means, PathOperation, path_operation
from keystead.kit.custody import Custody
from keystead.service.credentials.vouchers import Shown
from keystead.wire import Misfit
from keystead.wire.http import NO_HEADERS, Headers
from keystead.wire.vault import Refused
from keystead.wire.vault.envelope import UNSUPPORTED_OPERATION, Auth, WrapInfo, writer
from keystead.wire.vault.reader import Parameters, Read, reader
from keystead.wire.vault.request import Verb

P = TypeVar("P", bound=Parameters)
R = TypeVar("R")

NO_CAPTURES: Mapping[str, str] = {}
CAPABILITIES: dict[Verb, str] = {
    Verb.READ: "read",
    Verb.HEAD: "read",
    Verb.WRITE: "update",
    Verb.LIST: "list",
    Verb.SCAN: "scan",
    Verb.DELETE: "delete",
    Verb.PATCH: "patch",
    Verb.HELP: "read",  # of what is reached no policy is asked
}


class Answer(Struct, frozen=True, kw_only=True):
    """More than data alone. `doubled`: the data stands at the top level, too. `bare`: it is the whole body.

    `again`: a request that was waiting, whose answer is the answer. `media`: what `data` is, which is bytes then, and
    the whole body. `headers`: of a bare one, beside those of every answer.
    """

    data: Any = None
    auth: Auth | None = None
    wrap_info: WrapInfo | None = None
    warnings: Sequence[str] = ()
    doubled: bool = False
    bare: bool = False
    status: int = 200
    lease_duration: int = 0  # seconds, of what has no lease
    again: bytes = b""
    media: bytes = b""
    headers: bytes = b""


TIDIED = Answer(
    status=202,
    warnings=(
        "Tidy operation successfully started. Any information from the operation will be printed to the server logs.",
    ),
)
"""In Vault's words; here it is done when it is answered."""


class Endpoint(PathOperation[Any, Any], frozen=True, kw_only=True):
    """`creates`: needs "create" where the thing is not there. `sudo`: its path is one of those that need it.

    `open_ended`: it takes whatever parameters there are, and none is remarked upon (Call.caller.asked has them).
    `unsigned`: for whoever has no token yet; one that comes with it is not looked at.
    `shows`: of its message, what somebody else has said of who logs in, or is to be asked; by a call of a stranger.
    `spelling`: where its path is one in several.
    `refuses`: what a stranger hears in place of an error, where another protocol says how; None: what everybody does.
    """

    engine: str
    verb: Verb
    creates: bool = False
    sudo: bool = False
    open_ended: bool = False
    unsigned: bool = False
    shows: Callable[[Any, Call], Shown] | None = None
    refuses: Callable[[KeysteadError], Answer | None] | None = None
    spelling: Spelling | None = None

    def asked(
        self,
        path: str,
        parameters: Mapping[str, Any],
        wrap_for: float | None = None,
        below: str = "",
        captures: Mapping[str, str] = NO_CAPTURES,
    ) -> Asked:
        """`path` from the namespace of the request, and `below` what leads there from the caller's own."""
        meant = self.spelling.meant(path, captures) if self.spelling is not None and captures is not NO_CAPTURES else ""
        return Asked(
            path=below + path,
            capability=CAPABILITIES[self.verb],
            creates=self.creates,
            parameters=parameters,
            wrap_for=wrap_for,
            needs_sudo=self.sudo,
            below=below,
            meant=below + meant if meant else "",
        )


def _revealed(value: Any) -> str:
    """What only the caller is told. Raises TypeError for anything that has no form in JSON."""
    if type(value) is not Sensitive:
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return value.reveal().decode()


write = writer(_revealed)


def endpoint(  # noqa: PLR0913 - each says one fact of an operation
    engine: str,
    verb: Verb,
    path: str,
    *,
    creates: bool = False,
    sudo: bool = False,
    reads: Callable[[type[P]], Read[P]] = reader,
    open_ended: bool = False,
    unsigned: bool = False,
    shows: Callable[[P, Call], Shown] | None = None,
    refuses: Callable[[KeysteadError], Answer | None] | None = None,
) -> Callable[[Callable[[P, Call], Any]], Endpoint]:
    """Declare the function below to be what `verb` does at `path` of an engine. It answers data, an Answer, or None.

    `reads` prepares what reads its message, where that is not one parameter for each field.
    """
    prepare = (lambda message: unprefixed(reads(message))) if creates else reads
    declare = path_operation(verb.value, path, errors=frozenset(), reader=prepare, write=write)

    def made(run: Callable[[P, Call], Any]) -> Endpoint:
        facts = asdict(declare(run))
        facts["name"] = f"{engine} {facts['name']}"
        return Endpoint(
            **facts,
            spelling=spelling(facts["request"], verb, path),
            engine=engine,
            verb=verb,
            creates=creates,
            sudo=sudo,
            open_ended=open_ended,
            unsigned=unsigned,
            shows=shows,
            refuses=refuses,
        )

    return made


def unprefixed(read: Read[P]) -> Read[P]:
    """Where Vault asks first whether the thing is there, it is that look that does not like the parameters."""

    def take(captures: Mapping[str, str], arguments: Any) -> tuple[P, tuple[str, ...]]:
        try:
            return read(captures, arguments)
        except Misfit as error:
            raise Refused(400, error.text) from None

    return take


KINDS: Mapping[int, type[KeysteadError]] = {
    400: e.InvalidArgument,
    403: e.Denied,
    404: e.NotFound,
    405: e.Unsupported,
    412: e.Conflict,
    413: e.LimitExceeded,
    429: e.RateLimited,
    500: e.InvalidArgument,
    501: e.Unsupported,
    503: e.Unavailable,
}
"""What a refusal in Vault's own words is on record as. Its 500s are answers to requests that lack something, too."""


class TokenCall(Call):
    """A call that knows the text its caller came with, as some answers say it back, and who answers for the seal.

    `lease_for`: the mount's own default_lease_ttl, in seconds; 0 where it has none.
    `led`: what of a path that is to be shown led to the namespace it is about. `chain_of`: of a tenant.
    `has_asked`: whether any operation has been performed with it (leave.py). `spelt`: (tenant, path) -> the path in
    other spellings of what it leads to.
    """

    __slots__ = ("chain_of", "custody", "has_asked", "headers", "lease_for", "led", "spelt", "text")

    def __init__(
        self,
        means: Means,
        caller: Caller,
        text: Sensitive,
        led: str = "",
        headers: Headers = NO_HEADERS,
        lease_for: int = 0,
        spelt: Callable[[str, str], tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__(means.service, caller, means.markers)
        self.text, self.custody, self.led, self.chain_of = text, means.custody, led, means.mounts.chain
        self.spelt = spelt
        self.headers, self.lease_for, self.has_asked = headers, lease_for, False

    def __call__(self, op: Operation[R]) -> R:
        self.has_asked = True
        return self._perform(self.caller, op)


class StrangerCall(Call):
    """Of whoever is about to log in."""

    __slots__ = ("headers",)

    def __init__(self, means: Means, caller: Caller, headers: Headers) -> None:
        super().__init__(means.service, caller, means.markers)
        self.headers = headers


def headers_of(call: Call) -> Headers:
    """What stands above the request, by name; a secret of its caller's may be among it."""
    return call.headers if isinstance(call, TokenCall | StrangerCall) else NO_HEADERS


class OpenCall(Call):
    """Of somebody who may be anybody: no operation can be performed with it, and the custodian alone can be asked."""

    __slots__ = ("custody",)

    def __init__(self, custody: Custody | None) -> None:
        self.custody = custody


def custody_of(call: Call) -> Custody:
    """Raises Said where nobody answers for the seal."""
    custody = call.custody if isinstance(call, TokenCall | OpenCall) else None
    if custody is None:
        raise Said(405, UNSUPPORTED_OPERATION)
    return custody


def token_of_caller(call: Call) -> Sensitive:
    """The token that a request came with; empty for a call that came without."""
    return call.text if isinstance(call, TokenCall) else Sensitive(b"")


def text_of_caller(call: Call) -> str:
    """The same, to be said back."""
    return token_of_caller(call).reveal().decode()


def led_there(call: Call) -> str:
    """What of a path that is to be shown led to the namespace it is in: "ns1/"."""
    return call.led if isinstance(call, TokenCall) else ""


def spelt(call: Call, path: str) -> tuple[str, ...]:
    """The path in other spellings of what it leads to from the tenant of the request."""
    found = call.spelt if isinstance(call, TokenCall) else None
    return found(call.caller.principal.tenant, path) if found is not None else ()


def namespace_path(call: Call, tenant: str) -> str:
    """Where a tenant stands below its root: "ns1/"; "" of a root."""
    return path_of_chain(call.chain_of(tenant)) if isinstance(call, TokenCall) else ""


def namespace_id(call: Call, tenant: str = "") -> str:
    """What the namespace of the request, or that tenant, is called where names may change."""
    of = tenant or call.caller.principal.tenant
    return sign_of_chain(call.chain_of(of)) if isinstance(call, TokenCall) else ROOT


class Said(KeysteadError):
    """A refusal whose words and status Vault has itself: Said(400, "encryption key not found")."""

    @property
    def status(self) -> int:
        return int(self.args[0])

    @property
    def detail(self) -> None:
        return None

    @property
    def kind(self) -> KeysteadError:
        """The same as the core has it; on record already, where it is another word for what was put there."""
        said_of = self.__cause__ or self.__context__
        return said_of if isinstance(said_of, KeysteadError) else KINDS[self.status](str(self))

    def __str__(self) -> str:
        return str(self.args[1]) if len(self.args) > 1 else ""
