"""Tests in their long form, and those that CI leaves out: python -m tests.faults.run_long FILE…"""

from __future__ import annotations

import os
import subprocess
import sys

if __name__ == "__main__":
    environment = {**os.environ, "KEYSTEAD_TORTURE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", *sys.argv[1:]]
    sys.exit(subprocess.run(command, env=environment, check=False).returncode)
