"""keystead audit: following, verifying, proving; and what it says of a log that was altered."""

import json
import shutil
import subprocess
import threading

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.servers import KEYSTEAD
from tests.servers import at_once as keystead
from tests.waiting import ended, until


@pytest.fixture
def log(stopped, tmp_path):
    """A copy of an audit directory, with some records in it."""
    for _ in range(3):
        assert keystead("key", "list", "--in", "us-east-1", "--data", stopped).status == 0
    return shutil.copytree(stopped / "audit", tmp_path / "copy")


def test_a_whole_log_verifies(log, stopped) -> None:
    found = keystead("audit", "verify", log, "--json").json
    assert found["records"] == found["size"] > 3 and found["uncovered"] == 0
    assert keystead("audit", "verify", stopped).out.startswith("Whole: ")


def test_an_altered_record_is_found_and_said_where(log) -> None:
    (segment,) = (log / "log").glob("*.jsonl")
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"outcome":"performed"', b'"outcome":"dry run"  ')
    segment.write_bytes(b"".join(lines))
    done = keystead("audit", "verify", log, "--json")
    assert done.status == 6 and done.error["error"] == "NotProven"
    first, last = map(int, done.error["field"].removeprefix("records ").split(" to "))
    assert first <= 2 <= last
    assert "altered" in keystead("audit", "verify", log).err


ODD = b'\x1b[2J\x9b2J\xe2\x80\xae"},"index":0,"x":{"'


def test_what_somebody_wrote_into_it_moves_no_cursor_and_is_no_record(log) -> None:
    (segment,) = (log / "log").glob("*.jsonl")
    lines = segment.read_bytes().splitlines()
    lines[-1] = ODD.ljust(len(lines[-1]), b"!")
    segment.write_bytes(b"\n".join(lines) + b"\n")
    shown = keystead("audit", "tail", "--data", log).out
    assert shown.count("\n") == len(lines) and all(one.isprintable() for one in shown.splitlines())
    *good, odd = [json.loads(line) for line in keystead("audit", "tail", "--data", log, "--json").out.splitlines()]
    assert all(one["record"]["v"] == 1 for one in good)
    assert odd.keys() == {"index", "record"} and odd["record"].startswith("\x1b[2J")


@pytest.mark.parametrize("offset", [(1 << 64) - 1, 1 << 40])
def test_offsets_that_lead_nowhere_are_told(log, offset) -> None:
    offsets = log / "log" / "offsets"
    whole = offsets.read_bytes()
    for damaged in (whole[:-8] + offset.to_bytes(8, "big"), whole[:-3]):
        offsets.write_bytes(damaged)
        done = keystead("audit", "tail", "-n", "1", "--data", log, "--json")
        assert done.error["error"] == "Conflict" and "do not hold together" in done.error["message"]


def test_a_record_without_end_is_not_read_to_its_end(log, monkeypatch) -> None:
    (segment,) = (log / "log").glob("*.jsonl")
    n = len(segment.read_bytes().splitlines())
    with segment.open("ab") as file:
        file.truncate(file.tell() + (1 << 34))  # a hole: it takes no room
    done = keystead("audit", "verify", log, "--json")
    assert (done.status, done.error["error"], done.error["field"]) == (6, "NotProven", f"records {n} to {n}")


def test_a_log_cut_short_with_its_checkpoints_is_found_by_one_kept_elsewhere(log, stopped, tmp_path) -> None:
    older = log
    assert keystead("key", "list", "--in", "us-east-1", "--data", stopped).status == 0
    kept = tmp_path / "kept"
    assert keystead("audit", "checkpoint", "-o", kept, "--data", stopped).status == 0
    assert keystead("audit", "verify", older).status == 0
    done = keystead("audit", "verify", older, "--trusted", kept)
    assert done.status == 6
    assert keystead("audit", "verify", stopped, "--trusted", kept, "--json").json["trusted_size"]


