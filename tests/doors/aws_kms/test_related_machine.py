"""Whatever is done to related keys, in whatever order: they stay one key.

One primary, the same versions everywhere, leaves of their own; what any of them ever sealed opens in all that are there
and in service; and when the last is gone, nothing of the material is left.
"""

from __future__ import annotations

from base64 import b64decode

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.doors.aws_kms.managing import scheduled, wait
from tests.doors.aws_kms.related import REGIONS, arn, described, primary, three_regions
from tests.harness import b64

from keystead.core.entities import Key, KeyVersion
from keystead.core.envelope import peek
from keystead.core.states import KeyState

WHERE = st.sampled_from(REGIONS)
PLAIN = (
    *("RotateKeyOnDemand", "EnableKeyRotation", "DisableKeyRotation"),
    *("DisableKey", "EnableKey", "CancelKeyDeletion"),
)
REFUSED = {
    *("NotFoundException", "UnsupportedOperationException", "KMSInvalidStateException", "DisabledException"),
    *("AlreadyExistsException", "LimitExceededException"),
}


class Family(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.office = three_regions()
        self.clockwork = scheduled(self.office)
        self.key_id = primary(self.office)
        self.blobs: set[str] = set()

    def ask(self, operation: str, region: str, **members: object) -> None:
        reply = self.office.admin.call(operation, KeyId=self.key_id, region=region, **members)
        assert reply.status == 200 or reply.code in REFUSED, (operation, reply.json)

    @rule(here=WHERE, there=WHERE)
    def replicate(self, here, there) -> None:
        self.ask("ReplicateKey", here, ReplicaRegion=there)

    @rule(here=WHERE, there=WHERE)
    def hand_over(self, here, there) -> None:
        self.ask("UpdatePrimaryRegion", here, PrimaryRegion=there)

    @rule(
        here=WHERE,
        operation=st.sampled_from(
            [
                "RotateKeyOnDemand",
                "EnableKeyRotation",
                "DisableKeyRotation",
                "DisableKey",
                "EnableKey",
                "CancelKeyDeletion",
            ]
        ),
    )
    def manage(self, here, operation) -> None:
        self.ask(operation, here)

    @rule(here=WHERE, days=st.integers(7, 30))
    def appoint(self, here, days) -> None:
        self.ask("ScheduleKeyDeletion", here, PendingWindowInDays=days)

    @rule(days=st.sampled_from([1, 7, 30, 365]))
    def wait(self, days) -> None:
        wait(self.office, self.clockwork, days=days)

    @rule(here=WHERE)
    def seal(self, here) -> None:
        reply = self.office.admin.call("Encrypt", KeyId=self.key_id, Plaintext=b64(b"x"), region=here)
        if reply.status == 200:
            self.blobs.add(reply.json["CiphertextBlob"])

    @invariant()
    def they_are_one_key(self) -> None:
        barrier = self.office.barrier
        copies = barrier.linked(Key, self.key_id)
        there = [key for key in copies if key.lifecycle.state is not KeyState.DESTROYED]
        assert sum(key.is_primary for key in there) == bool(there)
        assert len({key.keyring for key in there}) == len(there)
        assert len({(key.n_versions, key.current, key.n_on_demand, key.rotation) for key in there}) <= 1
        waits = [key for key in there if key.lifecycle.destroy_in_days]
        assert all(key.is_primary and len(there) > 1 for key in waits)
        material: set[tuple[int, bytes]] = set()
        for key in copies:
            versions = [v for v in barrier.children(KeyVersion, key.id) if v.wrapped]
            assert {v.number for v in versions} == (set(range(1, key.n_versions + 1)) if key in there else set())
            material |= {(v.number, barrier.material(v).reveal()) for v in versions}
        assert len(material) == max((key.n_versions for key in there), default=0)

    @invariant()
    def what_one_sealed_opens_in_all_that_are_in_service(self) -> None:
        admin = self.office.admin
        for region in REGIONS:
            if admin.call("DescribeKey", KeyId=self.key_id, region=region).status != 200:
                continue
            found = described(self.office, self.key_id, region)
            related = found["MultiRegionConfiguration"]
            assert related["PrimaryKey"] and arn(self.key_id, region) in str(related)
            for blob in self.blobs if found["KeyState"] == "Enabled" else ():
                opened = admin.call("Decrypt", CiphertextBlob=blob, region=region)
                assert opened.status == 200 and opened.json["Plaintext"] == b64(b"x"), (region, peek(b64decode(blob)))


Family.TestCase.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestFamily = Family.TestCase
