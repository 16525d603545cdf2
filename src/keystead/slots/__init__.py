"""Where the erasable secret lies (core.ports.Slot): files, a PKCS#11 token, a TPM."""
