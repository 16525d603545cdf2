"""Where audit devices may go: directories for their files, sockets for their lines. Only the operator names them.

"syslog"            the agent of this machine, at /dev/log
"syslog:/run/log"   the same at another place
"tcp:HOST:PORT", "udp:HOST:PORT", "unix:/run/audit.sock"
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from keystead.core.errors import InvalidArgument

SYSLOG: Final = "syslog"
USUAL_AGENT: Final = "/dev/log"
_INTERNET: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,253}):([1-9][0-9]{0,4})")
_PATH: Final = re.compile(r"/[^\x00-\x1f\x7f]{1,106}")  # sun_path has 108 bytes, unix(7)
INTERNET: Final = frozenset({"tcp", "udp"})
SOCKETS: Final = INTERNET | {"unix"}


class Places(Struct, frozen=True):
    directories: tuple[str, ...] = ()  # the first is the usual one
    sockets: tuple[str, ...] = ()  # as the configuration has them, each as `place` writes it

    @property
    def agent(self) -> str | None:
        """The path of the syslog agent; None: there is to be none."""
        for one in self.sockets:
            kind, _, path = one.partition(":")
            if kind == SYSLOG:
                return path or USUAL_AGENT
        return None


NOWHERE: Final = Places()


def place(kind: str, address: str) -> str:
    """A socket's place, written in one way: the host in small letters. Raises InvalidArgument (detail "address")."""
    if kind in INTERNET:
        found = _INTERNET.fullmatch(address)
        if found is not None and int(found[2]) < 1 << 16:
            return f"{kind}:{address.lower()}"
    elif kind == "unix" and _PATH.fullmatch(address) and len(address.encode()) < 108:
        return f"{kind}:{address}"
    raise InvalidArgument(f"no address of a {kind} socket", "address")


def allowed(text: str) -> str:
    """What a line of the configuration allows. Raises InvalidArgument."""
    kind, _, address = text.partition(":")
    if kind == SYSLOG:
        return f"{kind}:{place('unix', address).partition(':')[2]}" if address else kind
    if kind not in SOCKETS:
        raise InvalidArgument(
            f"{text!r} is no socket for audit devices; there are syslog, {', '.join(sorted(SOCKETS))}"
        )
    return place(kind, address)
