"""Logging in by somebody else's word, at a real server: the `bao` command, and HTTPS peers beside it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import pytest
from bench.peers import free_port
from cryptography.hazmat.primitives import serialization
from tests.certificates import Authority, Issued, listed
from tests.oidcissuer import CLIENT, SECRET, StandIn, listening
from tests.servers import BIN, Serving, serving
from tests.tokens import SigningKey, key_set
from tests.waiting import ended, until

from keystead.app.development import save_token
from keystead.app.installation import initialise, prepare, save_credentials
from keystead.config import Config, Logins, Tls
from keystead.seals.file import FileSeal

pytestmark = pytest.mark.client

KEY = SigningKey("RS256")
AUDIENCE = "https://kubernetes.default.svc"
USER = {"username": "system:serviceaccount:default:app", "uid": "u-1"}


class Peer(ThreadingHTTPServer):
    """An issuer and an API server in one; `hangs`: it takes what it is asked and says nothing."""

    daemon_threads = True

    def __init__(self, authority: Authority) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = authority.context("localhost").wrap_socket(self.socket, server_side=True)
        self.url = f"https://localhost:{self.server_port}"
        self.authority, self.hangs, self.n_hanging, self.shown = authority, threading.Event(), 0, ""

    def handle_error(self, *_: Any) -> None:
        """A client that does not wait for us hangs up."""


class _Handler(BaseHTTPRequestHandler):
    server: Peer

    def _say(self, body: bytes, status: int = 200) -> None:
        if self.server.hangs.is_set():
            self.server.n_hanging += 1
            time.sleep(30)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path.endswith("/openid-configuration"):
            self._say(json.dumps({"issuer": self.server.url, "jwks_uri": f"{self.server.url}/keys"}).encode())
        else:
            self._say(key_set(KEY))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.shown = self.headers["Authorization"]
        status = {"authenticated": True, "user": USER, "audiences": asked["spec"]["audiences"]}
        self._say(json.dumps({"kind": "TokenReview", "status": status}).encode(), 201)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class House:
    """A server over TLS, its root's token, and the `bao` command pointed at it."""

    def __init__(self, server: Serving, authority: Authority, home: Path, log: Path) -> None:
        self.server, self.authority, self.home, self.log = server, authority, home, log
        self.port = int(server.running["listen"]["vault"].rpartition(":")[2])
        self.root = server("env", "vault", "--json").json["VAULT_TOKEN"]

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str = "", by: Shown | None = None
    ) -> tuple[int, Any]:
        context = ssl.create_default_context(cafile=self.authority.ca)
        if by is not None:
            context.load_cert_chain(*by)
        line = http.client.HTTPSConnection("localhost", self.port, context=context, timeout=60)
        with closing(line):
            line.request(method, f"/v1/{path}", None if body is None else json.dumps(body), {"X-Vault-Token": token})
            reply = line.getresponse()
            said = reply.read()
        return reply.status, json.loads(said) if said else None

    def tell(self, path: str, body: Any) -> None:
        assert self.ask("POST", path, body, token=self.root)[0] == 204, path

    def bao(self, *words: str, token: str = "") -> subprocess.CompletedProcess[str]:
        env = self.environment(token)
        return subprocess.run([BIN / "bao", *words], env=env, capture_output=True, text=True, check=False, timeout=60)

    def environment(self, token: str = "") -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "BAO_ADDR": f"https://localhost:{self.port}",
            "BAO_CACERT": str(self.authority.ca),
            "BAO_TOKEN": token,
        }


Shown = tuple[Path, Path]


@pytest.fixture(scope="module")
def peer(tmp_path_factory) -> Iterator[Peer]:
    with Peer(Authority(tmp_path_factory.mktemp("peer"))) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield one
        one.shutdown()


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("house")
    authority = Authority(directory)
    chain, private = authority.issue("localhost")
    data = directory / "data"
    prepare(data)
    settings = Config(
        tls=Tls(f"file:{chain}", f"file:{private}"), logins=Logins(private_hosts=["localhost"]), workers=2
    )
    save_credentials(data, initialise(data, settings, FileSeal.create(data, os.urandom)))
    save_token(data)
    with serving("dev", data, "--listen", "vault=localhost:0") as server:
        yield House(server, authority, tmp_path_factory.mktemp("home"), data.with_name("errors"))


