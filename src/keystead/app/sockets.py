"""Listening sockets: bound once by the supervisor, inherited by workers, kept across their restarts.

Every worker has a socket of its own on the same port (SO_REUSEPORT), so the kernel spreads connections and no
worker shares an accept queue with another.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from keystead.core.errors import InvalidArgument, Unavailable

BACKLOG = 1024


def parse_address(text: str) -> tuple[str, int]:
    """("127.0.0.1", 8200) of "127.0.0.1:8200", "[::1]:8200". Raises InvalidArgument."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise InvalidArgument(f"{text!r} is not HOST:PORT", "listen")
    return host.removeprefix("[").removesuffix("]"), int(port)


def bind(text: str, n: int, first: socket.socket | None = None) -> list[socket.socket]:
    """`n` sockets listening on one address; port 0 picks a free port, the same for all.

    `first`: one of them, where it is there already. Raises Unavailable, where anybody else listens there, too.
    """
    host, port = parse_address(text)
    bound: list[socket.socket] = []
    if first is not None:
        bound.append(first)
        port = first.getsockname()[1]
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        if first is None:
            _is_free(family, host, port)
        for _ in range(n - len(bound)):
            sock = socket.socket(family, socket.SOCK_STREAM)
            bound.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((host, port))
            sock.listen(BACKLOG)
            port = sock.getsockname()[1]
    except OSError as error:
        for sock in bound:
            sock.close()
        words = f"cannot listen on {text}: {error.strerror or error}; say another address with --listen DOOR=HOST:PORT"
        raise Unavailable(words) from error
    return bound


def _is_free(family: socket.AddressFamily, host: str, port: int) -> None:
    """Raises OSError where a socket listens there: beside one of this user's that shares its port, ours could."""
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))


def address_of(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bind_unix(path: Path) -> socket.socket:
    """A unix socket only its owner may connect to. A path longer than the kernel takes is reached by its directory."""
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX)
    at_directory(path, sock.bind)
    path.chmod(0o600)
    sock.listen(64)
    return sock


def connect_unix(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        at_directory(path, sock.connect)
    except OSError:
        sock.close()
        raise
    return sock


def at_directory(path: Path, act: Callable[[str], object]) -> None:
    """Call `act` with a short name of `path`: sun_path holds 108 bytes, a data directory may be deeper."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        act(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)
