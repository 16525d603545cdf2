"""PKCS#11 (OASIS, v2.40 to v3.1) through ctypes: a module, a token in it, and sessions with that token."""
