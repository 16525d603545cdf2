"""Key management services beside the tests, over TLS: stand-ins, by their documents, for those nobody runs at home.

with stand_in(directory) as service:                Google's Cloud KMS and Azure's Key Vault at one address
    service.endpoint, service.ca, service.asked      what it was asked, in order
with tls_before(address, directory) as endpoint:    TLS in front of a server that speaks none
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import threading
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tests.certificates import Authority

TOKEN = "ya29.stand-in"
GOOGLE = "projects/p/locations/global/keyRings/r/cryptoKeys/k"
AZURE = "root"
VERSION = "78deebed173b48e48f55abf87ed4cf71"
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)


class StandIn:
    def __init__(self, endpoint: str, ca: Path) -> None:
        self.endpoint, self.ca = endpoint, ca
        self.asked: list[tuple[str, dict]] = []
        self.answers: list[tuple[int, bytes]] = []  # instead of its own, the next ones
        self.token = TOKEN
        self._aes, self._rsa = AESGCM(bytes(32)), rsa.generate_private_key(65537, 2048)

    def serve(self, path: str, headers, body: bytes) -> tuple[int, bytes]:
        message = json.loads(body)
        self.asked.append((path, message))
        if self.answers:
            return self.answers.pop(0)
        if headers["Authorization"] != f"Bearer {self.token}":
            return 401, json.dumps({"error": {"code": 401, "status": "UNAUTHENTICATED"}}).encode()
        if found := re.fullmatch(rf"/v1/{GOOGLE}:(encrypt|decrypt)", path):
            return self._google(found[1], message)
        if found := re.fullmatch(rf"/keys/{AZURE}(/{VERSION})?/(wrapkey|unwrapkey)\?api-version=7\.4", path):
            return self._azure(found[2], message)
        return 404, json.dumps({"error": {"code": "KeyNotFound", "message": "no such key"}}).encode()

    def _google(self, act: str, message: dict) -> tuple[int, bytes]:
        """Cloud KMS API, REST: projects.locations.keyRings.cryptoKeys.encrypt, decrypt"""
        aad = b64decode(message["additionalAuthenticatedData"])
        if act == "encrypt":
            nonce = os.urandom(12)
            sealed = nonce + self._aes.encrypt(nonce, b64decode(message["plaintext"]), aad)
            answer = {"name": f"{GOOGLE}/cryptoKeyVersions/1", "ciphertext": b64encode(sealed).decode()}
            return 200, json.dumps(answer).encode()
        blob = b64decode(message["ciphertext"])
        try:
            return 200, json.dumps(
                {"plaintext": b64encode(self._aes.decrypt(blob[:12], blob[12:], aad)).decode()}
            ).encode()
        except InvalidTag:
            return 400, json.dumps({"error": {"code": 400, "status": "INVALID_ARGUMENT"}}).encode()

    def _azure(self, act: str, message: dict) -> tuple[int, bytes]:
        """Key Vault REST API 7.4: Wrap Key, Unwrap Key"""
        assert message["alg"] == "RSA-OAEP-256" and set(message) == {"alg", "value"} and "=" not in message["value"]
        value = urlsafe_b64decode(message["value"] + "==")
        try:
            done = self._rsa.public_key().encrypt(value, OAEP) if act == "wrapkey" else self._rsa.decrypt(value, OAEP)
        except ValueError:
            return 400, json.dumps({"error": {"code": "BadParameter", "message": "…"}}).encode()
        text = urlsafe_b64encode(done).rstrip(b"=").decode()
        return 200, json.dumps({"kid": f"https://x.vault.azure.net/keys/{AZURE}/{VERSION}", "value": text}).encode()


@contextmanager
def stand_in(directory: Path) -> Iterator[StandIn]:
    directory.mkdir(parents=True, exist_ok=True)
    authority = Authority(directory)
    service: StandIn

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = service.serve(self.path, self.headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a client that was killed

    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = authority.context("localhost").wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        service = StandIn(f"https://localhost:{server.server_port}", authority.ca)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def tls_before(address: tuple[str, int], directory: Path) -> Iterator[tuple[str, Path]]:
    """(endpoint, PEM of who vouches for it)"""
    directory.mkdir(parents=True, exist_ok=True)
    authority = Authority(directory)
    context = authority.context("localhost")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=forward, args=(listening.accept()[0],), daemon=True).start()

        def forward(bare: socket.socket) -> None:
            secure = context.wrap_socket
            with suppress(OSError), secure(bare, server_side=True) as here, socket.create_connection(address) as there:
                back = threading.Thread(target=copy, args=(there, here), daemon=True)
                back.start()
                copy(here, there)
                back.join()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"https://localhost:{listening.getsockname()[1]}", authority.ca
        finally:
            listening.shutdown(socket.SHUT_RDWR)  # else the thread takes one more


def copy(source: socket.socket | ssl.SSLSocket, target: socket.socket | ssl.SSLSocket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
