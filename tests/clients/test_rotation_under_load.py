"""Row 101: while a key is rotated, no decryption fails, whoever asks and whatever version made the ciphertext."""

import threading
from functools import partial

import pytest
from tests.waiting import ended, until

pytestmark = pytest.mark.client
N_READERS, N_ROTATIONS = 3, 25


def have_read(n_read: list[int], least: int) -> bool:
    return min(n_read) > least


def test_no_decryption_fails_while_a_key_is_rotated(server) -> None:
    kms = server.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    blobs = [kms.encrypt(KeyId=key_id, Plaintext=b"first")["CiphertextBlob"]]
    over, failed, n_read = threading.Event(), [], [0] * N_READERS

    def read(number: int) -> None:
        own = server.client("kms")
        while not over.is_set():
            for blob in blobs[:]:
                try:
                    assert own.decrypt(CiphertextBlob=blob)["Plaintext"]
                except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                    failed.append(error)
                n_read[number] += 1

    readers = [threading.Thread(target=read, args=(number,)) for number in range(N_READERS)]
    for reader in readers:
        reader.start()
    for n in range(1, N_ROTATIONS + 1):
        kms.rotate_key_on_demand(KeyId=key_id)
        blobs.append(kms.encrypt(KeyId=key_id, Plaintext=b"later")["CiphertextBlob"])
        until(partial(have_read, n_read, n), "every reader has to see each of them")
    over.set()
    ended(*readers)
    assert not failed
    materials = {kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] for blob in blobs}
    assert len(materials) == N_ROTATIONS + 1
