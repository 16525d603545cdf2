"""hvac: its own integration tests, out of its own source distribution, against a server process.

The distribution is fetched by pip, in the version and with the hash that requirements/hvac.lock has. Only what starts a
server is replaced (hvac/keystead_server.py). Run is what the Vault door offers; every other test of the files that are
run is in LEFT_OUT with its reason, and every other file in FILES_LEFT_OUT.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives import serialization
from tests.certificates import Issued
from tests.clients.conftest import source
from tests.servers import BIN, IN_HSM, Serving, serving

from keystead.app.development import save_token
from keystead.app.installation import initialise, prepare, save_credentials
from keystead.config import Config, Logins, Tls
from keystead.seals.file import FileSeal

pytestmark = pytest.mark.client

LOCK = Path(__file__).parents[2] / "requirements" / "hvac.lock"
PLUGIN = Path(__file__).parent / "hvac"
API, V1 = "tests/integration_tests/api/", "tests/integration_tests/v1/"
FILES = (
    *(f"{API}auth_methods/test_{name}.py" for name in ("token", "approle", "kubernetes", "jwt")),
    *(f"{API}secrets_engines/test_{name}.py" for name in ("kv_v1", "kv_v2", "transit", "identity")),
    f"{API}system_backend",
    V1[:-1],
)
OVER_TLS = tuple(f"{API}auth_methods/test_{name}.py" for name in ("cert", "token", "jwt", "oidc"))
JWT, OIDC = f"{API}auth_methods/test_jwt.py::TestJWT::", f"{API}auth_methods/test_oidc.py::TestOIDC::"
OF_OUR_OWN_ISSUER = tuple(
    f"{JWT}test_{name}"
    for name in (
        "configure_0_configure_using_vault_identity_OIDC",
        "jwt_login_0_success",
        "read_config_0_configure_using_vault_identity_OIDC",
    )
)
FILES_LEFT_OUT = {
    "auth_methods": "aws azure gcp github ldap legacy_mfa okta: not offered",
    "secrets_engines": "aws azure gcp pki ssh transform: not offered",
}
SYSTEM = f"{API}system_backend/"
OLD = f"{V1}test_system_backend.py::TestSystemBackend::"
INTEGRATION = f"{V1}test_integration.py::IntegrationTest::"


def _each(reason: str, *tests: str) -> dict[str, str]:
    return dict.fromkeys(tests, reason)


_KEYS = ("get_backed_up_keys", "rekey_multi", "rotate")
_ROOT = ("start_generate_root_then_cancel", "start_generate_root_with_completion")
_SEAL = ("seal_unseal", "unseal_multi")
OF_THE_SEAL = (
    *(f"{SYSTEM}test_key.py::TestKey::test_{name}" for name in (*_KEYS, "rekey_verify_multi", *_ROOT)),
    *(f"{SYSTEM}test_seal.py::TestSeal::test_{name}" for name in _SEAL),
    *(f"{OLD}test_{name}" for name in (*_KEYS, *_ROOT, *_SEAL)),
)
NOT_IN_AN_HSM = (
    "backup_key_0_success",
    "backup_key_1_allow_plaintext_backup_false",
    "generate_hmac_0_success",
    "restore_key_0_success",
    "restore_key_1_success_with_force",
    "restore_key_2_existing_key_without_force",
)
LEFT_OUT = {
    **_each(
        "they need key shares: below, at a server that has some",
        *OF_THE_SEAL,
    ),
    **_each(
        "the leases it looks at are those of pki, which is not offered",
        f"{SYSTEM}test_lease.py",
        f"{OLD}test_read_lease",
    ),
    **_each(
        "it logs in with github or gcp, which are not offered",
        f"{SYSTEM}test_auth.py::TestAuth::test_auth_backend_manipulation",
        f"{OLD}test_auth_backend_manipulation",
        f"{INTEGRATION}test_auth_gcp_alternate_mount_point_with_no_client_token_exception",
    ),
    **_each("the issuer is the identity engine, and keys are read over TLS alone: below, over TLS", *OF_OUR_OWN_ISSUER),
    **_each(
        "its issuer is a server of Flask and Authlib over plain HTTP, and is asked for form_post, which is refused",
        f"{OIDC}test_oidc_callback_0_success",
    ),
    **_each(
        "its issuer is one of identity tokens, which has no page for a login: nobody is sent nowhere",
        f"{OIDC}test_oidc_authorization_url_request_0_success",
    ),
    **_each(
        "its connection was made before there was a certificate to ask for (docs/adr/0030)",
        *(f"{API}auth_methods/test_cert.py::TestCert::test_login_{name}" for name in ("0_testrole", "1_")),
    ),
    **(
        _each(
            "the key is in an HSM: it never leaves it, and is no HMAC key",
            *(f"{API}secrets_engines/test_transit.py::TestTransit::test_{name}" for name in NOT_IN_AN_HSM),
        )
        if IN_HSM
        else {}
    ),
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    found = source(folder, "hvac", LOCK)
    if found is None:
        pytest.skip("pip cannot fetch hvac's own tests here")
    with tarfile.open(found) as packed:
        packed.extractall(folder, filter="data")
    (root,) = (path for path in folder.iterdir() if path.is_dir())
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    directory = tmp_path_factory.mktemp("hvac") / "data"
    with serving("dev", directory, "--listen", "vault=127.0.0.1:0"):
        pass
    with (directory / "keystead.toml").open("a") as settings:
        settings.write('audit_devices = ["/tmp"]\n')  # where its tests would have their audit devices
    with serving("dev", directory, "--listen", "vault=127.0.0.1:0") as running:
        yield running


def run(
    suite: Path,
    home: Path,
    at: Mapping[str, str],
    *files: str,
    keys: Sequence[str] = ("",),
    left_out: Iterable[str] = LEFT_OUT,
) -> list[ElementTree.Element]:
    """Its tests in these files but for those that are left out; those that were not skipped.

    `at`: of the server, as `keystead env` has it. `keys`: the shares that open it.
    """
    report, commands = home / "report.xml", home / "bin"
    commands.mkdir()
    (commands / "vault").symlink_to(BIN / "bao")  # decodes a root token
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "BAO_"))}
    words = ("-q", "-c", "/dev/null", "--rootdir", ".", "-p", "keystead_server", "-p", "no:cacheprovider")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *words,
            f"--junitxml={report}",
            *(f"--deselect={t}" for t in left_out),
            *files,
        ],
        cwd=suite,
        env={
            **surroundings,
            "HOME": str(home),  # no token of anybody's
            "PYTHONPATH": ":".join(map(str, (suite, PLUGIN, *suite.parent.glob("*.whl")))),
            "PATH": f"{commands}:{os.environ['PATH']}",
            "BAO_TOKEN": at["VAULT_TOKEN"],  # for that command; hvac does not look at it
            "KEYSTEAD_AT": at["VAULT_ADDR"],
            "KEYSTEAD_TOKEN": at["VAULT_TOKEN"],
            "KEYSTEAD_KEYS": " ".join(keys),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - our own process has written it
    passed = [case for case in cases if case.find("skipped") is None]
    print(f"{len(passed)} passed, {len(cases) - len(passed)} skipped by hvac itself")
    return passed


def test_its_own_tests(suite, server, tmp_path) -> None:
    assert len(run(suite, tmp_path, server("env", "vault", "--json").json, *FILES)) >= 360


def _put(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="PUT")  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 - the same
        return json.load(reply)


def test_its_own_tests_of_the_seal(suite, tmp_path) -> None:
    """At a server that is set up over HTTP, and has shares."""
    words = ("--listen", "vault=127.0.0.1:0", "--workers", "2")
    with serving("serve", tmp_path / "data", *words) as running:
        url = f"http://{running.running['listen']['vault']}"
        made = _put(f"{url}/v1/sys/init", {"secret_shares": 5, "secret_threshold": 3})
        for key in made["keys"][:3]:
            _put(f"{url}/v1/sys/unseal", {"key": key})
        at = {"VAULT_ADDR": url, "VAULT_TOKEN": made["root_token"]}
        assert len(run(suite, tmp_path, at, *OF_THE_SEAL, keys=made["keys"], left_out=())) == len(OF_THE_SEAL)


def test_its_own_tests_over_tls(suite, tmp_path) -> None:
    """With its own server's certificate, and a client's in the place of the one that it has: that has expired."""
    certificates = suite / "tests" / "config_files"
    client = Issued("hvac", start=datetime.now(UTC))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (certificates / "client-cert.pem").write_text(client.pem)
    (certificates / "client-key.pem").write_bytes(client.key.private_bytes(*form))
    tls = Tls(f"file:{certificates / 'server-cert.pem'}", f"file:{certificates / 'server-key.pem'}")
    data = tmp_path / "data"
    prepare(data)
    settings = Config(tls=tls, logins=Logins(private_hosts=["localhost", "127.0.0.1"]))
    save_credentials(data, initialise(data, settings, FileSeal.create(data, os.urandom)))
    save_token(data)
    with serving("dev", data, "--listen", "vault=127.0.0.1:0") as running:
        at = running("env", "vault", "--json").json
        assert at["VAULT_ADDR"].startswith("https://")
        left_out = LEFT_OUT.keys() - set(OF_OUR_OWN_ISSUER)
        assert len(run(suite, tmp_path, at, *OVER_TLS, left_out=left_out)) >= 50


def test_a_client_with_a_namespace(suite, server, tmp_path) -> None:
    _told(suite, server, tmp_path, "namespaces.py")


def test_every_method_there_is_comes_to_something_or_is_said_not_to_be_offered(suite, server, tmp_path) -> None:
    """With its defaults, and what it asks for: what goes wrong is the request's fault, and never the server's.

    It stands behind the others, as it leaves the server as it comes.
    """
    found = json.loads(_told(suite, server, tmp_path, "surface.py"))
    wrong = {name: said for name, said in found.items() if said}
    assert len(found) > 230 and len(found) - len(wrong) > 160
    unsupported = {name for name, said in wrong.items() if "unsupported" in said}
    assert unsupported == {name for name in found if any(word in name for word in ("_egp_", "_rgp_", "raft"))}
    of_hvac_itself = ("ParamValidationError", "ValueError", "FileNotFoundError")
    kinds = ("InvalidRequest", "InvalidPath", "Forbidden", *of_hvac_itself)
    assert {name: said for name, said in wrong.items() if not said.startswith(kinds)} == {}


def _told(suite: Path, server: Serving, home: Path, script: str) -> str:
    """What a script with hvac on its path prints."""
    at = server("env", "vault", "--json").json
    done = subprocess.run(
        [sys.executable, PLUGIN / script],
        env={
            "HOME": str(home),
            "PYTHONPATH": ":".join(map(str, (suite, *suite.parent.glob("*.whl")))),
            "KEYSTEAD_AT": at["VAULT_ADDR"],
            "KEYSTEAD_TOKEN": at["VAULT_TOKEN"],
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
