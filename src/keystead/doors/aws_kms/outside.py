"""What AWS KMS says when an external key store fails: a code by what was asked of it, words by what went wrong.

XKS Proxy API specification, "Error codes", "KMS Considerations": its second table. What the proxy says itself, its
errorMessage, is never passed on. Where the table has no row (a health check that says what only keys are said to be, or
that no key manager is available), KMS API Reference, the exceptions of CreateCustomKeyStore.
"""

from __future__ import annotations

from collections.abc import Mapping

from keystead.core.keystores import Moment, Trouble

_INTERPRET = (
    "AWS KMS cannot interpret the response from the external key store proxy. "
    "If you see this error repeatedly, report it to your external key store proxy administrator."
)
WORDS: Mapping[Trouble, str] = {
    Trouble.REFUSED: _INTERPRET,
    Trouble.MALFORMED: _INTERPRET,
    Trouble.KEY_DISABLED: (
        "The external key associated with this KMS key in an external key store is not enabled in the external key "
        "manager. Enable the external key in the external key manager and retry the request."
    ),
    Trouble.BAD_CIPHERTEXT: (
        "The external key store proxy rejected the request because the specified ciphertext or encryption context is "
        "corrupted, missing, or otherwise invalid."
    ),
    Trouble.BAD_PLAINTEXT: (
        "The ciphertext that the external key store proxy submitted for decryption, or the encryption context, is "
        "corrupted, missing, or otherwise invalid."
    ),
    Trouble.KEY_UNFIT: (
        "The external key associated with this KMS key in an external key store does not support the requested "
        "operation. Enable the operation on the key in your external key manager, and try the request again."
    ),
    Trouble.UNAUTHENTICATED: (
        "The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify the XKS "
        "proxy authentication credentials for your external key store and update if necessary."
    ),
    Trouble.DENIED: (
        "The external key store proxy denied access to the operation. Verify that the user and the external key are "
        "both authorized for this operation, and try the request again."
    ),
    Trouble.KEY_ABSENT: (
        "The external key associated with this KMS key in an external key store was not found in its external key "
        "manager. If the external key ID associated with this KMS key is incorrect, create a new KMS key with the "
        "correct external key ID."
    ),
    Trouble.BAD_PATH: (
        "The external key store proxy rejected the request because of an invalid URI path. Verify the URI path for "
        "your external key store and update if necessary."
    ),
    Trouble.UNSUPPORTED: (
        "The external key store proxy rejected the request because it does not support the requested operation. "
        "If you see this error repeatedly, report it to your external key store proxy administrator."
    ),
    Trouble.DEPENDENCY: (
        "The external key store proxy did not respond to the request in the time allotted. Retry the request. "
        "If you see this error repeatedly, report it to your external key store proxy administrator."
    ),
    Trouble.THROTTLED: (
        "The external key store proxy rejected the request due to a very high request rate. "
        "Reduce the frequency of your calls using KMS keys in this external key store."
    ),
    Trouble.FAILED: (
        "The external key store proxy rejected the request because it cannot communicate with the external key "
        "manager. Verify that the external key store proxy configuration is correct and that the external key manager "
        "is available."
    ),
    Trouble.EXHAUSTED: "The external key store proxy reports that no external key manager instance is available.",
    Trouble.UNREACHABLE: (
        "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. "
        "If you see this error repeatedly, verify that your external key store proxy is active and is connected to the "
        "network, and that its endpoint URI is correct in your external key store."
    ),
    Trouble.INSECURE: (
        "AWS KMS cannot establish a TLS connection to the external key store proxy. "
        "Verify the TLS configuration, including its certificate."
    ),
    Trouble.LATE: (
        "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the request. "
        "If you see this error repeatedly, report it to your external key store proxy administrator."
    ),
    Trouble.DISCONNECTED: (
        "This KMS key is in a custom key store that is not connected to its external key store proxy. "
        "Connect the external key store and try the request again."
    ),
    Trouble.NO_HSM: "The AWS CloudHSM cluster of the custom key store does not exist.",
    Trouble.AWAY: "The AWS CloudHSM cluster of the custom key store does not answer.",
    Trouble.LOCKED: "The user of the custom key store is locked out of its AWS CloudHSM cluster.",
}

_INVALID = "KMSInvalidStateException"
_UNREACHABLE = "XksProxyUriUnreachableException"
_CONFIGURATION = "XksProxyInvalidConfigurationException"
_RESPONSE = "XksProxyInvalidResponseException"
_OF_KEY = "XksKeyInvalidConfigurationException"

SETTING_UP: Mapping[Trouble, str] = {
    **dict.fromkeys(Trouble, _RESPONSE),
    Trouble.UNAUTHENTICATED: "XksProxyIncorrectAuthenticationCredentialException",
    Trouble.DENIED: _CONFIGURATION,
    Trouble.BAD_PATH: _CONFIGURATION,
    **dict.fromkeys(
        (
            Trouble.DEPENDENCY,
            Trouble.THROTTLED,
            Trouble.EXHAUSTED,
            Trouble.UNREACHABLE,
            Trouble.INSECURE,
            Trouble.LATE,
        ),
        _UNREACHABLE,
    ),
}
MAKING_KEYS: Mapping[Trouble, str] = {
    **dict.fromkeys(Trouble, "CustomKeyStoreInvalidStateException"),
    Trouble.KEY_DISABLED: _OF_KEY,
    Trouble.KEY_UNFIT: _OF_KEY,
    # The table says XksKeyInvalidResponseException, which the service model does not have.
    Trouble.UNSUPPORTED: _OF_KEY,
    # The table says KMSInvalidStateException, which CreateKey does not list; but that is AWS's own word for it.
    Trouble.DENIED: _INVALID,
    Trouble.KEY_ABSENT: "XksKeyNotFoundException",
    Trouble.AWAY: "CloudHsmClusterInvalidConfigurationException",
}
CODES: Mapping[Moment, Mapping[Trouble, str]] = {
    Moment.SET_UP: SETTING_UP,
    Moment.KEY_MADE: MAKING_KEYS,
    Moment.USE: dict.fromkeys(Trouble, _INVALID),
}
