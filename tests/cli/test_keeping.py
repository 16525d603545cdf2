"""What an installation keeps, managed through a running server and in one's own process alike."""

import json
import re
import shutil
from uuid import uuid4

import pytest
from tests.servers import at_once

from keystead.app.library import Keystead
from keystead.cli.remote import Remote
from keystead.config import Config
from keystead.core import operations as ops
from keystead.core.actions import Action
from keystead.core.algorithms import KEY_SPECS, Purpose
from keystead.core.errors import Denied, Unsupported
from keystead.core.operations import KeyRef, KeyringRef
from keystead.core.sensitive import Sensitive

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n")
KEY_MEMBERS = {
    *("id", "arn", "tenant", "place", "spec", "purpose", "state", "destroy_at", "description", "tags", "created_at"),
    *("restored_at", "destroy_in_days", "copies", "protection", "hsm", "still_in_hsm"),
    *("version", "entropy", "n_versions", "rotate_every_days", "rotate_at"),
}


@pytest.fixture(scope="module")
def tenant(ks):
    return next(one["tenant"] for one in ks("principal", "list", "--json").json)


def test_a_key_from_its_beginning_to_its_appointment(ks) -> None:
    made = ks("key", "create", "--spec", "rsa_2048", "--purpose", "signature", "--tag", "a=b=c", "--json").json
    assert made.keys() == KEY_MEMBERS
    assert (made["spec"], made["purpose"], made["state"]) == ("RSA_2048", "signature", "active")
    assert made["tags"] == {"a": "b=c"} and made["place"] == "us-east-1"
    assert made["arn"] == f"arn:aws:kms:us-east-1:{made['tenant']}:key/{made['id']}"

    assert ks("key", "disable", made["id"]).status == 0
    assert ks("key", "describe", made["arn"], "--json").json["state"] == "suspended"
    assert ks("key", "enable", made["id"], "--json").json["state"] == "active"

    doomed = ks("key", "schedule-deletion", made["id"], "--days", "7", "--json").json
    assert doomed["state"] == "suspended" and doomed["destroy_at"]
    refused = ks("key", "enable", made["id"], "--json")
    assert refused.status == 1 and refused.error["error"] == "WrongState"
    kept = ks("key", "cancel-deletion", made["id"], "--json").json
    assert kept["state"] == "suspended" and kept["destroy_at"] is None


def test_a_key_by_name_by_id_and_elsewhere(ks) -> None:
    name = f"alias/{uuid4().hex}"
    made = ks("key", "create", "--name", name, "--in", "eu-west-1", "--description", "over there")
    assert ID.fullmatch(made.out)
    id_ = made.out.strip()
    assert ks("key", "describe", id_, "--json").json["names"] == [name]  # wherever it is
    assert ks("key", "describe", name, "--in", "eu-west-1", "--json").json["id"] == id_
    assert ks("key", "describe", name).status == 5  # names are of a place
    assert "over there" in ks("key", "describe", id_).out
    listed = ks("key", "list", "--in", "eu-west-1", "--json").json
    assert id_ in [one["id"] for one in listed]
    assert id_ in ks("key", "list").out and id_ not in ks("key", "list", "--in", "us-east-1").out


def test_a_rotation(ks) -> None:
    id_ = ks("key", "create").out.strip()
    assert ks("key", "rotate", id_).out == "Version 2.\n"
    assert ks("key", "describe", id_, "--json").json["n_versions"] == 2