# --- certificates


@pytest.fixture(scope="module")
def joe(tmp_path_factory) -> tuple[Issued, Shown]:
    now = datetime.now(UTC)
    ca = Issued("people", ca=True, start=now)
    return ca, written(Issued("joe", ca, start=now), tmp_path_factory.mktemp("joe"))


def written(one: Issued, directory: Path) -> Shown:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths = directory / "cert.pem", directory / "key.pem"
    paths[0].write_text(one.pem)
    paths[1].write_bytes(one.key.private_bytes(*form))
    return paths


@pytest.fixture(scope="module")
def cert(house) -> None:
    house.tell("sys/auth/cert", {"type": "cert"})


def test_a_certificate_logs_in_and_nobody_else_does(house, cert, joe, tmp_path) -> None:
    ca, own = joe
    assert house.ask("POST", "auth/cert/login", {}) == (400, {"errors": ["no client certificate found"]})
    assert house.ask("POST", "auth/cert/login", {}, by=own)[0] == 400  # while there is no role nobody is asked
    let_in_by(house, ca)
    status, said = house.ask("POST", "auth/cert/login", {}, by=own)
    assert (status, said["auth"]["metadata"]["common_name"]) == (200, "joe")
    token = said["auth"]["client_token"]
    assert house.ask("GET", "auth/token/lookup-self", token=token)[0] == 200  # without it, too
    assert house.ask("POST", "auth/token/renew-self", {}, token=token)[0] == 400
    assert house.ask("POST", "auth/token/renew-self", {}, token=token, by=own)[0] == 200
    other = written(Issued("joe", Issued("people", ca=True)), tmp_path)
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        house.ask("POST", "auth/cert/login", {}, by=other)
    assert house.ask("GET", "sys/health")[0] == 200


def let_in_by(house, ca: Issued) -> None:
    house.tell("auth/cert/certs/people", {"certificate": ca.pem, "token_policies": "p", "token_ttl": "1h"})


def test_bao_logs_in_by_a_certificate(house, cert, joe) -> None:
    ca, (certificate, key) = joe
    let_in_by(house, ca)
    login = ("login", "-no-store", "-method=cert", f"-client-cert={certificate}", f"-client-key={key}")
    done = house.bao(*login)
    assert done.returncode == 0 and "token_meta_common_name" in done.stdout, done.stderr
    done = house.bao(*login, "-format=json", "name=people")
    assert json.loads(done.stdout)["auth"]["policies"] == ["default", "p"], done.stderr


def test_a_certificate_that_is_revoked_is_let_in_by_no_worker(house, tmp_path) -> None:
    """`bao write … crl=@FILE`; each request on a connection of its own, which whichever worker takes."""
    now = datetime.now(UTC)
    ca = Issued("leavers", ca=True, start=now)
    leaver, stayer = (Issued(name, ca, start=now) for name in ("leaver", "stayer"))
    (tmp_path / "leaver").mkdir()
    (tmp_path / "stayer").mkdir()
    own, other = written(leaver, tmp_path / "leaver"), written(stayer, tmp_path / "stayer")
    house.tell("sys/auth/leavers", {"type": "cert"})
    house.tell("auth/leavers/certs/all", {"certificate": ca.pem, "token_ttl": "1h"})

    def log_in(by: Shown) -> int:
        return house.ask("POST", "auth/leavers/login", {}, by=by)[0]

    status, said = house.ask("POST", "auth/leavers/login", {}, by=own)
    token = said["auth"]["client_token"]
    assert (status, log_in(other)) == (200, 200)
    (tmp_path / "list.pem").write_bytes(listed(ca, leaver, now=now))
    done = house.bao("write", "auth/leavers/crls/one", f"crl=@{tmp_path / 'list.pem'}", token=house.root)
    assert done.returncode == 0, done.stderr
    assert [log_in(own) for _ in range(6)] == [400] * 6
    assert [house.ask("POST", "auth/token/renew-self", {}, token=token, by=own)[0] for _ in range(6)] == [400] * 6
    assert log_in(other) == 200
    house.tell("auth/leavers/crls/two", {"url": f"https://localhost:{house.port}/nothing.crl"})
    assert log_in(other) == 503  # nobody knows yet whom that one revokes
    said = house.bao("read", "-field=cdp", "auth/leavers/crls/two", token=house.root).stdout
    assert "0001-01-01" in said
    until(lambda: "the list of revoked certificates two at localhost" in house.log.read_text())
    assert house.ask("DELETE", "auth/leavers/crls/two", token=house.root)[0] == 204
    assert log_in(other) == 200


