"""restore and prove, as commands; tests/core/test_custody.py and tests/faults/run_destruction.py have what they do."""

import re
import shutil
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.servers import at_once, serving

from keystead.app.library import Keystead
from keystead.cli.commands.steering import _in_hsms
from keystead.core import operations as ops
from keystead.core.algorithms import KEY_SPECS, Purpose
from keystead.core.entities import Erasure, Key, KeyVersion, Tenant
from keystead.core.errors import Unavailable
from keystead.core.states import KeyState
from keystead.service.barrier import Commit


@pytest.fixture
def site(stopped, tmp_path):
    return shutil.copytree(stopped, tmp_path / "site")


def _about(site, *words):
    return at_once(*words, "--data", site)


def _destroy(site, id_: str) -> None:
    """What the scheduler does once an appointment has come."""
    with Keystead(site) as ks:
        barrier = ks._core.barrier
        barrier.commit(Commit(put=(barrier.get(Key, id_),), destroy=(barrier.get(KeyVersion, f"{id_}/1"),)))


def test_a_destroyed_key_is_proved_to_be_gone_from_an_old_backup(site, tmp_path) -> None:
    ids = [_about(site, "key", "create").out.strip() for _ in range(3)]
    assert _about(site, "backup", tmp_path / "old").status == 0
    before = (tmp_path / "old").read_bytes()
    _destroy(site, ids[0])
    proof = _about(site, "prove", "destroyed", tmp_path / "old", "--json").json
    assert proof["holds"] is True and proof["root_opened"] is False
    assert (proof["n_destroyed"], proof["destroyed_opened"]) == (1, [])
    assert proof["n_survivors"] >= 2 and proof["survivors_lost"] == []
    assert "of them opened                0" in _about(site, "prove", "destroyed", tmp_path / "old").out

    restored = _about(site, "restore", tmp_path / "old", "--json").json
    assert restored["restored"] == [] and restored["n_present"] > 5
    assert (tmp_path / "old").read_bytes() == before  # an old backup is read, never written


def test_a_lost_database_comes_back_from_a_backup_of_todays_slot(site, tmp_path) -> None:
    id_ = _about(site, "key", "create").out.strip()
    assert _about(site, "backup", tmp_path / "fresh").status == 0
    (site / "keystead.db").unlink()
    assert _about(site, "restore", tmp_path / "fresh").status == 0
    assert _about(site, "key", "describe", id_).status == 0
    assert _about(site, "audit", "verify", site).status == 0
    (site / "keystead.db").unlink()
    done = _about(site, "restore", tmp_path / "fresh", "--json")  # restoring has rotated: this copy is dead
    assert done.status == 1 and done.error["error"] == "Conflict"
    assert not (site / "keystead.db").exists()


def test_the_audit_log_goes_on_from_a_backup_that_knows_less_than_it_and_says_so(site, tmp_path) -> None:
    """An installation that was restored, and that its own log then refuses to open, is lost."""
    assert _about(site, "backup", tmp_path / "backup").status == 0
    lost = _about(site, "key", "create").out.strip()
    assert _about(site, "key", "disable", lost).status == 0
    (site / "keystead.db").unlink()
    assert _about(site, "restore", tmp_path / "backup").status == 0
    assert _about(site, "key", "describe", lost).status != 0
    made = _about(site, "key", "create").out.strip()
    assert _about(site, "key", "disable", made).status == 0
    assert _about(site, "audit", "verify", site).status == 0
    records = _about(site, "audit", "tail", "-n", "20", "--json").out
    assert records.index(lost) < records.index('"op":"RestoreBackup"') < records.index(made)


def test_a_lost_database_comes_back_from_any_backup_and_the_newest_tree(site, tmp_path) -> None:
    """service.custody, Rule 2, through the commands alone."""
    tree = tmp_path / "tree"
    (site / "keystead.toml").write_text(f'tree_copy = "{tree}"\n')
    ids = [_about(site, "key", "create").out.strip() for _ in range(2)]
    assert _about(site, "backup", tmp_path / "old").status == 0
    _destroy(site, ids[0])
    assert _about(site, "slot", "rotate").status == 0
    assert tree.stat().st_mode & 0o077 == 0
    early = tree.read_bytes()
    assert _about(site, "slot", "rotate").status == 0
    refused = _about(site, "restore", tmp_path / "old", "--tree", tree, "--json")
    assert refused.status == 2 and "move it away" in refused.error["message"]
    (site / "keystead.db").unlink()
    (tmp_path / "early").write_bytes(early)
    for stale in ((), ("--tree", tmp_path / "early")):
        done = _about(site, "restore", tmp_path / "old", *stale, "--json")
        assert done.status == 1 and done.error["error"] == "Conflict"
    came = _about(site, "restore", tmp_path / "old", "--tree", tree, "--json").json
    assert came["destroyed"] == [f"{ids[0]}/1"] and came["access"]
    assert _about(site, "key", "describe", ids[0], "--json").json["state"] == "destroyed"
    assert _about(site, "key", "rotate", ids[1]).status == 0
    assert tree.read_bytes() != early


