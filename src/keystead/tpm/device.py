"""The TPM itself: opened for each call, its storage root key, its sessions, its random numbers.

TCG "TPM 2.0 Library" Parts 1 and 3; "TCG TSS 2.0 Enhanced System API".
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from keystead.core.errors import Conflict, InvalidArgument, Unsupported
from keystead.core.sensitive import Sensitive
from keystead.tpm import authorizing
from keystead.tpm.authorizing import Approval
from keystead.tpm.errors import translated
from keystead.tpm.nv import Nv
from keystead.tpm.sealing import SealedBlob, check_pcrs, seal, unseal

WAYS = ("device", "swtpm", "mssim", "tabrmd")  # Tss2_TctiLdr would load any library by its name
MOST_RANDOM = 4096  # bytes at once
HOW = 'the TPM is given as tpm = { tcti = "device:/dev/tpmrm0" }'


class Tpm:
    """One TPM. Safe to use from any thread; never on the event loop. All of it raises Unavailable, Unsupported."""

    def __init__(self, tcti: str, owner: Callable[[], Sensitive] | None = None) -> None:
        """`tcti`: as tpm2-tools have it, "device:/dev/tpmrm0". `owner`: the password of its owner hierarchy, if it has
        one; asked for each time. Raises InvalidArgument.
        """
        if tcti.partition(":")[0] not in WAYS:
            raise InvalidArgument(f"{HOW}; it begins with one of {', '.join(WAYS)}", "tpm")
        self._tcti, self._owner, self._lock = tcti, owner, threading.Lock()
        self.nv = Nv(self.session)

    def random(self, n: int) -> bytes:
        """`n` bytes of its generator, asked for in as many pieces as it takes. Raises InvalidArgument."""
        if not 0 < n <= MOST_RANDOM:
            raise InvalidArgument(f"1 to {MOST_RANDOM} random bytes at once", "n")
        found = b""
        with self.session() as on:
            while len(found) < n:
                found += bytes(on.tpm.get_random(min(32, n - len(found)), session1=on.secret))
        return found

    def seal(
        self, secret: Sensitive, pcrs: tuple[int, ...], authority: bytes = b"", reference: bytes = b""
    ) -> SealedBlob:
        """`secret` (at most 128 bytes), to be had from this TPM alone and while those PCRs are as they are now.

        `authority`: whose signature allows others, a point of P-256 (crypto.p256); `reference`: 32 bytes that no other
        blob has (authorizing). Raises InvalidArgument.
        """
        check_pcrs(pcrs)
        with self.session() as on:
            return seal(on, secret, pcrs, authority, reference)

    def unseal(self, blob: SealedBlob, approvals: Callable[[], Sequence[Approval]] = tuple) -> Sensitive:
        """`approvals` are asked for where the PCRs are not those that it was sealed under.

        Raises Unauthenticated (other PCRs), Conflict (another TPM), InvalidArgument.
        """
        check_pcrs(blob.pcrs)
        with self.session() as on:
            return unseal(on, blob, approvals)

    def pcrs(self, pcrs: tuple[int, ...]) -> tuple[bytes, ...]:
        """What they are now, ascending, in the SHA-256 bank. Raises InvalidArgument."""
        check_pcrs(pcrs)
        with self.session() as on:
            return authorizing.read(on, pcrs)

    @contextmanager
    def session(self, name: bytes = b"") -> Iterator[Session]:
        """The TPM for one piece of work. `name`: of the storage root key that it must have. Raises Conflict."""
        esys = _esys()
        with self._lock, translated():
            try:
                tpm = esys(self._tcti)
            except RuntimeError as error:
                if type(error) is RuntimeError:
                    raise InvalidArgument(HOW, "tpm") from None
                raise
            with tpm:
                yield from _with_session(tpm, name, None if self._owner is None else self._owner())


class Session:
    """An open TPM. `root`: its storage root key, loaded. `secret`: a session that encrypts what is secret both ways.

    The session's key is salted to the root key, which the TPM derives from its seed and never tells: whoever listens
    on the bus reads nothing (Part 1, §21). Whoever answers in the TPM's place has another root key: `root_name`, kept
    from when something was sealed, tells.
    """

    def __init__(self, tpm: Any, root: Any, root_name: bytes, secret: Any) -> None:
        self.tpm, self.root, self.root_name, self.secret = tpm, root, root_name, secret

    @contextmanager
    def started(self, kind: str) -> Iterator[Any]:
        """A policy or trial session, encrypting too. Flushed at the end."""
        handle = _start(self.tpm, self.root, kind)
        try:
            yield handle
        finally:
            self.tpm.flush_context(handle)


def _with_session(tpm: Any, name: bytes, owner: Sensitive | None) -> Iterator[Session]:
    root, public = _storage_root(tpm, owner)
    try:
        found = bytes(public.get_name())
        if name and found != name:
            raise Conflict("it was sealed by another TPM, or this one was cleared")
        secret = _start(tpm, root, "HMAC")
        try:
            yield Session(tpm, root, found, secret)
        finally:
            tpm.flush_context(secret)
    finally:
        tpm.flush_context(root)


def _storage_root(tpm: Any, owner: Sensitive | None) -> tuple[Any, Any]:
    """The ECC storage key that the owner's seed always gives again: "TCG TPM v2.0 Provisioning Guidance", §7.5.1.

    The owner's password, where there is one, is shown by an HMAC and never sent (Part 1 §19.6). There is no root key
    yet to salt the session to, so whoever listens could try passwords at it: it should be one that nobody guesses.
    """
    from tpm2_pytss import ESYS_TR, TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE  # noqa: PLC0415 - an extra

    attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"
    template = TPM2B_PUBLIC.parse("ecc256:aes128cfb", objectAttributes=attributes)
    if owner is None:
        root, public, *_ = tpm.create_primary(TPM2B_SENSITIVE_CREATE(), template, ESYS_TR.OWNER)
        return root, public
    tpm.tr_set_auth(ESYS_TR.OWNER, owner.reveal())
    shown = _start(tpm, ESYS_TR.NONE, "HMAC")
    try:
        root, public, *_ = tpm.create_primary(TPM2B_SENSITIVE_CREATE(), template, ESYS_TR.OWNER, session1=shown)
    finally:
        tpm.flush_context(shown)
    return root, public


def _start(tpm: Any, root: Any, kind: str) -> Any:
    from tpm2_pytss import ESYS_TR, TPM2_ALG, TPM2_SE, TPMA_SESSION, TPMT_SYM_DEF  # noqa: PLC0415 - an extra

    session = tpm.start_auth_session(
        tpm_key=root,
        bind=ESYS_TR.NONE,
        session_type=getattr(TPM2_SE, kind),
        symmetric=TPMT_SYM_DEF.parse("aes128cfb"),
        auth_hash=TPM2_ALG.SHA256,
    )
    tpm.trsess_set_attributes(session, TPMA_SESSION.DECRYPT | TPMA_SESSION.ENCRYPT | TPMA_SESSION.CONTINUESESSION)
    return session


def _esys() -> Any:
    os.environ.setdefault("TSS2_LOG", "all+NONE")  # it would write to standard error what we raise
    try:
        from tpm2_pytss import ESAPI  # noqa: PLC0415 - an extra: whoever has no TPM has none of it
    except ImportError:
        raise Unsupported("TPMs need the extra `tpm` (tpm2-pytss) to be installed") from None
    return ESAPI