def test_one_record_is_proved_to_whoever_has_the_key(stopped, log, tmp_path) -> None:
    proof = tmp_path / "one.tlog-proof"
    made = keystead("audit", "prove", "1", "-o", proof, "--data", stopped, "--json").json
    nowhere = tmp_path / "nowhere"
    found = keystead("audit", "check", proof, "--key", made["key"], "--data", nowhere, "--json").json
    assert found["index"] == 1
    line = next((log / "log").glob("*.jsonl")).read_text().splitlines()[1]
    assert found["record"] == json.loads(line)
    assert line in keystead("audit", "check", proof, "--data", stopped).out

    text = proof.read_text().splitlines()
    text[2] = "index 0"
    proof.write_text("\n".join(text) + "\n")
    assert keystead("audit", "check", proof, "--key", made["key"]).status == 6
    assert keystead("audit", "prove", "99999", "-o", proof, "--data", stopped).status == 2


def test_another_logs_key_proves_nothing(stopped, log, tmp_path) -> None:
    key = (log / "key.pub").read_text().replace("keystead/", "keystead/other")
    assert keystead("audit", "verify", log, "--key", key).status == 2  # not in its one form
    assert keystead("audit", "verify", tmp_path).status == 5


def test_what_the_aws_door_was_asked_is_exported_as_cloudtrail_has_it(server, tmp_path) -> None:
    access = server("env", "aws", "--json").json
    client = boto3.client(
        "kms",
        region_name=access["AWS_REGION"],
        endpoint_url=f"http://{server.running['listen']['aws']}",
        aws_access_key_id=access["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=access["AWS_SECRET_ACCESS_KEY"],
    )
    key = client.create_key()["KeyMetadata"]
    with pytest.raises(ClientError):
        client.describe_key(KeyId="alias/none")
    file = tmp_path / "events.json"

    def exported() -> list[dict]:
        """Once the log has been folded."""
        assert server("audit", "export", "-o", file).status == 0
        found = json.loads(file.read_bytes())["Records"]
        return found if any(record["eventName"] == "DescribeKey" for record in found) else []

    records = until(exported, every=0.1)
    made = next(record for record in records if record["eventName"] == "CreateKey")
    assert made["resources"] == [{"accountId": key["AWSAccountId"], "type": "AWS::KMS::Key", "ARN": key["Arn"]}]
    assert made["userIdentity"]["type"] == "Root" or made["userIdentity"]["userName"]
    refused = next(record for record in records if record["eventName"] == "DescribeKey")
    assert refused["errorCode"] == "NotFoundException"

    index = str(made["additionalEventData"]["logIndex"])
    words = ("audit", "export", "--format", "jsonl", "--from", index, "--to", index)
    assert [json.loads(line) for line in server(*words).out.splitlines()] == [made]
    assert server("audit", "export", "--format", "parquet").status == 2


def test_a_log_without_requests_to_the_aws_door_exports_none(log) -> None:
    done = keystead("audit", "export", log)
    assert (done.status, done.json) == (0, {"Records": []})
    assert keystead("audit", "export", log, "--format", "jsonl").out == ""
    assert keystead("audit", "export", log, "--from", "99999").json == {"Records": []}
    assert "cannot be written" in keystead("audit", "export", log, "-o", log / "no" / "where").err


def test_the_tail_follows(server) -> None:
    assert len(server("audit", "tail", "-n", "1").out.splitlines()) <= 1
    command = [KEYSTEAD, "audit", "tail", "-f", "-n", "0", "--json", "--data", server.directory]
    told: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        reading = threading.Thread(target=lambda: [told.append(line) for line in process.stdout])
        reading.start()

        def seen() -> list[dict]:
            """What is on record before it has begun to look is not told, so there is always more."""
            assert server("key", "create").status == 0
            return [json.loads(line)["record"] for line in told[:] if '"CreateKey"' in line]

        try:
            records = until(seen, every=0.5)
        finally:
            process.terminate()
            ended(reading)
    assert {(one["outcome"], one["rule"]) for one in records} == {("performed", "system")}
