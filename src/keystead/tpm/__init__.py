"""A TPM 2.0 through tpm2-pytss (the extra `tpm`), which is imported when a TPM is first used and not before.

    tpm = Tpm("device:/dev/tpmrm0")
    tpm.random(32)                                    TPM2_GetRandom
    blob = tpm.seal(secret, pcrs=(7,));  tpm.unseal(blob)
    tpm.nv.define(index, auth, content);  tpm.nv.read(index, auth);  tpm.nv.undefine(index);  tpm.nv.indices()

Every call opens the TPM, does its work and closes it: nothing is held between calls, by no thread and across no fork.
Parameters that are secret go encrypted, under a key that only this TPM can know (device.Session).
"""

from __future__ import annotations

from keystead.tpm.authorizing import Approval
from keystead.tpm.device import Tpm
from keystead.tpm.sealing import SealedBlob

__all__ = ["Approval", "SealedBlob", "Tpm"]
