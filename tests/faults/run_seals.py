"""Every change of the seals, killed at each of its steps: python -m tests.faults.run_seals"""

from __future__ import annotations

import os
import subprocess
import sys

if __name__ == "__main__":
    environment = {**os.environ, "KEYSTEAD_TORTURE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "tests/faults/test_seal_matrix.py"]
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)
