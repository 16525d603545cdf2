"""core.ports.Slot in a TPM 2.0: one index of its non-volatile memory for each generation (Part 1 §37).

Rule 1: no index is read without its authorization value, which is derived from U: whoever has the machine and not U
        reads nothing. Undefining, which the owner of the TPM may, is what erases.
Rule 2: a generation is named by a hash of its secret, never by the index: the TPM shows it beside the index (`tag`).
Rule 3: such memory takes some 100,000 writes in its life: destructions share them (`wears`).

Where the indices are: N_INDICES from FIRST on for each installation, by its `owner`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from keystead.core.errors import Internal, KeysteadError, NotFound, Unavailable
from keystead.core.keytree import KEY_BYTES, generation
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.tpm import Tpm
from keystead.tpm.nv import FIRST, LAST

N_INDICES = 16
"""As many generations may be there at once; two are, unless erasing fails again and again."""


class TpmSlot:
    """`owner`: of the installation, 16 hexadecimal digits. Raises Unavailable for whatever the TPM says no to."""

    name, wears = "tpm", True
    may_hang = False  # the driver ends a command, and an index is used again: nothing may be done late

    def __init__(self, tpm: Tpm, owner: str, entropy: Entropy) -> None:
        self._nv, self._owner, self._entropy = tpm.nv, owner, entropy
        n_places = (LAST + 1 - FIRST) // N_INDICES
        self._first = FIRST + int.from_bytes(sha256(owner.encode()).digest()[:8], "big") % n_places * N_INDICES

    def generations(self) -> frozenset[str]:
        return frozenset(self._found())

    def is_short(self) -> bool:
        """It has indices of its own; whether the TPM has memory for another one, it does not tell."""
        return len(self._found()) == N_INDICES

    def give(self, generation: str, challenge: Sensitive) -> Sensitive | None:
        found = self._found()
        if generation not in found:
            return None
        with _asked():
            try:
                secret = self._nv.read(found[generation], self._auth(challenge))
            except NotFound:
                return None
        return Sensitive(hmac.digest(secret.reveal(), challenge.reveal(), "sha256"))

    def stage(self, challenge: Sensitive) -> str:
        """Raises Unavailable where there is no index left."""
        taken = set(self._found().values())
        free = next((at for at in range(self._first, self._first + N_INDICES) if at not in taken), None)
        if free is None:
            raise Unavailable("every index of the TPM that is ours holds something to be erased")
        secret = self._entropy(KEY_BYTES)
        with _asked():
            self._nv.define(free, self._auth(challenge), Sensitive(secret), tag(secret))
        return generation(secret)

    def retire(self, keep: str | None, shown: frozenset[str] | None = None) -> None:
        found = self._found()
        if keep is not None and keep not in found:
            raise Internal("the generation to keep is not in the slot")
        with _asked():
            for name, index in found.items():
                if name != keep and (shown is None or name in shown):
                    self._nv.undefine(index)

    def _found(self) -> dict[str, int]:
        """generation -> index"""
        with _asked():
            indices = self._nv.indices(self._first, self._first + N_INDICES - 1)
            return {self._nv.tag(index)[:8].hex(): index for index in indices}

    def _auth(self, challenge: Sensitive) -> Sensitive:
        text = b"keystead/tpm-slot/v1" + self._owner.encode()
        return Sensitive(hmac.digest(challenge.reveal(), text, "sha256"))


def tag(secret: bytes) -> bytes:
    """The whole of the digest that `keytree.generation` has the beginning of."""
    return sha256(b"keystead/generation/v1" + secret).digest()


@contextmanager
def _asked() -> Iterator[None]:
    try:
        yield
    except (NotFound, Unavailable):
        raise
    except KeysteadError as error:
        raise Unavailable(f"the TPM did not do it: {error}") from error
