"""Indices in a TPM's non-volatile memory: a small secret each, read by its authorization value, gone once undefined.

Part 1 §37, Part 3 §31. Defined in the owner hierarchy; an authorization value is 32 random bytes, so wrong ones are not
counted against the TPM (NO_DA), and nobody can lock the owner out by trying.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from keystead.core.errors import InvalidArgument
from keystead.core.sensitive import Sensitive

if TYPE_CHECKING:
    from keystead.tpm.device import Session

FIRST, LAST = 0x01800000, 0x01BFFFFF  # owner-defined: "TCG Registry of Reserved TPM 2.0 Handles", §2.2
AUTH_BYTES = TAG_BYTES = 32
MOST_CONTENT = 256  # bytes
N_LISTED = 254


class Nv:
    """The indices of one TPM. Raises what keystead.tpm.errors says."""

    def __init__(self, session: Callable[[], AbstractContextManager[Session]]) -> None:
        self._session = session

    def define(self, index: int, auth: Sensitive, content: Sensitive, tag: bytes = b"") -> None:
        """Make the index with that content; durable on return. It is there with all of it, or was not made.

        `tag`: 32 bytes that anybody may see beside it. They stand where a policy would (Part 1 §37.3.4); none is asked
        for, as no attribute lets one in. Raises InvalidArgument, AlreadyExists, Unavailable (no room).
        """
        from tpm2_pytss import TPM2_ALG, TPM2B_NV_PUBLIC, TPMA_NV, TPMS_NV_PUBLIC  # noqa: PLC0415 - an extra

        _check(index, auth)
        data = content.reveal()
        if len(tag) not in {0, TAG_BYTES}:
            raise InvalidArgument(f"a tag is {TAG_BYTES} bytes", "tag")
        if not 0 < len(data) <= MOST_CONTENT:
            raise InvalidArgument(f"an index holds 1 to {MOST_CONTENT} bytes", "content")
        public = TPMS_NV_PUBLIC(
            nvIndex=index,
            nameAlg=TPM2_ALG.SHA256,
            attributes=TPMA_NV.AUTHREAD | TPMA_NV.AUTHWRITE | TPMA_NV.NO_DA,
            authPolicy=tag,
            dataSize=len(data),
        )
        with self._session() as on:
            handle = on.tpm.nv_define_space(auth.reveal(), TPM2B_NV_PUBLIC(nvPublic=public), session1=on.secret)
            try:
                on.tpm.nv_write(handle, data, session1=on.secret)
            except BaseException:
                on.tpm.nv_undefine_space(handle, session1=on.secret)
                raise
            on.tpm.tr_close(handle)

    def read(self, index: int, auth: Sensitive) -> Sensitive:
        """Raises NotFound, Unauthenticated, Conflict (defined and never written)."""
        _check(index, auth)
        with self._session() as on, _found(on, index) as handle:
            public, _ = on.tpm.nv_read_public(handle)
            on.tpm.tr_set_auth(handle, auth.reveal())
            return Sensitive(bytes(on.tpm.nv_read(handle, public.nvPublic.dataSize, session1=on.secret)))

    def tag(self, index: int) -> bytes:
        """What `define` was given, or b"". Raises NotFound."""
        with self._session() as on, _found(on, index) as handle:
            public, _ = on.tpm.nv_read_public(handle)
            return bytes(public.nvPublic.authPolicy)

    def undefine(self, index: int) -> None:
        """The TPM forgets the index and its content; no matter if there is none."""
        if not FIRST <= index <= LAST:
            raise InvalidArgument("no index of the owner's", "index")
        with self._session() as on:
            if index in _indices(on.tpm, index, 1):
                on.tpm.nv_undefine_space(on.tpm.tr_from_tpmpublic(index), session1=on.secret)

    def indices(self, first: int = FIRST, last: int = LAST) -> tuple[int, ...]:
        """Those that are defined, ascending: the first N_LISTED of them."""
        with self._session() as on:
            return tuple(index for index in _indices(on.tpm, first, N_LISTED) if index <= last)


@contextmanager
def _found(on: Session, index: int) -> Iterator[Any]:
    handle = on.tpm.tr_from_tpmpublic(index)
    try:
        yield handle
    finally:
        on.tpm.tr_close(handle)


def _indices(tpm: Any, first: int, n: int) -> tuple[int, ...]:
    from tpm2_pytss import TPM2_CAP  # noqa: PLC0415 - an extra

    _, found = tpm.get_capability(TPM2_CAP.HANDLES, first, n)
    return tuple(int(handle) for handle in found.data.handles)


def _check(index: int, auth: Sensitive) -> None:
    if not FIRST <= index <= LAST:
        raise InvalidArgument("no index of the owner's", "index")
    if len(auth.reveal()) != AUTH_BYTES:
        raise InvalidArgument(f"an authorization value is {AUTH_BYTES} bytes", "auth")
