"""Who does cryptography with a key (core.providers): software, a PKCS#11 token, an external key store."""
