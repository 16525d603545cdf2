"""The AWS Encryption SDK for Python: its own tests that need AWS KMS, out of its own source distribution, against a
server process. The distribution is fetched by pip, in the version and with the hash that requirements/dev.lock has.

Every test of test/integration and examples/test/legacy is run, but for LEFT_OUT. The tests below test/mpl and the other
examples use keys of AWS's own accounts by their ARNs, and its DynamoDB tables: they can run nowhere else.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.clients.conftest import needed, source

pytestmark = pytest.mark.client

LOCK = Path(__file__).parents[2] / "requirements" / "dev.lock"
FOLDERS = ("test/integration", "examples/test/legacy")
KEYS = "AWS_ENCRYPTION_SDK_PYTHON_INTEGRATION_TEST_AWS_KMS_"
BAD_CLIENT = "test/integration/test_i_aws_encrytion_sdk_client.py::test_remove_bad_client"
LEFT_OUT = {BAD_CLIENT: "asks a Region that nobody answers for; here one address answers for all"}
ITSELF = {"test_decrypt_from_file"}  # skipped by the suite: the files it reads are not in the distribution


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Path:
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    (pinned,) = re.findall(r"^aws-encryption-sdk==(?:.+\\\n)*.+\n", LOCK.read_text(), re.MULTILINE)
    (folder / "pinned").write_text(pinned)
    found = source(folder, "aws-encryption-sdk", folder / "pinned")
    with tarfile.open(needed(found, "the SDK's own tests, by pip download")) as packed:
        packed.extractall(folder, filter="data")
    (root,) = (path for path in folder.iterdir() if path.is_dir())
    (root / "mock.py").write_text("from unittest.mock import *  # its name before Python had it\n")
    return root


def of_aws_alone(suite: Path) -> dict[str, str]:
    """Known answers whose data keys are wrapped by a KMS key of AWS's own: nobody else can unwrap them."""
    vectors = json.loads((suite / "test" / "resources" / "commitment-test-vectors.json").read_text())["tests"]
    reason = "the data key is wrapped by a key of AWS's own account"
    return {
        f"test/integration/test_kat_commitment.py::test_kat[{vector['comment']}]": reason
        for vector in vectors
        if vector["keyring-type"] == "aws-kms"
    }


def key_arns(server, second_region) -> dict[str, str]:
    """What integration_test_utils.py asks the environment for."""
    kms = server.client("kms")
    arns = {f"{KEYS}{name}": kms.create_key()["KeyMetadata"]["Arn"] for name in ("KEY_ID", "KEY_ID_2")}
    made = kms.create_key(MultiRegion=True)["KeyMetadata"]
    there = kms.replicate_key(KeyId=made["KeyId"], ReplicaRegion=second_region)["ReplicaKeyMetadata"]
    return arns | {f"{KEYS}MRK_KEY_ID_1": made["Arn"], f"{KEYS}MRK_KEY_ID_2": there["Arn"]}


def test_its_own_tests(server, second_region, suite, tmp_path) -> None:
    report = tmp_path / "report.xml"
    left_out = LEFT_OUT | of_aws_alone(suite)
    words = ("-q", "-p", "no:cacheprovider", f"--junitxml={report}", *(f"--deselect={test}" for test in left_out))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *FOLDERS],
        cwd=suite,
        env=server.surroundings() | key_arns(server, second_region),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"{len(left_out)} deselected" in done.stdout  # each of them is there
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - our own process has written it
    skipped = [case for case in cases if case.find("skipped") is not None]
    assert {case.get("name").partition("[")[0] for case in skipped} == ITSELF
    n_passed = len(cases) - len(skipped)
    print(f"{n_passed} passed, {len(skipped)} skipped, {len(left_out)} left out: {left_out}")
    assert f"out of it: {n_passed} pass." in (LOCK.parents[1] / "docs" / "clients.md").read_text()