def test_a_key_in_two_places(ks) -> None:
    made = ks("key", "create", "--replicable", "--json").json
    id_ = made["id"]
    assert re.fullmatch("mrk-[0-9a-f]{32}", id_) and made["copies"] == [{"place": "us-east-1", "primary": True}]
    copied = ks("key", "replicate", id_, "--to", "eu-west-2", "--json").json
    assert (copied["id"], copied["place"]) == (id_, "eu-west-2")
    assert copied["copies"] == [*made["copies"], {"place": "eu-west-2", "primary": False}]
    unsure = ks("key", "describe", id_, "--json")  # each is a key of its own, so it is to be said which
    assert unsure.error["error"] == "InvalidArgument" and "--in" in unsure.error["message"]
    assert ks("key", "rotate", id_, "--in", "us-east-1").out == "Version 2.\n"
    found = ks("key", "describe", id_, "--in", "eu-west-2", "--json").json
    assert (found["version"], found["arn"]) == (2, copied["arn"])
    assert ks("key", "rotate", id_, "--in", "eu-west-2", "--json").error["error"] == "Unsupported"
    assert "eu-west-2" in ks("key", "hand-over", id_, "--in", "us-east-1", "--to", "eu-west-2").out
    assert ks("key", "rotate", id_, "--in", "eu-west-2").out == "Version 3.\n"
    said = ks("key", "schedule-deletion", id_, "--in", "eu-west-2", "--days", "7")
    assert "7 days after its last replica" in said.out
    assert ks("key", "schedule-deletion", id_, "--in", "us-east-1", "--days", "7", "--json").json["destroy_at"]
    assert ks("key", "cancel-deletion", id_, "--in", "eu-west-2", "--json").json["destroy_in_days"] is None
    assert id_ in [one["id"] for one in ks("key", "list", "--in", "eu-west-2", "--json").json]
    assert ks("key", "replicate", ks("key", "create").out.strip(), "--to", "eu-west-2").status == 1


def test_a_key_is_managed_here_and_never_used(server, stopped) -> None:
    """core.actions, `system`: there is no verb for it, the control door has none, and the core refuses the operator."""
    assert server("key", "encrypt", "--json").error["error"] == "Usage"
    remote = Remote(server.directory, Config())
    with pytest.raises(Unsupported):
        remote._ask("Encrypt", b"{}", object)
    remote.close()
    with Keystead(stopped) as ks:
        namespace = f"aws:{next(one.keyring.tenant for one in ks.perform(ops.ListKeyrings()).items)}:us-east-1"
        ring = KeyringRef(namespace)
        made = ks.perform(ops.CreateKey(keyring=ring, spec=KEY_SPECS["AES_256"], purpose=Purpose.CIPHER))
        for use in (
            ops.Encrypt(key=KeyRef(namespace, id=made.key.id), plaintext=Sensitive(b"x")),
            ops.GenerateDataKey(key=KeyRef(namespace, id=made.key.id), n_bytes=32),
            ops.CreateGrant(key=KeyRef(namespace, id=made.key.id), grantee=namespace[4:16], actions=(Action.DECRYPT,)),
            ops.GenerateRandom(keyring=ring, n_bytes=32),
        ):
            with pytest.raises(Denied):
                ks.perform(use)


