"""Single rows of secrets put back from an old backup: what was lost comes back, and what was taken away does not."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests import vaultstack
from tests.doors.vault.factors import password
from tests.memorystore import MemoryStore

from keystead.core.entities import (
    Binding,
    Folder,
    Key,
    Keyring,
    KeyVersion,
    Kind,
    Mount,
    Namespace,
    OtpKey,
    Secret,
    SecretVersion,
    Tenant,
)
from keystead.service.barrier import Commit
from keystead.service.inspection import inspect
from keystead.service.restoring import restore
from keystead.service.since import NOBODY_KNOWS, NOTHING, Since, told


class Site:
    """A mount of secrets and one of passwords, and a backup of then."""

    def __init__(self) -> None:
        self.vault = vaultstack.door()
        self.stack, self.root = self.vault.stack, self.vault.root
        self.root.data("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
        self.root.data("POST", "sys/mounts/totp", {"type": "totp"})
        made = {"key": "JBSWY3DPEHPK3PXP", "issuer": "i", "account_name": "a"}
        self.root.data("POST", "totp/keys/a", made)
        for path in ("a/b/c", "x", "gone/away"):
            self.write(path, "1")
        self.keep()

    def keep(self) -> None:
        self.old = MemoryStore()
        self.old._content = copy.deepcopy(self.stack.store._content)

    def write(self, path: str, value: str) -> int:
        return self.root.data("POST", f"kv/data/{path}", {"data": {"v": value}})["version"]

    def read(self, path: str, version: int = 0) -> str:
        return self.root.data("GET", f"kv/data/{path}?version={version}")["data"]["v"]

    def lose(self, of: type, *wanted: str) -> None:
        """Rows as if the disk had lost them: nothing was destroyed."""
        gone = [one for one in self.stack.barrier.every(of) if not wanted or one.path in wanted]
        self.stack.barrier.commit(Commit(delete=tuple(gone)))
        self.stack.generation.announce()

    def since(self) -> Since:
        """As the sequencer would have the log: every change since the backup, in order."""
        newest = self.old.records(0, 1_000_000)[-1][0]
        return told(iter(self.stack.store.records(newest - 1, 1_000_000)))

    def restore(self, since: Since | None = None):
        known = self.since() if since is None else since
        done = restore(self.old, self.stack.barrier, self.stack.store, known, self.stack.clock.now())
        self.stack.generation.announce()
        self.stack.view.forget()
        return done


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_secret_that_was_lost_comes_back_with_its_folders_and_goes_on_where_it_was(site) -> None:
    assert site.write("a/b/c", "2") == 2  # after the backup
    site.lose(Secret, "a/b/c")
    site.lose(Folder, "a", "a/b")
    done = site.restore()
    assert sorted(one.partition(" ")[0] for one in done.restored) == ["folder", "folder", "secret"]
    assert (site.read("a/b/c"), site.read("a/b/c", 1)) == ("2", "1")
    assert site.root.data("LIST", "kv/metadata")["keys"] == ["a/", "gone/", "x"]
    assert site.root.data("LIST", "kv/metadata/a/b")["keys"] == ["c"]
    assert site.write("a/b/c", "3") == 3
    assert inspect(site.stack.barrier, site.stack.store).whole


def test_versions_and_keys_of_passwords_that_were_lost_come_back(site) -> None:
    code = site.root.data("GET", "totp/code/a")["code"]
    site.lose(SecretVersion)
    site.lose(OtpKey)
    assert len(site.restore().restored) == 4
    assert [site.read(path) for path in ("a/b/c", "x", "gone/away")] == ["1"] * 3
    assert site.root.data("GET", "totp/code/a")["code"] == code


def rows(site) -> dict[Kind, int]:
    """How many of each there are; but for the roots that destroying has ended."""
    return {kind: site.stack.store.count(kind) for kind in Kind if kind is not Kind.ENDED_ROOT}


class Below(Site):
    """A namespace with an engine of each kind, and something in each."""

    def fill(self) -> None:
        self.root.data("POST", "sys/namespaces/ns", {})
        for kind in ("transit", "totp"):
            self.root.data("POST", f"ns/sys/mounts/{kind}", {"type": kind})
        self.root.data("POST", "ns/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
        self.root.data("POST", "ns/transit/keys/k", {})
        self.root.data("POST", "ns/kv/data/a/b", {"data": {"v": "1"}})
        self.root.data("POST", "ns/totp/keys/a", {"key": "JBSWY3DPEHPK3PXP", "issuer": "i", "account_name": "a"})


def test_a_namespace_that_has_ended_leaves_nothing_that_comes_back() -> None:
    """Its tenant and keyrings did, and the keys' own rows, with nothing in them."""
    site = Below()
    before = rows(site)
    site.fill()
    site.keep()
    site.root.data("DELETE", "sys/namespaces/ns")
    assert rows(site) == before, "it is gone"
    done = site.restore()
    assert (done.restored, done.damaged) == ((), ())
    assert rows(site) == before
    assert {one.partition(" ")[0] for one in done.destroyed} >= {"tenant", "keyring", "key", "key-version", "secret"}


