"""`make torture`: every long run in turn. Seeds are printed; `python -m tests.faults.run_<name>` replays one.

Each is a program of its own; this one only says which, how long, and what came of them.
"""

from __future__ import annotations

import subprocess
import sys
import time

RUNS: dict[str, tuple[str, ...]] = {
    "the store under power loss": ("run_store", "--n", "10000"),
    "journal and audit log under power loss": ("run_journal", "--n", "10000"),
    "kv at the Vault door under power loss": ("run_kv", "--n", "5000"),
    "kill -9 of a process at the store": ("run_kill9", "--n", "1000"),
    "kill -9 of a whole server under load": ("run_server", "--n", "1000"),
    "acknowledged revocations, two workers": ("run_revocation", "--n", "300"),
    "limits of keys, with workers and the server killed": ("run_limits", "--limit", "100001", "--kills", "60"),
    "malformed requests to the AWS door": ("run_long", "tests/faults/test_bad_input.py"),
    "malformed requests to the Vault door": ("run_bad_vault", "--n", "100000"),
    "a rotting database, byte by byte": ("run_rot", "--step", "7"),
    "every change of one record of an audit log": ("run_long", "tests/core/test_audit_verify.py"),
    "every change of the seals, killed at each step": ("run_long", "tests/faults/test_seal_matrix.py"),
    "tokens that fail, and several processes at one": (
        "run_long",
        "tests/faults/test_hsm.py",
        "tests/cryptoki/test_token.py",
    ),
    "a lost machine, restored from a backup taken under writes": ("run_drill", "--seconds", "20"),
    "eight threads on an HSM, which then comes and goes": ("run_hsm", "--seconds", "600"),
    "destruction, with the old backup as the attacker": ("run_destruction", "--n", "10000"),
    "the same with a token and a TPM": ("run_destruction", "--n", "10000", "--slots", "file,pkcs11,tpm"),
}


def main() -> int:
    failed = []
    for what, (module, *arguments) in RUNS.items():
        print(f"── {what}: {module} {' '.join(arguments)}", flush=True)
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", f"tests.faults.{module}", *arguments], check=False)
        print(f"   {time.monotonic() - began:.0f} s, {'well' if done.returncode == 0 else 'FAILED'}", flush=True)
        failed += [what] if done.returncode else []
    print(f"{len(RUNS) - len(failed)} passed, {len(failed)} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
