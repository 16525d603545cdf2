"""A key of imported material against a model of what the Developer Guide says of it, in any order of events."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.doors.aws_kms.managing import ask, made, scheduled
from tests.doors.aws_kms.wrapped import importing, parameters
from tests.harness import stack

DAYS = st.sampled_from([None, 1, 2, 5])
MATERIALS = [bytes([n]) * 32 for n in range(4)]
FEW = st.integers(0, len(MATERIALS) - 1)


class Materials(RuleBasedStateMachine):
    """`order`: the materials of the key, `current` of them its own; `there`: what is imported -> when it expires."""

    @initialize()
    def begin(self) -> None:
        self.office = stack()
        self.admin = self.office.admin
        self.key_id = made(self.admin, Origin="EXTERNAL")
        self.clockwork = scheduled(self.office)
        self.order: list[int] = []
        self.current = 0
        self.there: dict[int, datetime | None] = {}
        self.blobs: list[tuple[str, int]] = []
        self.disabled = False
        self.renew()

    def renew(self) -> None:
        self.given = parameters(self.admin, self.key_id)

    @property
    def now(self) -> datetime:
        return self.office.clock.now()

    def present(self, material: int) -> bool:
        at = self.there.get(material)
        return material in self.there and (at is None or at > self.now)

    @property
    def usable(self) -> bool:
        return self.current > 0 and all(self.present(m) for m in self.order[: self.current])

    @rule(material=FEW, days=DAYS, new=st.sampled_from([None, True, False]))
    def take(self, material: int, days: int | None, new: bool | None) -> None:
        until = None if days is None else self.now + timedelta(days=days)
        members = {} if until is None else {"ValidTo": until.timestamp()}
        if new is not None:
            members["ImportType"] = "NEW_KEY_MATERIAL" if new else "EXISTING_KEY_MATERIAL"
        reply = importing(self.admin, self.key_id, MATERIALS[material], given=self.given, **members)
        is_new = new if new is not None else not self.order
        if is_new is (material in self.order):
            assert reply.code == "IncorrectKeyMaterialException"
        elif is_new and len(self.order) > self.current:
            assert reply.code == "KMSInvalidStateException"
        else:
            assert reply.status == 200, reply.message
            if is_new:
                self.order.append(material)
                self.current = max(self.current, 1)
            self.there[material] = until

    @rule(which=FEW)
    def give_back(self, which: int) -> None:
        entries = self.listed()
        if not entries:
            return
        number = which % len(entries)
        named = {"KeyMaterialId": entries[number]["KeyMaterialId"]}
        ask(self.admin, "DeleteImportedKeyMaterial", KeyId=self.key_id, **named)
        self.lose(number)

    def lose(self, number: int) -> None:
        material = self.order[number]
        if self.there.pop(material, self) is not self:
            if number >= self.current:
                self.order.pop()
            else:
                self.disabled = False  # the key waits, and is enabled once its material is back

    @rule()
    def rotate(self) -> None:
        reply = self.admin.call("RotateKeyOnDemand", KeyId=self.key_id)
        if not self.usable:
            assert reply.code == "KMSInvalidStateException" and reply.message.endswith("is pending import.")
        elif self.disabled:
            assert reply.code == "DisabledException"
        elif len(self.order) == self.current or not self.present(self.order[-1]):
            assert reply.code == "KMSInvalidStateException" and reply.message.startswith("No available key material")
        else:
            assert reply.status == 200
            self.current += 1

    @rule(on=st.booleans())
    def turn(self, on: bool) -> None:
        reply = self.admin.call("EnableKey" if on else "DisableKey", KeyId=self.key_id)
        assert reply.code == (None if self.usable else "KMSInvalidStateException")
        if self.usable:
            self.disabled = not on

    @rule(hours=st.integers(1, 60), sweep=st.booleans())
    def wait(self, hours: int, sweep: bool) -> None:
        self.office.clock.forward(timedelta(hours=hours))
        if sweep:
            self.clockwork.step()
            for number in reversed(range(len(self.order))):
                if self.order[number] in self.there and not self.present(self.order[number]):
                    self.lose(number)
        if self.now.timestamp() >= self.given["ParametersValidTo"]:
            self.renew()

    @rule()
    def encrypt(self) -> None:
        reply = self.admin.call("Encrypt", KeyId=self.key_id, Plaintext=b"x")
        if self.usable and not self.disabled:
            self.blobs.append((reply.json["CiphertextBlob"], self.order[self.current - 1]))
        else:
            assert reply.code == ("DisabledException" if self.usable else "KMSInvalidStateException")

    def listed(self) -> list[dict[str, str]]:
        asked = {"KeyId": self.key_id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}
        return ask(self.admin, "ListKeyRotations", **asked)["Rotations"]

    @invariant()
    def what_is_told_is_so(self) -> None:
        metadata = ask(self.admin, "DescribeKey", KeyId=self.key_id)["KeyMetadata"]
        state = "PendingImport" if not self.usable else "Disabled" if self.disabled else "Enabled"
        assert metadata["KeyState"] == state
        dates = [self.there[m] for m in self.order[: self.current] if self.there.get(m)] if self.usable else []
        assert metadata.get("ValidTo") == (min(dates).timestamp() if dates else None)
        entries = self.listed()
        assert [e["ImportState"] == "IMPORTED" for e in entries] == [self.present(m) for m in self.order]
        waits = [e["KeyMaterialState"] for e in entries].count("PENDING_ROTATION")
        assert waits == len(self.order) - self.current
        ids = {m: entry["KeyMaterialId"] for m, entry in zip(self.order, entries, strict=True)}
        for blob, material in self.blobs[-4:]:
            reply = self.admin.call("Decrypt", CiphertextBlob=blob)
            if state == "Enabled":
                assert (b64decode(reply.json["Plaintext"]), reply.json["KeyMaterialId"]) == (b"x", ids[material])
            else:
                assert reply.status == 400


Materials.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestMaterials = Materials.TestCase