def test_what_a_namespace_has_lost_comes_back() -> None:
    """What the disk has lost is in the key tree still."""
    site = Below()
    site.fill()
    site.keep()
    barrier, before = site.stack.barrier, rows(site)
    (space,) = barrier.every(Namespace)
    rings = barrier.children(Keyring, space.id)
    lost = [*rings, *(one for ring in rings for kind in (Key, Binding) for one in barrier.children(kind, ring.id))]
    barrier.commit(Commit(delete=(barrier.get(Tenant, space.id), *lost)))
    assert len(site.restore().restored) == len(lost) + 1
    assert rows(site) == before


def test_a_keyring_that_was_lost_comes_back_though_its_only_key_was_destroyed_since() -> None:
    """It answers at its address, and the destroyed key is told as one."""
    site = Below()
    site.root.data("POST", "sys/mounts/transit", {"type": "transit"})
    site.root.data("POST", "transit/keys/k", {})
    site.keep()
    barrier = site.stack.barrier
    (mount,) = (one for one in barrier.every(Mount) if one.engine == "transit")
    (key,) = barrier.children(Key, mount.keyring)
    versions = barrier.children(KeyVersion, key.id)
    barrier.commit(Commit(put=tuple(replace(one, wrapped=b"") for one in versions), destroy=tuple(versions)))
    barrier.commit(Commit(delete=(barrier.get(Keyring, mount.keyring),)))
    assert site.restore().restored == (f"keyring {mount.keyring}",)


@pytest.mark.parametrize(
    ("engine", "old", "new", "body"),
    [
        ("kv", ("kv/metadata/a/b/c", "kv/metadata/x", "kv/metadata/gone/away"), "kv/data/new", {"data": {"v": "1"}}),
        ("totp", ("totp/keys/a",), "totp/keys/new", {"key": "JBSWY3DPEHPK3PXP", "issuer": "i", "account_name": "a"}),
    ],
)
def test_a_keyring_that_was_lost_with_its_address_comes_back_for_what_has_come_into_it_since(
    site, engine, old, new, body
) -> None:
    for path in old:
        site.root.data("DELETE", path)
    site.root.data("POST", new, body)
    before, barrier = site.root.data("GET", new), site.stack.barrier
    (mount,) = (one for one in barrier.every(Mount) if one.engine == engine)
    lost = barrier.get(Keyring, mount.keyring), *barrier.children(Binding, mount.keyring)
    barrier.commit(Commit(delete=lost))
    done = site.restore()
    assert sorted(done.restored) == sorted(f"{one.kind.value} {one.id}" for one in lost)
    assert site.root.data("GET", new) == before


def rotated() -> Below:
    """A key of two versions in a backup, with the first one trimmed and three versions more since."""
    site = Below()
    site.root.data("POST", "sys/mounts/transit", {"type": "transit"})
    site.root.data("POST", "transit/keys/k", {})
    site.root.data("POST", "transit/keys/k/rotate", {})
    site.keep()
    for _ in range(3):
        site.root.data("POST", "transit/keys/k/rotate", {})
    return site


def sealed(site) -> str:
    return site.root.data("POST", "transit/encrypt/k", {"plaintext": "AAAA"})["ciphertext"]


