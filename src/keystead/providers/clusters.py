"""HSMs as the AWS CloudHSM clusters that key stores can be (core.providers.Clusters, docs/adr/0034)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode
from collections.abc import Callable, Mapping

from keystead.core.errors import KeysteadError, NotFound, Unauthenticated, Unavailable
from keystead.core.keystores import Moment, Trouble, failed
from keystead.core.operations import NO_CLUSTER, NOT_ACTIVE
from keystead.core.ports import Entropy
from keystead.core.sensitive import Sensitive
from keystead.cryptoki.token import Token
from keystead.providers.guesses import Guesses

DIGITS = 11  # KMS API Reference, CreateCustomKeyStore: CloudHsmClusterId has 11 to 16 after "cluster-"


class HsmClusters:
    """`tokens` and `pin`: of an HSM, by its name in the configuration. `ids`: of those whose id is settled there."""

    def __init__(
        self,
        names: list[str],
        token: Callable[[str], Token],
        pin: Callable[[str], Sensitive],
        ids: Mapping[str, str],
        guesses: Guesses,
        screened: Callable[[str, Entropy], Entropy] = lambda _, read: read,
    ) -> None:
        """`screened`: the generator of an HSM, with health tests before it."""
        self._names, self._token, self._pin, self._guesses = names, token, pin, guesses
        self._ids = dict(ids)
        self._random = {name: screened(name, lambda n, /, of=name: token(of).random(n)) for name in names}

    def id_of(self, hsm: str) -> str:
        """As it is settled, or else made of the token's serial number. Raises what asking the token does."""
        if hsm not in self._ids:
            self._ids[hsm] = derived(self._token(hsm).info().serial)
        return self._ids[hsm]

    def find(self, id: str) -> str:
        """The HSM that this is the cluster id of. Raises NotFound; Unavailable where one that may be it is away."""
        away = False
        for hsm in self._names:
            try:
                if self.id_of(hsm) == id:
                    return hsm
            except KeysteadError:
                away = True
        if away:
            raise Unavailable("an HSM that may be that cluster does not answer", NOT_ACTIVE)
        raise NotFound("no such cluster", NO_CLUSTER)

    def check(self, hsm: str, password: Sensitive) -> None:
        """Return if it is there, and that is the password of its user. Raises what core.keystores.failed makes.

        The password is compared with the PIN, or with what of it is behind a colon (AWS CloudHSM: "user:password").
        It is never tried: three that are wrong would lock the user out. Nor is it guessed (providers.guesses).
        """
        if hsm not in self._names:
            raise failed(Trouble.NO_HSM, Moment.SET_UP)
        try:
            self._token(hsm).info()
        except Unauthenticated as error:
            raise failed(Trouble.LOCKED, Moment.SET_UP) from error
        except KeysteadError as error:
            raise failed(Trouble.AWAY, Moment.SET_UP) from error
        pin, given = self._pin(hsm).reveal(), password.reveal()

        def is_right() -> bool:
            return hmac.compare_digest(pin, given) | hmac.compare_digest(pin.partition(b":")[2] or pin, given)

        is_user = self._guesses.compared(hsm, is_right)
        if not is_user:
            raise failed(Trouble.LOCKED if is_user is None else Trouble.UNAUTHENTICATED, Moment.SET_UP)

    def is_at(self, hsm: str, *, label: str, slot: str) -> bool:
        """Whether its token has that label and that slot (a number in decimal); "" is any. Raises Unavailable."""
        info = self._token(hsm).info()
        return label in {"", info.label} and slot in {"", str(info.slot)}

    def random(self, hsm: str, n: int) -> Sensitive:
        """`n` bytes of its generator's. Raises Unavailable."""
        if hsm not in self._names:
            raise Unavailable(f"the HSM {hsm} is not configured")
        return Sensitive(self._random[hsm](n))


def derived(serial: str) -> str:
    """The cluster id of a token with that serial number."""
    digest = hashlib.sha256(b"keystead/cluster/v1\0" + serial.encode()).digest()
    return f"cluster-{b32encode(digest).decode().lower()[:DIGITS]}"
