"""The audit log, as far as it is pure: canonical record, Merkle tree, checkpoint, proof, offline verification.

    record      one act, one line of printable ASCII
    merkle      RFC 6962 / RFC 9162 hashing, inclusion and consistency proofs
    note        C2SP signed-note: text that keys have signed, and the text form of a verifier key
    checkpoint  C2SP tlog-checkpoint: origin, size and root of the log, as a signed note
    proof       C2SP tlog-proof: one record, provable offline from one file
    verify      a whole log, verified offline in constant memory

What Ed25519 is comes in from outside (note.Signer, note.Ed25519): the core imports no cryptography.
"""