@pytest.mark.parametrize("least", [1, 4])
def test_a_key_that_was_lost_comes_back_at_todays_version(least) -> None:
    """Also where every version that the backup knew of was destroyed since."""
    site = rotated()
    if least > 1:
        settled = {"min_decryption_version": least, "min_encryption_version": least}
        site.root.data("POST", "transit/keys/k/config", settled)
        site.root.data("POST", "transit/keys/k/trim", {"min_available_version": least})
    text, barrier = sealed(site), site.stack.barrier
    (mount,) = (one for one in barrier.every(Mount) if one.engine == "transit")
    (key,) = barrier.children(Key, mount.keyring)
    barrier.commit(Commit(delete=(key,)))
    assert f"key {key.id}" in site.restore(NOTHING).restored
    assert site.root.data("POST", "transit/decrypt/k", {"ciphertext": text})["plaintext"] == "AAAA"
    assert sealed(site).startswith("vault:v5:")
    site.root.data("POST", "transit/keys/k/rotate", {})
    assert sealed(site).startswith("vault:v6:")


def test_a_key_that_was_lost_comes_back_beside_damaged_versions_and_takes_none_of_their_numbers() -> None:
    site = rotated()
    barrier = site.stack.barrier
    (mount,) = (one for one in barrier.every(Mount) if one.engine == "transit")
    (key,) = barrier.children(Key, mount.keyring)
    barrier.commit(Commit(delete=(key,)))
    kept = site.stack.store._content.items[Kind.KEY_VERSION]
    for number in (2, 5):  # one that the backup has, and the one of today
        row = kept[f"{key.id}/{number}"]
        kept[row.id] = replace(row, sealed=row.sealed[:-1] + bytes([row.sealed[-1] ^ 1]))
    assert site.restore().restored == (f"key {key.id}", f"key-version {key.id}/2")
    assert sealed(site).startswith("vault:v4:")
    back = barrier.get(Key, key.id)
    assert (back.n_versions, back.current) == (5, 4)


def test_an_engine_that_was_taken_away_and_a_key_that_was_deleted_do_not_come_back() -> None:
    site = Below()
    site.root.data("POST", "sys/mounts/transit", {"type": "transit"})
    for name in ("kept", "gone"):
        site.root.data("POST", f"transit/keys/{name}", {})
    site.root.data("POST", "transit/keys/gone/config", {"deletion_allowed": True})
    site.keep()
    site.root.data("DELETE", "transit/keys/gone")
    site.root.data("DELETE", "sys/mounts/kv")
    before = rows(site)
    assert site.restore().restored == ()
    assert rows(site) == before


def test_what_was_taken_away_since_does_not_come_back(site) -> None:
    site.root.data("DELETE", "kv/metadata/gone/away")
    site.root.data("DELETE", "totp/keys/a")
    site.root.data("POST", "kv/destroy/x", {"versions": [1]})
    site.lose(SecretVersion)
    done = site.restore()
    assert sorted(one.partition(" ")[0] for one in done.destroyed) == [
        "folder",
        "otp-key",
        "secret",
        "secret-version",
        "secret-version",
    ]
    assert site.root.data("LIST", "kv/metadata")["keys"] == ["a/", "x"]
    assert site.read("a/b/c") == "1"
    assert site.root("GET", "kv/data/x?version=1").status == 404


@pytest.mark.parametrize("knows", [True, False])
def test_a_version_of_a_secret_that_was_deleted_since_comes_back_deleted(site, knows) -> None:
    """Deleted is not destroyed: whoever may undelete it has it again."""
    if knows:
        site.root.data("DELETE", "kv/data/x")
    site.lose(SecretVersion)
    site.restore(None if knows else NOBODY_KNOWS)
    assert site.root("GET", "kv/data/x").status == 404
    assert site.root("GET", "kv/data/a/b/c").status == (200 if knows else 404)
    site.root.data("POST", "kv/undelete/x", {"versions": [1]})
    assert site.read("x") == "1"


def test_a_password_that_may_have_been_used_since_is_not_accepted_again(site) -> None:
    made = {"generate": True, "issuer": "i", "account_name": "b", "exported": True}
    url = site.root.data("POST", "totp/keys/b", made)["url"]
    code = password(url, site.stack.clock.now().timestamp())
    site.keep()
    assert site.root.data("POST", "totp/code/b", {"code": code})["valid"]
    site.lose(OtpKey)
    site.restore()
    assert site.root.refused("POST", "totp/code/b", {"code": code})[0] == 400
    site.stack.clock.forward(timedelta(seconds=90))
    later = password(url, site.stack.clock.now().timestamp())
    assert site.root.data("POST", "totp/code/b", {"code": later})["valid"]
