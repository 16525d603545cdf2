"""AWS KMS, API version 2014-11-01: JSON 1.1 over HTTP, signed with SigV4; STS beside it, in the Query protocol."""

from __future__ import annotations

from keystead.doors.aws_kms import agreement, datakeys, encrypt, mac, random, sign
from keystead.doors.aws_kms.door import AwsFront
from keystead.doors.aws_kms.errors import ERRORS
from keystead.kit import Door

DOOR = Door(
    name="aws_kms",
    operations=(
        # encrypt
        encrypt.encrypt,
        encrypt.decrypt,
        encrypt.re_encrypt,
        # datakeys
        datakeys.generate_data_key,
        datakeys.generate_data_key_without_plaintext,
        datakeys.generate_data_key_pair,
        datakeys.generate_data_key_pair_without_plaintext,
        # sign
        sign.sign,
        sign.verify,
        sign.get_public_key,
        # mac
        mac.generate_mac,
        mac.verify_mac,
        # agreement
        agreement.derive_shared_secret,
        agreement.encapsulate,
        agreement.decapsulate,
        # random
        random.generate_random,
    ),
    errors=ERRORS,
    front=AwsFront,
)
