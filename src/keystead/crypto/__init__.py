"""Primitives under our names. The only importer of `cryptography` and `nacl`."""
