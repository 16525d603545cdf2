"""Versions of secrets against a model of them, with the real pipeline, barrier and store beneath."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests import harness

from keystead.core import operations as ops
from keystead.core.entities import Binding, Folder, Secret, SecretSettings, SecretVersion
from keystead.core.errors import Conflict, NotFound, WrongState
from keystead.core.sensitive import Sensitive
from keystead.service.barrier import Commit
from keystead.service.handlers import secrets as handlers
from keystead.service.inspection import inspect

PATHS = st.sampled_from(["a", "a/b", "a/b/c", "d/e"])
NUMBERS = st.lists(st.integers(-1, 8), max_size=3).map(tuple)
AT = "aws:111122223333:us-east-1"


class Versions(RuleBasedStateMachine):
    """The model: path -> (settings, number -> [value, deleted at, destroyed]), and what the newest number is."""

    @initialize(batch=st.sampled_from([1, 3, 64]))
    def begin(self, batch) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(handlers, "DROPPED", batch)
        self.stack = harness.stack()
        self.kept: dict[str, dict] = {}
        self.values = 0

    def teardown(self) -> None:
        self.patch.undo()

    def ref(self, path):
        return ops.SecretRef(AT, path)

    @rule(path=PATHS, cas=st.none() | st.integers(0, 4))
    def write(self, path, cas) -> None:
        self.values += 1
        op = ops.WriteSecret(secret=self.ref(path), value=Sensitive(b"%d" % self.values), cas=cas)
        mine = self.kept.get(path, {"max": 0, "current": 0, "versions": {}})
        if cas is not None and cas != mine["current"]:
            with pytest.raises(Conflict):
                self.stack.perform(op)
            return
        number = self.stack.perform(op).version.number
        assert number == mine["current"] + 1
        mine["current"] = number
        mine["versions"][number] = [b"%d" % self.values, False, False]
        first = number - (mine["max"] or 10) + 1
        mine["versions"] = {n: one for n, one in mine["versions"].items() if n >= first}
        self.kept[path] = mine

    @rule(path=PATHS, n=st.integers(1, 3))
    def limit(self, path, n) -> None:
        self.stack.perform(ops.PutSecretMetadata(secret=self.ref(path), max_versions=n))
        self.kept.setdefault(path, {"current": 0, "versions": {}})["max"] = n

    @rule(path=PATHS, numbers=NUMBERS)
    def delete(self, path, numbers) -> None:
        self.stack.perform(ops.DeleteVersions(secret=self.ref(path), versions=numbers))
        self._mark(path, numbers, 1, value=True)

    @rule(path=PATHS, numbers=NUMBERS)
    def undelete(self, path, numbers) -> None:
        self.stack.perform(ops.UndeleteVersions(secret=self.ref(path), versions=numbers))
        self._mark(path, numbers, 1, value=False)

    @rule(path=PATHS, numbers=NUMBERS)
    def destroy(self, path, numbers) -> None:
        self.stack.perform(ops.DestroyVersions(secret=self.ref(path), versions=numbers))
        self._mark(path, numbers, 2, value=True)

    def _mark(self, path, numbers, place, *, value) -> None:
        versions = self.kept.get(path, {"versions": {}})["versions"]
        for number in numbers:
            if number in versions and not versions[number][2]:
                versions[number][place] = value

    @rule(path=PATHS)
    def remove(self, path) -> None:
        self.stack.perform(ops.DeleteSecret(secret=self.ref(path)))
        self.kept.pop(path, None)

    @rule()
    def time_passes(self) -> None:
        self.stack.clock.forward(timedelta(seconds=1))

    @rule()
    def everything_is_forgotten(self) -> None:
        self.stack.view.forget()

    @rule(path=PATHS, number=st.integers(0, 8))
    def read(self, path, number) -> None:
        op = ops.ReadSecret(secret=self.ref(path), version=number)
        mine = self.kept.get(path)
        found = mine and mine["versions"].get(number or mine["current"])
        if not found:
            with pytest.raises(NotFound):
                self.stack.perform(op)
            return
        value, deleted, destroyed = found
        told = self.stack.perform(op)
        assert told.version.is_destroyed == destroyed
        assert (told.value and told.value.reveal()) == (None if deleted or destroyed else value)

    @invariant()
    def listed_is_what_there_is(self) -> None:
        if not hasattr(self, "kept"):
            return
        for folder in ("", "a", "a/b", "d"):
            below = [
                p[len(folder) + 1 :] if folder else p for p in self.kept if not folder or p.startswith(f"{folder}/")
            ]
            names = sorted({head + slash for head, slash, _ in (one.partition("/") for one in below)})
            page = self.stack.perform(ops.ListSecrets(keyring=ops.KeyringRef(AT), folder=folder))
            assert list(page.items) == names
        for path, mine in self.kept.items():
            told = self.stack.perform(ops.ReadSecretMetadata(secret=self.ref(path)))
            assert [one.number for one in told.versions] == sorted(mine["versions"])

    @invariant()
    def no_row_is_left_over(self) -> None:
        if not hasattr(self, "kept"):
            return
        barrier = self.stack.barrier
        assert barrier.count(Secret) == len(self.kept)
        assert barrier.count(Folder) == len({p[:i] for p in self.kept for i, c in enumerate(p) if c == "/"})
        assert {one.secret_id for one in barrier.every(SecretVersion)} <= {one.id for one in barrier.every(Secret)}
        assert inspect(barrier, self.stack.store).whole


Versions.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_versions = Versions.TestCase


def test_an_emptied_keyring_holds_nothing_and_no_backup_opens_it() -> None:
    stack = harness.stack()
    ring = ops.KeyringRef(AT)
    for path in ("a", "a/b/c", "d"):
        for _ in range(2):
            stack.perform(ops.WriteSecret(secret=ops.SecretRef(AT, path), value=Sensitive(b"x")))
    stack.perform(ops.PutSecretSettings(keyring=ring, max_versions=3))
    old = stack.barrier.every(SecretVersion)
    while stack.perform(ops.EmptyKeyring(keyring=ring)):
        pass
    assert not any(stack.barrier.count(kind) for kind in (Secret, SecretVersion, Folder, SecretSettings))
    for version in old:
        with pytest.raises(WrongState):
            stack.barrier.material(version)
    assert inspect(stack.barrier, stack.store).whole


def test_a_folder_that_something_is_put_into_meanwhile_stays() -> None:
    """A deletion that found it empty, and a secret that came first: the deletion is decided again."""
    stack = harness.stack()
    one, two = (ops.SecretRef(AT, f"a/{name}") for name in "bc")
    stack.perform(ops.WriteSecret(secret=one, value=Sensitive(b"1")))
    barrier, commit, raced = stack.barrier, stack.barrier.commit, []

    def first_somebody_else(change: Commit) -> None:
        if change.childless and not raced:
            raced.append(change)
            stack.perform(ops.WriteSecret(secret=two, value=Sensitive(b"2")))
        commit(change)

    barrier.commit = first_somebody_else
    stack.perform(ops.DeleteSecret(secret=one))
    assert raced
    assert stack.perform(ops.ListSecrets(keyring=ops.KeyringRef(AT), folder="")).items == ("a/",)
    assert stack.perform(ops.ListSecrets(keyring=ops.KeyringRef(AT), folder="a")).items == ("c",)
    assert stack.perform(ops.ReadSecret(secret=two)).value.reveal() == b"2"


def test_a_secret_is_not_put_into_a_folder_that_has_gone_meanwhile() -> None:
    stack = harness.stack()
    one, two = (ops.SecretRef(AT, f"a/{name}") for name in "bc")
    stack.perform(ops.WriteSecret(secret=one, value=Sensitive(b"1")))
    commit, raced = stack.barrier.commit, []

    def first_somebody_else(change: Commit) -> None:
        if change.material and not raced:
            raced.append(change)
            stack.perform(ops.DeleteSecret(secret=one))
        commit(change)

    stack.barrier.commit = first_somebody_else
    stack.perform(ops.WriteSecret(secret=two, value=Sensitive(b"2")))
    assert raced
    assert stack.perform(ops.ListSecrets(keyring=ops.KeyringRef(AT), folder="")).items == ("a/",)
    assert stack.perform(ops.ListSecrets(keyring=ops.KeyringRef(AT), folder="a")).items == ("c",)


def test_a_keyring_of_another_tenant_is_out_of_reach() -> None:
    stack = harness.stack()
    stack.keyring()
    (other,) = (one.id for one in stack.barrier.every(Binding) if "444455556666" in one.id)
    with pytest.raises(Exception, match="not authorized"):
        stack.perform(ops.ReadSecret(secret=ops.SecretRef(other, "a")))
