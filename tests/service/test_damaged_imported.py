"""Imported material whose row is damaged is given back by its owner's word, or by its date, and comes again
(docs/adr/0048)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.doors.aws_kms import test_related_imports as related
from tests.doors.aws_kms.managing import ask, made, scheduled
from tests.doors.aws_kms.test_imports import OTHER, SECRET, came, described, encrypted, listed, opens
from tests.doors.aws_kms.wrapped import NEW, importing
from tests.harness import OTHER_REGION, stack
from tests.service.test_damaged_destroyed import backup, forget, spoil, version

from keystead.core.entities import Fate, Key, KeyVersion, Kind
from keystead.core.states import KeyState
from keystead.service.inspection import is_destroyed
from keystead.service.proof import prove_destroyed

DELETED = "TrentService.DeleteImportedKeyMaterial"
WAITS = "KMSInvalidStateException"


class Lent:
    """A key with two materials; `spoilt`: the rows of which are damaged. With `expires`, a number of days for each."""

    def __init__(self, *spoilt: int, expires: dict[int, int] | None = None) -> None:
        self.site = stack()
        self.admin, self.clockwork = self.site.admin, scheduled(self.site)
        self.id = made(self.admin, Origin="EXTERNAL")
        self.first = came(importing(self.admin, self.id, SECRET, **self.until(expires, 1)))
        self.old = encrypted(self.admin, self.id)
        self.second = came(importing(self.admin, self.id, OTHER, **self.until(expires, 2), **NEW))
        ask(self.admin, "RotateKeyOnDemand", KeyId=self.id)
        self.new = encrypted(self.admin, self.id)
        self.backup = backup(self.site)
        spoil(self.site, *(f"{self.id}/{n}" for n in spoilt))

    def until(self, expires: dict[int, int] | None, number: int) -> dict[str, float]:
        days = (expires or {}).get(number)
        return {} if days is None else {"ValidTo": (self.site.clock.now() + timedelta(days=days)).timestamp()}

    def sweep(self, **by: float) -> int:
        self.site.clock.forward(timedelta(**by))
        return self.clockwork.step()

    def is_gone(self, *numbers: int) -> None:
        """Held by nothing today, and no backup of before opens it."""
        for number in numbers:
            left = version(self.site, f"{self.id}/{number}")
            assert (left.wrapped, left.state) == (b"", KeyState.DESTROYED)
            assert self.site.barrier.fate(left) is Fate.IRRECOVERABLE
        proof = prove_destroyed(self.backup, self.site.barrier, self.site.store)
        assert proof.n_destroyed == len(numbers) and not proof.destroyed_opened and not proof.survivors_lost

    def record(self) -> tuple[str, str, str]:
        """Of the last deletion."""
        last = [one for one in self.site.records() if one.operation.endswith(("Material", "material"))][-1]
        return last.operation, last.outcome, last.why


@pytest.mark.parametrize("spoilt", [1, 2])
def test_its_owner_deletes_it_and_brings_it_again(spoilt) -> None:
    lent = Lent(spoilt)
    name, secret = {1: (lent.first, SECRET), 2: (lent.second, OTHER)}[spoilt]
    assert ask(lent.admin, "DeleteImportedKeyMaterial", KeyId=lent.id, KeyMaterialId=name)["KeyMaterialId"] == name
    assert lent.record() == (DELETED, "performed", f"damaged: {spoilt}")
    assert version(lent.site, f"{lent.id}/{spoilt}").lost
    lent.is_gone(spoilt)
    assert described(lent.admin, lent.id)["KeyState"] == "PendingImport"
    assert opens(lent.admin, lent.old) == opens(lent.admin, lent.new) == WAITS
    assert came(importing(lent.admin, lent.id, secret)) == name
    assert opens(lent.admin, lent.old) is opens(lent.admin, lent.new) is True
    assert not version(lent.site, f"{lent.id}/{spoilt}").lost, "its row is whole again"
    assert [one["ImportState"] for one in listed(lent.admin, lent.id)] == ["IMPORTED"] * 2


def test_so_is_the_current_one_without_a_name_and_one_that_is_whole_beside_a_damaged_one() -> None:
    lent = Lent(1)
    assert ask(lent.admin, "DeleteImportedKeyMaterial", KeyId=lent.id)["KeyMaterialId"] == lent.second
    assert lent.record() == (DELETED, "performed", "")
    ask(lent.admin, "DeleteImportedKeyMaterial", KeyId=lent.id, KeyMaterialId=lent.first)
    lent.is_gone(1, 2)


def test_one_that_waits_for_its_rotation_is_given_up() -> None:
    lent = Lent()
    third = came(importing(lent.admin, lent.id, bytes(range(32)), **NEW))
    lent.backup = backup(lent.site)
    spoil(lent.site, f"{lent.id}/3")
    ask(lent.admin, "DeleteImportedKeyMaterial", KeyId=lent.id, KeyMaterialId=third)
    lent.is_gone(3)
    assert described(lent.admin, lent.id)["KeyState"] == "Enabled"
    assert came(importing(lent.admin, lent.id, bytes(range(1, 33)), **NEW)) != third


def test_one_that_waits_and_is_damaged_in_another_region_goes_with_the_primary_s() -> None:
    site = related.three_regions()
    id_ = related.lent(site, OTHER_REGION)
    (replica,) = (one.id for one in site.barrier.every(Key) if one.multi_region and not one.is_primary)
    waits = came(related.imported(site, id_, related.TWO, **NEW))
    came(related.imported(site, id_, related.TWO, OTHER_REGION))
    old = backup(site)
    spoil(site, f"{replica}/2")
    related.delete(site, id_, KeyMaterialId=waits)
    left = version(site, f"{replica}/2")
    assert (left.wrapped, left.lost) == (b"", True)
    proof = prove_destroyed(old, site.barrier, site.store)
    assert proof.n_destroyed == 2 and not proof.destroyed_opened


@pytest.mark.parametrize("spoilt", [1, 2])
def test_it_goes_when_its_time_has_run_out(spoilt) -> None:
    lent = Lent(spoilt, expires={spoilt: 2})
    assert lent.sweep(days=2, seconds=-1) == 0 and lent.sweep(seconds=1) == 1
    assert lent.record() == ("ExpireMaterial", "performed", f"damaged: {spoilt}")
    lent.is_gone(spoilt)
    assert described(lent.admin, lent.id)["KeyState"] == "PendingImport"
    assert lent.sweep(days=300) == 0


def test_nobody_knows_its_date_so_it_goes_with_the_first_that_does() -> None:
    lent = Lent(2, expires={1: 1, 2: 9})
    assert lent.sweep(days=1) == 1
    lent.is_gone(1, 2)


def test_its_date_is_not_forgotten_when_another_one_is_deleted() -> None:
    lent = Lent(2, expires={2: 3})
    ask(lent.admin, "DeleteImportedKeyMaterial", KeyId=lent.id, KeyMaterialId=lent.first)
    assert lent.sweep(days=3) == 1
    lent.is_gone(1, 2)


def test_material_without_a_date_stays_whatever_is_damaged() -> None:
    lent = Lent(1)
    assert lent.sweep(days=3_000) == 0
    assert lent.site.barrier.revision(Kind.KEY_VERSION, f"{lent.id}/1")


def test_what_was_damaged_before_its_place_was_kept_is_refused() -> None:
    lent = Lent()
    forget(lent.site)
    spoil(lent.site, f"{lent.id}/1")
    refused = lent.admin.call("DeleteImportedKeyMaterial", KeyId=lent.id, KeyMaterialId=lent.first)
    assert refused.code == "KeyUnavailableException"
    assert not is_destroyed(
        lent.site.barrier,
        lent.site.store,
        lent.site.barrier.rows.open(lent.backup.get(Kind.KEY_VERSION, f"{lent.id}/1"), KeyVersion),
    )