# --- what was done since: docs/adr/0047


@pytest.fixture
def narrowed(site, tmp_path):
    """Two keys in a backup, the first of which has been disabled since, and a user who was shut out."""
    with Keystead(site) as ks:
        (account,) = ks._core.barrier.every(Tenant)
        at, tenant = ops.KeyringRef(f"aws:{account.id}:us-east-1"), ops.TenantRef(account.id)
        wanted = ops.CreateKey(keyring=at, spec=KEY_SPECS["AES_256"], purpose=Purpose.CIPHER)
        ids = [ks.perform(wanted).key.id for _ in range(2)]
        ks.perform(ops.CreatePrincipal(tenant=tenant, name="ann"))
        ks.back_up(tmp_path / "old")
        ks.perform(ops.DisableKey(key=ops.KeyRef(at.namespace, id=ids[0])))
        ks.perform(ops.SetPrincipalEnabled(tenant=tenant, name="ann", enabled=False))
    return ids


def _lose(site, *ids) -> None:
    with Keystead(site) as ks:
        barrier = ks._core.barrier
        barrier.commit(Commit(delete=tuple(barrier.get(Key, id_) for id_ in ids)))


def _states(site, *ids) -> list[tuple[KeyState, bool]]:
    with Keystead(site) as ks:
        found = [ks._core.barrier.get(Key, id_) for id_ in ids]
    return [(one.lifecycle.state, one.restored_at is not None) for one in found]


SHUT, OPEN = (KeyState.SUSPENDED, True), (KeyState.ACTIVE, False)


def test_a_row_that_was_narrowed_since_comes_back_out_of_service(site, tmp_path, narrowed) -> None:
    first, second = narrowed
    _lose(site, first, second)
    done = _about(site, "restore", tmp_path / "old", "--json")
    assert sorted(done.json["restored"]) == sorted(f"key {id_}" for id_ in narrowed)
    assert done.json["suspended"] == [first] and done.json["is_known"]
    assert [one["operation"] for one in done.json["since"]] == ["DisableKey"]
    assert f"Out of service: {first}" in done.err and "keystead key enable" in done.err
    assert _states(site, first, second) == [SHUT, OPEN]
    told = _about(site, "key", "describe", first, "--json").json
    assert told["state"] == "suspended" and told["restored_at"]
    assert _about(site, "key", "enable", first).status == 0
    assert _states(site, first) == [OPEN]
    _lose(site, first)
    assert _about(site, "restore", tmp_path / "old", "--as-it-was", "--json").json["suspended"] == []
    assert _states(site, first) == [OPEN]
    assert _about(site, "audit", "verify", site).status == 0


def test_a_database_that_was_lost_is_held_to_its_log(site, tmp_path, narrowed) -> None:
    first, second = narrowed
    (site / "keystead.db").unlink()
    done = _about(site, "restore", tmp_path / "old", "--json")
    assert (done.status, done.json["suspended"], done.json["is_known"]) == (0, [first], True)
    assert len(done.json["revoked"]) == 1 and done.json["revoked"][0].startswith("principal ")
    assert "up to" in done.err and "NOBODY KNOWS" not in done.err
    assert _states(site, first, second) == [SHUT, OPEN]
    assert _about(site, "audit", "verify", site).status == 0


def test_what_is_not_done_again_is_looked_at_before_anything_is_made(site, tmp_path, narrowed) -> None:
    later = _about(site, "key", "create").out.strip()
    assert _about(site, "key", "disable", later).status == 0
    with Keystead(site) as ks:
        ks.perform(ops.SetSlotMode(mode="off"))
    (site / "keystead.db").unlink()
    refused = _about(site, "restore", tmp_path / "old", "--json")
    assert refused.status == 1 and refused.error["error"] == "Conflict"
    told = refused.error["message"]
    assert "SetSlotMode" in told and "DisableKey" not in told, "which is done again, or of what is not there"
    (record,) = re.findall("say --accept ([0-9]+)", refused.error["message"])
    for wrong in ("0", "unknown", str(int(record) + 1)):
        assert _about(site, "restore", tmp_path / "old", "--accept", wrong).status == 1
        assert not (site / "keystead.db").exists()
    done = _about(site, "restore", tmp_path / "old", "--accept", record, "--json")
    assert done.status == 0 and done.json["suspended"] == [narrowed[0]]


def test_who_wants_it_as_it_was_has_looked(site, tmp_path, narrowed) -> None:
    (site / "keystead.db").unlink()
    shutil.rmtree(site / "audit")
    assert _about(site, "restore", tmp_path / "old", "--as-it-was").status == 0