def test_the_policy_of_a_key(ks, tenant, tmp_path) -> None:
    id_ = ks("key", "create").out.strip()
    first = ks("policy", "get", id_)
    assert json.loads(first.out)["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{tenant}:root"}
    allow = {"Effect": "Allow", "Principal": {"AWS": tenant}, "Action": "kms:DescribeKey", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    (tmp_path / "policy.json").write_text(text)
    assert ks("policy", "put", id_, str(tmp_path / "policy.json")).status == 0
    assert ks("policy", "get", id_, "--json").json == {"dialect": "aws", "text": text}
    assert ks("policy", "put", id_, "-", stdin=first.out).status == 0  # whoever may say this is never locked out
    refused = ks("policy", "put", id_, "-", "--json", stdin="{}")
    assert refused.error["error"] == "InvalidArgument" and refused.error["field"] == "Policy"


def test_a_principal_and_its_access_keys(ks, tenant) -> None:
    name = f"bob-{uuid4().hex[:8]}"
    made = ks("principal", "create", name, "--json").json
    assert (made["kind"], made["enabled"], made["policies"]) == ("user", True, [])
    assert made["arn"] == f"arn:aws:iam::{tenant}:user/{name}"
    again = ks("principal", "create", name, "--kind", "role", "--json")
    assert again.error == {"error": "AlreadyExists", "message": "the name is taken", "field": "name"}

    key = ks("principal", "access-key", "create", name, "--json").json
    assert key.keys() == {"access_key_id", "secret_access_key"}
    listed = ks("principal", "access-key", "list", name, "--json")
    assert [one["id"] for one in listed.json] == [key["access_key_id"]]
    assert key["secret_access_key"] not in listed.out
    assert ks("principal", "access-key", "disable", key["access_key_id"]).status == 0
    assert ks("principal", "access-key", "list", name, "--json").json[0]["enabled"] is False
    assert ks("principal", "access-key", "enable", key["access_key_id"]).status == 0
    assert ks("principal", "access-key", "delete", key["access_key_id"]).status == 0
    assert ks("principal", "access-key", "list", name).out == "No access keys.\n"

    session = ks("principal", "session", name, "--seconds", "900", "--json").json
    assert session["access_key_id"].startswith("ASIA") and session["session_token"]

    assert ks("principal", "disable", name, "--json").json == {"name": name, "enabled": False}
    assert ks("principal", "enable", name).status == 0
    assert ks("principal", "delete", name).status == 0
    assert ks("principal", "access-key", "list", name, "--json").error["error"] == "NotFound"


def test_what_a_principal_may_do(ks) -> None:
    name = f"eve-{uuid4().hex[:8]}"
    ks("principal", "create", name)
    text = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:ListKeys","Resource":"*"}]}'
    assert ks("principal", "policy", "put", name, "lists", "-", stdin=text).status == 0
    assert ks("principal", "policy", "list", name, "--json").json == [{"name": "lists", "dialect": "aws", "text": text}]
    assert name in ks("principal", "list").out
    assert ks("principal", "policy", "delete", name, "lists").status == 0
    assert ks("principal", "policy", "delete", name, "lists").status == 5
    assert ks("principal", "policy", "list", name, "--json").json == []
    assert ks("principal", "policy", "list", "nobody-at-all").status == 5


def test_a_keyring_and_the_addresses_bound_to_it(ks, tenant) -> None:
    place = f"mars-{uuid4().hex[:6]}"
    made = ks("keyring", "create", "mars", "--address", f"aws:{tenant}:{place}", "--json").json
    assert made["addresses"] == [f"aws:{tenant}:{place}"]
    assert ks("keyring", "bind", made["id"], f"aws:{tenant}:{place}-2").status == 0
    (found,) = [one for one in ks("keyring", "list", "--json").json if one["id"] == made["id"]]
    assert sorted(found["addresses"]) == [f"aws:{tenant}:{place}", f"aws:{tenant}:{place}-2"]
    id_ = ks("key", "create", "--in", place).out.strip()
    assert ks("key", "describe", id_, "--in", f"aws:{tenant}:{place}-2", "--json").json["id"] == id_
    taken = ks("keyring", "bind", made["id"], f"aws:{tenant}:{place}", "--json")
    assert taken.error["error"] == "AlreadyExists"


def test_a_backup_and_a_new_generation_of_the_slot(ks, tmp_path) -> None:
    made = ks("backup", tmp_path / "backup", "--json").json
    assert made["n_bytes"] == (tmp_path / "backup").stat().st_size
    assert (tmp_path / "backup").stat().st_mode & 0o077 == 0
    again = ks("backup", tmp_path / "backup", "--json")
    assert again.error["error"] == "InvalidArgument" and "exists" in again.error["message"]
    assert ks("slot", "rotate", "--json").json == {"rotated": True}
    assert ks("backup", tmp_path / "another", "--json").json["generation"] != made["generation"]


def test_row_96_a_key_shows_until_when_it_protects(stopped, tmp_path) -> None:
    site = shutil.copytree(stopped, tmp_path / "site")
    made = {
        spec: at_once("key", "create", "--spec", spec, "--data", site).out.strip() for spec in ("RSA_2048", "AES_256")
    }
    assert "protects_until" not in at_once("key", "list", "--data", site).out
    with (site / "keystead.toml").open("a") as file:
        file.write('algorithms = { profile = "nist-2030" }\n')
    shown = {one["id"]: one["protects_until"] for one in at_once("key", "list", "--json", "--data", site).json}
    assert shown[made["RSA_2048"]] == "2030-12-31" and shown[made["AES_256"]] is None
    assert "2030-12-31" in at_once("key", "list", "--data", site).out
    assert at_once("key", "describe", made["RSA_2048"], "--json", "--data", site).json["protects_until"] == "2030-12-31"


def test_namespaces_and_what_is_said_of_them_elsewhere(ks, tenant) -> None:
    assert ks("namespace", "list").out == "No namespaces.\n"
    made = ks("namespace", "create", "team", "--json").json
    assert (made["path"], made["locked"], made["ending"]) == ("team/", False, False)
    inner = ks("namespace", "create", "team/inner", "--json").json
    assert [one["path"] for one in ks("namespace", "list", "--json").json] == ["team/", "team/inner/"]
    address = f"aws:{made['tenant']}:us-east-1"
    assert ks("keyring", "create", "kms", "--tenant", "team", "--address", address).status == 0
    key_id = ks("key", "create", "--tenant", "team", "--json").json["id"]
    assert [one["id"] for one in ks("key", "list", "--tenant", "team", "--json").json] == [key_id]
    assert ks("namespace", "create", "nope/inner", "--json").error["error"] == "NotFound"
    ring = ks("keyring", "create", "r", "--tenant", "team", "--json").json
    assert ring["tenant"] == made["tenant"]
    assert ks("token", "list").status == 0  # what stands below another is nobody's default
    token = ks("token", "create", "--policy", "default", "--tenant", "team/inner", "--json").json
    assert [one["accessor"] for one in ks("token", "list", "--tenant", inner["tenant"], "--json").json] == [
        token["accessor"]
    ]
    words = "unable to delete namespace containing child namespaces"
    assert ks("namespace", "delete", "team", "--json").error["message"] == words
    assert ks("namespace", "delete", "team/inner").status == ks("namespace", "delete", "team").status == 0
    assert ks("namespace", "list").out == "No namespaces.\n"
    assert ks("keyring", "list", "--json").json == [
        one for one in ks("keyring", "list", "--json").json if one["tenant"] == tenant
    ]


def test_a_keys_limits(ks) -> None:
    id_ = ks("key", "create").out.strip()
    assert ks("key", "describe", id_, "--json").json["limits"] is None
    assert ks("key", "limit", id_, "--json").json == {"protect": {}, "process": {}}
    counted = {"used": 0, "bytes_used": 0}
    made = ks("key", "limit", id_, "--uses", "5", "--not-after", "2030-01-31", "--json").json
    assert made == {"protect": {"uses": 5, "not_after": "2030-01-31T00:00:00Z", **counted}, "process": {}}
    both = ks("key", "limit", id_, "--for", "process", "--bytes", "10", "--json").json
    assert both == {**made, "process": {"bytes": 10, **counted}}
    assert ks("key", "describe", id_, "--json").json["limits"] == both

    for looser in (("--uses", "6"), ("--uses", "none"), ("--not-after", "none")):
        refused = ks("key", "limit", id_, *looser, "--json")
        assert refused.error["error"] == "InvalidArgument" and "--loosen" in refused.error["message"]
    assert ks("key", "limit", id_, "--uses", "6", "--loosen", "--json").json["protect"]["uses"] == 6
    ks("key", "limit", id_, "--uses", "none", "--not-after", "none", "--loosen")
    ks("key", "limit", id_, "--for", "process", "--bytes", "none", "--loosen")
    assert ks("key", "describe", id_, "--json").json["limits"] is None
    assert ks("key", "limit", id_, "--uses", "many").status == 2
    assert ks("key", "limit", id_, "--not-before", "soon").status == 2
