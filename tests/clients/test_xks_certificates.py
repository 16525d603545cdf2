"""The xks door asking for certificates: whom it lets in, at a real server (XKS Proxy API: mTLS is optional)."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import pytest
from tests.certificates import Authority
from tests.servers import serving

from keystead import config
from keystead.app.installation import initialise, prepare
from keystead.config import Clients, Config, Tls
from keystead.core.errors import InvalidArgument
from keystead.seals.file import FileSeal

pytestmark = pytest.mark.client

HOST, AWS = "proxy.example.test", "cks.kms.eu-west-1.amazonaws.com"
REQUEST = f"POST /kms/xks/v1/health HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2\r\n\r\n{{}}".encode()


def asked(port: int, trust: Path, own: tuple[Path, Path] | None) -> bytes:
    """The first line of what is answered; nothing where the connection ends."""
    context = ssl.create_default_context(cafile=trust)
    if own is not None:
        context.load_cert_chain(*own)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secured,
        ):
            secured.sendall(REQUEST)
            return secured.recv(65536).partition(b"\r\n")[0]
    except (ssl.SSLError, ConnectionError):
        return b""


def test_only_certificates_of_the_authority_with_the_name_get_in(tmp_path) -> None:
    for name in ("server", "amazon", "others"):
        (tmp_path / name).mkdir()
    server, amazon, others = (Authority(tmp_path / name) for name in ("server", "amazon", "others"))
    chain, private = server.issue(HOST)
    site = tmp_path / "site"
    prepare(site)
    settings = Config(
        tls=Tls(f"file:{chain}", f"file:{private}"), clients={"xks": Clients(f"file:{amazon.ca}", [AWS.upper()])}
    )
    initialise(site, settings, FileSeal.create(site, os.urandom))
    with serving("dev", site, "--listen", "xks=127.0.0.1:0", errors=tmp_path / "errors") as running:
        xks, aws = (int(running.running["listen"][door].rpartition(":")[2]) for door in ("xks", "aws"))
        assert asked(xks, server.ca, amazon.issue(AWS)) == b"HTTP/1.1 401 Unauthorized"  # in, and not signed
        assert asked(xks, server.ca, None) == b""
        assert asked(xks, server.ca, others.issue(AWS)) == b""
        assert asked(xks, server.ca, amazon.issue("cks.kms.us-east-1.amazonaws.com")) == b""
        assert asked(aws, server.ca, None).startswith(b"HTTP/1.1 4"), "another door asks for none"


def test_certificates_are_asked_for_over_tls(tmp_path) -> None:
    (tmp_path / config.FILE_NAME).write_text('clients = { xks = { authorities = "file:ca.pem" } }')
    with pytest.raises(InvalidArgument, match="set `tls` too"):
        config.read(tmp_path)
