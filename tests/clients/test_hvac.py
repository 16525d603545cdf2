"""hvac: its own integration tests, out of its own source distribution, against a server process.

The distribution is fetched by pip, in the version and with the hash that requirements/hvac.lock has. Only what starts a
server is replaced (hvac/keystead_server.py). Run is what the Vault door offers; every other test of the files that are
run is in LEFT_OUT with its reason, and every other file in FILES_LEFT_OUT.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.servers import Serving, serving

pytestmark = pytest.mark.client

LOCK = Path(__file__).parents[2] / "requirements" / "hvac.lock"
PLUGIN = Path(__file__).parent / "hvac"
API, V1 = "tests/integration_tests/api/", "tests/integration_tests/v1/"
FILES = (
    *(f"{API}auth_methods/test_{name}.py" for name in ("token", "approle")),
    *(f"{API}secrets_engines/test_{name}.py" for name in ("kv_v1", "kv_v2", "transit")),
    f"{API}system_backend",
    V1[:-1],
)
FILES_LEFT_OUT = {
    "auth_methods": "aws azure cert gcp github jwt kubernetes ldap legacy_mfa oidc okta: not offered",
    "secrets_engines": "aws azure gcp identity pki ssh transform: not offered",
}
SYSTEM = f"{API}system_backend/"
OLD = f"{V1}test_system_backend.py::TestSystemBackend::"
INTEGRATION = f"{V1}test_integration.py::IntegrationTest::"


def _each(reason: str, *tests: str) -> dict[str, str]:
    return dict.fromkeys(tests, reason)


LEFT_OUT = {
    **_each(
        "audit devices are not offered: the audit log is there already",
        f"{SYSTEM}test_audit.py",
        f"{OLD}test_audit_backend_manipulation",
        f"{OLD}test_audit_hash_0_hash_returned",
        f"{OLD}test_audit_hash_1_audit_backend_not_enabled",
    ),
    **_each(
        "the seal API is not offered: `keystead seal`, `unseal`, `slot`",
        *(f"{SYSTEM}test_key.py::TestKey::{name}" for name in ("test_get_backed_up_keys", "test_rekey_multi")),
        *(f"{SYSTEM}test_key.py::TestKey::{name}" for name in ("test_rekey_verify_multi", "test_rotate")),
        f"{SYSTEM}test_key.py::TestKey::test_start_generate_root_then_cancel",
        f"{SYSTEM}test_key.py::TestKey::test_start_generate_root_with_completion",
        f"{SYSTEM}test_seal.py::TestSeal::test_seal_unseal",
        f"{SYSTEM}test_seal.py::TestSeal::test_unseal_multi",
        *(f"{OLD}{name}" for name in ("test_get_backed_up_keys", "test_rekey_multi", "test_rotate")),
        *(f"{OLD}{name}" for name in ("test_seal_unseal", "test_unseal_multi")),
        f"{OLD}test_start_generate_root_then_cancel",
        f"{OLD}test_start_generate_root_with_completion",
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
    **_each(
        "it reads a policy with pyhcl, which is not installed",
        f"{SYSTEM}test_policy.py::TestPolicy::test_policy_manipulation",
        f"{OLD}test_policy_manipulation",
    ),
    **_each("it expects other words of an older requests", f"{INTEGRATION}test_illegal_token"),
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    fetch = ("download", "--quiet", "--no-deps", "--no-binary", "hvac", "--require-hashes")
    command = [sys.executable, "-m", "pip", *fetch, "-r", LOCK, "-d", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    found = next(folder.glob("*.tar.gz"), None)
    if found is None:
        pytest.skip(f"pip cannot fetch hvac's own tests here ({done.stderr[-200:]})")
    with tarfile.open(found) as packed:
        packed.extractall(folder, filter="data")
    (root,) = (path for path in folder.iterdir() if path.is_dir())
    return root


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving("dev", tmp_path_factory.mktemp("hvac") / "data", "--listen", "vault=127.0.0.1:0") as running:
        yield running


def test_its_own_tests(suite, server, tmp_path) -> None:
    report = tmp_path / "report.xml"
    at = server("env", "vault", "--json").json
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("VAULT_", "BAO_"))}
    words = ("-q", "-c", "/dev/null", "--rootdir", ".", "-p", "keystead_server", "-p", "no:cacheprovider")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *words,
            f"--junitxml={report}",
            *(f"--deselect={t}" for t in LEFT_OUT),
            *FILES,
        ],
        cwd=suite,
        env={
            **surroundings,
            "HOME": str(tmp_path),  # no token of anybody's
            "PYTHONPATH": ":".join(map(str, (suite, PLUGIN, *suite.parent.glob("*.whl")))),
            "KEYSTEAD_AT": at["VAULT_ADDR"],
            "KEYSTEAD_TOKEN": at["VAULT_TOKEN"],
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - our own process has written it
    skipped = [case for case in cases if case.find("skipped") is not None]
    n_passed = len(cases) - len(skipped)
    print(f"{n_passed} passed, {len(skipped)} skipped by hvac itself, {len(LEFT_OUT)} left out")
    assert n_passed >= 240


def test_a_client_with_a_namespace(suite, server, tmp_path) -> None:
    at = server("env", "vault", "--json").json
    done = subprocess.run(
        [sys.executable, PLUGIN / "namespaces.py"],
        env={
            "HOME": str(tmp_path),
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
