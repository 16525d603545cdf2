"""The operations of AWS KMS that this door does not offer. They answer UnsupportedOperationException (SPEC.md)."""

from __future__ import annotations

UNSUPPORTED = frozenset(
    {
        # custom key stores
        "ConnectCustomKeyStore",
        "CreateCustomKeyStore",
        "DeleteCustomKeyStore",
        "DescribeCustomKeyStores",
        "DisconnectCustomKeyStore",
        "UpdateCustomKeyStore",
        # imported keying material
        "DeleteImportedKeyMaterial",
        "GetParametersForImport",
        "ImportKeyMaterial",
        # multi-Region keys
        "ReplicateKey",
        "UpdatePrimaryRegion",
    }
)
