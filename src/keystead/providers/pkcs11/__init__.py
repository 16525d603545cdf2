"""The provider of keys that a token holds (core.providers.Provider, docs/adr/0033-pkcs11.md)."""

from keystead.providers.pkcs11.provider import Pkcs11Provider

__all__ = ["Pkcs11Provider"]