def test_a_role_that_goes_takes_its_certificates_along(house, cert, tmp_path) -> None:
    now = datetime.now(UTC)
    leaf = Issued("leaf", Issued("nobody", ca=True, start=now), start=now)
    own = written(leaf, tmp_path)
    house.tell("auth/cert/certs/leaf", {"certificate": leaf.pem})
    assert house.ask("POST", "auth/cert/login", {"name": "leaf"}, by=own)[0] == 200
    assert house.ask("DELETE", "auth/cert/certs/leaf", token=house.root)[0] == 204
    for _ in range(4):  # every worker
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            house.ask("POST", "auth/cert/login", {"name": "leaf"}, by=own)


def test_what_a_session_brings_back_is_looked_at_again(house, cert, tmp_path) -> None:
    """TLS 1.2, whose sessions a server of Python's keeps; those of TLS 1.3 are not given out."""
    now = datetime.now(UTC)
    ca = Issued("old", ca=True, start=now)
    context = ssl.create_default_context(cafile=house.authority.ca)
    context.load_cert_chain(*written(Issued("joe", ca, start=now), tmp_path))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    house.tell("auth/cert/certs/old", {"certificate": ca.pem})

    def connected(session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        plain = socket.create_connection(("localhost", house.port), timeout=60)
        return context.wrap_socket(plain, server_hostname="localhost", session=session)

    def kept() -> ssl.SSLSession | None:
        with connected() as secured:
            session = secured.session
            secured.unwrap()  # a server forgets the session of a connection that ends without it
            return session

    def log_in(session: ssl.SSLSession | None) -> tuple[bool, bytes]:
        body = b'{"name":"old"}'
        head = b"POST /v1/auth/cert/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        with connected(session) as secured:
            secured.sendall(head + body)
            said = bool(secured.session_reused), secured.recv(65536).partition(b"\r\n")[0]
            secured.unwrap()
            return said

    session = kept()
    until(lambda: log_in(session) == (True, b"HTTP/1.1 200 OK"))  # at the worker that knows it
    sessions = [kept() for _ in range(20)]
    assert house.ask("DELETE", "auth/cert/certs/old", token=house.root)[0] == 204
    lines = []
    for session in sessions:
        with suppress(ssl.SSLError, ConnectionError):
            lines.append(log_in(session))
    assert all(line == b"HTTP/1.1 400 Bad Request" for _, line in lines)  # if it comes as far as that


# --- tokens and accounts


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": "anybody", "sub": "joe", "aud": [AUDIENCE], "iat": now, "exp": now + 600, **more}


@pytest.fixture(scope="module")
def people(house, tmp_path_factory) -> Iterator[StandIn]:
    """An issuer with people at its pages, and a mount that lets them in."""
    authority = Authority(tmp_path_factory.mktemp("people"))
    house.tell("sys/auth/oidc", {"type": "oidc"})
    role = {"user_claim": "sub", "allowed_redirect_uris": "http://localhost:8250/oidc/callback", "token_policies": "p"}
    house.tell("auth/oidc/role/people", role)
    with listening(authority, KEY) as issuer:
        config = {"oidc_discovery_url": issuer.url, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        house.tell("auth/oidc/config", {**config, "oidc_discovery_ca_pem": authority.ca.read_text()})
        yield issuer


def test_bao_logs_in_in_a_browser(house, people) -> None:
    """`bao login` prints where to go, and hears on a port of this machine who comes back."""
    port = free_port()
    words = ("login", "-method=oidc", "-no-store", "-format=json", "role=people", "skip_browser=true", f"port={port}")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([BIN / "bao", *words], env=house.environment(), **pipes) as bao:
        url = next(line.strip() for line in bao.stderr if line.strip().startswith("https://"))
        state, code = people.authorize(url)
        with closing(http.client.HTTPConnection("localhost", port, timeout=60)) as browser:
            browser.request("GET", f"/oidc/callback?{urlencode({'state': state, 'code': code})}")
            assert browser.getresponse().status == 200
        said, errors = bao.communicate(timeout=60)
    auth = json.loads(said)["auth"]
    assert (auth["policies"], auth["metadata"]) == (["default", "p"], {"role": "people"}), errors


def test_bao_logs_in_on_another_device(house, people) -> None:
    """`bao login` prints a code to be typed in elsewhere, and asks until it has been."""
    back = "http://localhost:8250/oidc/callback"
    role = {"user_claim": "sub", "allowed_redirect_uris": back, "callback_mode": "device", "poll_interval": 1}
    house.tell("auth/oidc/role/elsewhere", role)
    words = ("login", "-method=oidc", "-no-store", "-format=json", "role=elsewhere", "skip_browser=true")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([BIN / "bao", *words, "callbackmode=device"], env=house.environment(), **pipes) as bao:
        assert any("enter code WDJB-MJHT" in line for line in bao.stderr)
        until(lambda: people.asked.count("/token") > 1)  # it has been told to ask again
        (code,) = people.devices
        people.devices[code] = ""
        said, errors = bao.communicate(timeout=60)
    auth = json.loads(said)["auth"]
    assert (auth["policies"], auth["metadata"]) == (["default"], {"role": "elsewhere"}), errors


def test_a_login_in_a_browser_ends_at_any_worker_and_once(house, people) -> None:
    """Each request on a connection of its own, which whichever worker takes."""
    outcomes = []
    for _ in range(6):
        body = {"role": "people", "redirect_uri": "http://localhost:1/oidc/callback"}
        begun = house.ask("POST", "auth/oidc/oidc/auth_url", body)[1]["data"]["auth_url"]
        state, code = people.authorize(begun)
        path = f"auth/oidc/oidc/callback?{urlencode({'state': state, 'code': code})}"
        outcomes.append([house.ask("GET", path)[0] for _ in range(2)])
    assert outcomes == [[200, 400]] * 6


# --- our own provider


@pytest.fixture(scope="module")
def provider(house) -> dict[str, str]:
    """The house as an issuer, and an application of its own that logs in there: another mount."""
    house.tell("sys/auth/userpass", {"type": "userpass"})
    house.tell("auth/userpass/users/ann", {"password": "pw"})
    scope = {"template": '{"groups": {{identity.entity.groups.names}}}'}
    house.tell("identity/oidc/scope/groups", scope)
    back = {"redirect_uris": "http://localhost:8250/oidc/callback", "assignments": "allow_all"}
    house.tell("identity/oidc/client/circle", back)
    url = f"https://localhost:{house.port}"
    at = {"issuer": url, "scopes_supported": "groups"}
    assert house.ask("POST", "identity/oidc/provider/default", at, token=house.root)[0] == 200
    told = house.ask("GET", "identity/oidc/client/circle", token=house.root)[1]["data"]
    house.tell("sys/auth/circle", {"type": "oidc"})
    config = {
        "oidc_discovery_url": f"{url}/v1/identity/oidc/provider/default",
        "oidc_discovery_ca_pem": house.authority.ca.read_text(),
        "oidc_client_id": told["client_id"],
        "oidc_client_secret": told["client_secret"],
    }
    house.tell("auth/circle/config", config)
    role = {"user_claim": "sub", "groups_claim": "groups", "oidc_scopes": "groups", "token_policies": "p"}
    house.tell("auth/circle/role/people", {**role, "allowed_redirect_uris": back["redirect_uris"]})
    return told


def ann(house) -> tuple[str, str]:
    auth = house.ask("POST", "auth/userpass/login/ann", {"password": "pw"})[1]["auth"]
    return auth["client_token"], auth["entity_id"]


def let_in(house, url: str) -> tuple[int, dict[str, str]]:
    """What a page of the provider's does, that has ann's token."""
    assert url.startswith(f"https://localhost:{house.port}/v1/")
    token, _ = ann(house)
    return house.ask("GET", url.partition("/v1/")[2], token=token)


def test_bao_logs_in_through_our_own_provider(house, provider) -> None:
    """With what its own oidc method asks of an issuer: discovery, PKCE, nonce, Basic, at_hash and c_hash, userinfo."""
    port = free_port()
    words = ("login", "-method=oidc", "-path=circle", "-no-store", "-format=json", "role=people", "skip_browser=true")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([BIN / "bao", *words, f"port={port}"], env=house.environment(), **pipes) as bao:
        url = next(line.strip() for line in bao.stderr if line.strip().startswith("https://"))
        status, told = let_in(house, url)
        assert status == 200, told
        with closing(http.client.HTTPConnection("localhost", port, timeout=60)) as browser:
            browser.request("GET", f"/oidc/callback?{urlencode(told)}")
            assert browser.getresponse().status == 200
        said, errors = bao.communicate(timeout=60)
    auth = json.loads(said)["auth"]
    assert (auth["policies"], auth["metadata"]) == (["default", "p"], {"role": "people"}), errors
    entity = house.ask("GET", f"identity/entity/id/{auth['entity_id']}", token=house.root)[1]["data"]
    assert [one["name"] for one in entity["aliases"]] == [ann(house)[1]]  # `sub` is whose token it was


def redeemed(house, provider, code: str) -> tuple[int, dict[str, Any]]:
    said = {"grant_type": "authorization_code", "code": code, "redirect_uri": "http://localhost:1/oidc/callback"}
    who = {"client_id": provider["client_id"], "client_secret": provider["client_secret"]}
    return house.ask("POST", "identity/oidc/provider/default/token", {**said, **who})


def test_a_code_is_redeemed_by_any_worker_once_and_nothing_outlives_the_client(house, provider) -> None:
    """Each request on a connection of its own, which whichever worker takes."""
    asked = {
        "client_id": provider["client_id"],
        "redirect_uri": "http://localhost:1/oidc/callback",
        "response_type": "code",
        "scope": "openid",
    }
    token, _ = ann(house)
    codes = [
        house.ask("POST", "identity/oidc/provider/default/authorize", asked, token=token)[1]["code"] for _ in range(8)
    ]
    given = [redeemed(house, provider, code) for code in codes[:6]]
    assert [status for status, _ in given] == [200] * 6
    assert [redeemed(house, provider, code)[1]["error"] for code in codes[:6]] == ["invalid_grant"] * 6
    tokens = [told["access_token"] for _, told in given]
    assert [user_info(house, one) for one in tokens] == [200] * 6
    assert house.ask("DELETE", "identity/oidc/client/circle", token=house.root)[0] == 204
    assert [user_info(house, one) for one in tokens] == [403] * 6
    assert [redeemed(house, provider, code)[1]["error"] for code in codes[6:]] == ["invalid_client"] * 2


def user_info(house, access_token: str) -> int:
    context = ssl.create_default_context(cafile=house.authority.ca)
    with closing(http.client.HTTPSConnection("localhost", house.port, context=context, timeout=60)) as line:
        shown = {"Authorization": f"Bearer {access_token}"}
        line.request("GET", "/v1/identity/oidc/provider/default/userinfo", headers=shown)
        return line.getresponse().status


# --- tokens of an issuer


def test_bao_logs_in_by_a_token_of_an_issuer(house, peer) -> None:
    house.tell("sys/auth/jwt", {"type": "jwt"})
    ca = peer.authority.ca.read_text()
    for name, source in {
        "discovery": {"oidc_discovery_url": peer.url, "oidc_discovery_ca_pem": ca},
        "set": {"jwks_url": f"{peer.url}/keys", "jwks_ca_pem": ca},
    }.items():
        house.tell("auth/jwt/config", source)
        house.tell(f"auth/jwt/role/{name}", {"role_type": "jwt", "user_claim": "sub", "bound_audiences": AUDIENCE})
        done = house.bao("write", "-format=json", "auth/jwt/login", f"role={name}", f"jwt={KEY.token(claims())}")
        assert done.returncode == 0 and json.loads(done.stdout)["auth"]["metadata"] == {"role": name}, done.stderr
    house.tell("auth/jwt/config", {"jwks_url": f"{peer.url}/other"})
    status, _ = house.ask("POST", "auth/jwt/login", {"role": "set", "jwt": KEY.token(claims())})
    assert status == 503  # it is known, but nobody that the system trusts vouches for it


def test_row_125_a_host_that_the_operator_has_not_named_is_not_asked(house, peer) -> None:
    ca, url = peer.authority.ca.read_text(), peer.url.replace("localhost", "127.0.0.1")
    house.tell("sys/auth/inward", {"type": "jwt"})
    house.tell("auth/inward/config", {"jwks_url": f"{url}/keys", "jwks_ca_pem": ca})
    house.tell("auth/inward/role/r", {"role_type": "jwt", "user_claim": "sub", "bound_audiences": AUDIENCE})
    assert house.ask("POST", "auth/inward/login", {"role": "r", "jwt": KEY.token(claims())})[0] == 503


def account() -> str:
    bound = {"namespace": "default", "serviceaccount": {"name": "app", "uid": "u-1"}}
    return KEY.token(claims(**{"kubernetes.io": bound}))


@pytest.fixture(scope="module")
def cluster(house, peer) -> None:
    """A mount that lets in whom `peer` vouches for."""
    house.tell("sys/auth/kubernetes", {"type": "kubernetes"})
    ca = peer.authority.ca.read_text()
    cluster = {"kubernetes_host": peer.url, "kubernetes_ca_cert": ca, "token_reviewer_jwt": "re.view.er"}
    house.tell("auth/kubernetes/config", cluster)
    bound = {"bound_service_account_names": "app", "bound_service_account_namespaces": "default"}
    house.tell("auth/kubernetes/role/r", bound)


def test_a_service_account_logs_in(house, peer, cluster) -> None:
    status, said = house.ask("POST", "auth/kubernetes/login", {"role": "r", "jwt": account()})
    assert (status, said["auth"]["metadata"]["service_account_uid"]) == (200, "u-1")
    assert peer.shown == "Bearer re.view.er"


def test_row_60_whoever_does_not_answer_holds_nobody_up(house, peer, cluster) -> None:
    """Thirty who log in again and again wait for a peer that hangs, and all else is answered: on the loop and threads.

    The peer is given five seconds each time: what waited for it would take as long, time and again.
    """
    peer.hangs.set()
    token, codes, took, over = account(), [], [], threading.Event()

    def log_in() -> None:
        while not over.is_set():
            with suppress(OSError):
                codes.append(house.ask("POST", "auth/kubernetes/login", {"role": "r", "jwt": token})[0])
            over.wait(0.2)

    waiting = [threading.Thread(target=log_in) for _ in range(30)]
    for thread in waiting:
        thread.start()
    try:
        until(lambda: peer.n_hanging >= 2)
        for n in range(10):
            began = time.monotonic()
            assert house.ask("GET", "sys/health")[0] == 200
            house.tell(f"sys/policies/acl/p{n}", {"policy": 'path "x" { capabilities = ["read"] }'})
            took.append(time.monotonic() - began)
    finally:
        over.set()
        ended(*waiting)
        peer.hangs.clear()
    assert median(took) < 4, took
    assert codes and set(codes) <= {403, 503}