def test_without_a_log_it_says_that_nobody_knows(site, tmp_path, narrowed) -> None:
    (site / "keystead.db").unlink()
    shutil.rmtree(site / "audit")
    for said in ((), ("--accept", "1")):
        refused = _about(site, "restore", tmp_path / "old", *said, "--json")
        assert refused.error["error"] == "Conflict" and "nobody knows" in refused.error["message"]
        assert not (site / "keystead.db").exists()
    done = _about(site, "restore", tmp_path / "old", "--accept", "unknown", "--json")
    assert (done.json["suspended"], done.json["is_known"], done.json["access"] != []) == ([], False, True)
    assert done.json["backed_up_at"] and "NOBODY KNOWS" in done.err and "put it in its place" in done.err
    assert _states(site, *narrowed) == [OPEN, OPEN]


def test_a_restore_that_died_before_it_was_held_to_the_log_is_opened_by_nobody(site, tmp_path, narrowed) -> None:
    """Else what was refused since would be served, for the log would go on from the backup as if it were all."""
    (site / "keystead.db").unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keystead.app.recovery.undo", _dies)
        assert _about(site, "restore", tmp_path / "old", "--json").status != 0
    done = _about(site, "key", "list", "--json")
    assert done.status == 1 and "rolled back" in done.error["message"]
    (site / "keystead.db").unlink()
    assert _about(site, "restore", tmp_path / "old", "--json").json["suspended"] == [narrowed[0]]


def _dies(*_args) -> None:
    raise Unavailable("the machine is gone")


def test_a_tree_that_cannot_be_kept_holds_the_old_secret_back(site, tmp_path) -> None:
    (site / "keystead.toml").write_text(f'tree_copy = "{tmp_path / "absent" / "tree"}"\n')
    assert _about(site, "slot", "rotate").status == 0  # the rotation stands
    assert len(list((site / "slot-1").iterdir())) == 2  # and what it replaces waits
    (tmp_path / "absent").mkdir()
    assert _about(site, "key", "list", "--in", "us-east-1").status == 0
    assert len(list((site / "slot-1").iterdir())) == 1


def test_what_is_no_backup(site, tmp_path) -> None:
    assert _about(site, "restore", tmp_path / "absent").status == 5
    (tmp_path / "text").write_text("not a database\n" * 200)
    for words in (("restore",), ("prove", "destroyed")):
        done = _about(site, *words, tmp_path / "text", "--json")
        assert done.status == 1 and done.error["error"] == "Unsupported"
        assert done.error["message"] == f"{tmp_path / 'text'} is no backup, or a damaged one"
    assert not list((site / "run").glob("old-backup*"))


def test_what_is_the_matter_with_a_database_is_told_with_what_to_do(site, tmp_path) -> None:
    database, old = site / "keystead.db", tmp_path / "old"
    assert _about(site, "backup", old).status == 0
    assert _about(site, "slot", "rotate").status == 0
    mend = f"`keystead restore BACKUP --data {site}`"
    for text, hint in ((b"", mend), (b"x" * 8192, mend), (old.read_bytes(), f"BACKUP --tree FILE --data {site}`")):
        database.write_bytes(text)
        for suffix in ("-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        done = _about(site, "key", "list")
        assert done.status == 1 and hint in done.err and "defect" not in done.err


def test_a_lost_seal_is_not_taken_for_no_installation(site) -> None:
    (site / "seal.json").rename(site / "elsewhere")
    for done in (_about(site, "key", "list"), at_once("serve", site), _about(site, "status")):
        assert done.status == 5 and "seal.json is lost: put the copy back" in done.err and "init" not in done.err


@pytest.mark.parametrize("words", [("restore",), ("prove", "destroyed")], ids=" ".join)
def test_they_have_the_installation_to_themselves(site, tmp_path, words) -> None:
    with serving("dev", site):
        done = _about(site, *words, tmp_path / "old")
    assert done.status == 1 and "stop the server" in done.err


def test_what_a_token_that_never_comes_back_owes_is_given_up(site) -> None:
    """tests/service/test_hsms.py has what it does."""
    assert _about(site, "hsm", "give-up", "lost", "--json").error["error"] == "NotFound"
    with Keystead(site) as ks:
        barrier, now = ks._core.barrier, ks._core.clock.now()
        owed = [Erasure(id=f"{n:032x}", hsm="lost", key_id="k", number=n, since=now) for n in range(3)]
        barrier.commit(Commit(put=tuple(owed)))
    done = _about(site, "hsm", "give-up", "lost", "--json")
    assert done.json == {"hsm": "lost", "given_up": 3, "erased": 0}
    assert _about(site, "hsm", "give-up", "lost", "--json").error["error"] == "NotFound"
    assert _about(site, "hsm", "take-up", "lost", "--json").json == {"hsm": "lost", "taken_up": 3}
    assert _about(site, "hsm", "take-up", "lost", "--json").error["error"] == "NotFound"
    found = cast("Any", SimpleNamespace(n_in_hsms=0, n_given_up=3))
    assert _in_hsms(found) == "; 3 given up in HSMs, NOT erased"
