"""A software TPM (swtpm) of its own for a test, and its PCRs turned on demand.

with software_tpm(directory) as tpm:
    Tpm(tpm.tcti).random(32)
    tpm.extend(7)          what a firmware update does to PCR 7
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.waiting import PATIENCE, until


class SoftwareTpm:
    """One TPM: its state is in a directory, and outlives its process."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._process = directory, None
        self._socket = directory / "sock"
        self.tcti = f"swtpm:path={self._socket}"

    def start(self) -> None:
        """Power on: PCRs begin anew."""
        at = self._socket
        self._process = subprocess.Popen(
            [
                *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self._directory}"),
                *("--server", f"type=unixio,path={at}", "--ctrl", f"type=unixio,path={at}.ctrl"),
                *("--flags", "not-need-init,startup-clear"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: self._process.poll() is not None or {str(at), f"{at}.ctrl"} <= _listening(), "swtpm: not started")
        assert self._process.poll() is None, "swtpm did not start"

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE)
            self._process = None
            for left in (self._socket, Path(f"{self._socket}.ctrl")):
                left.unlink(missing_ok=True)

    def extend(self, pcr: int) -> None:
        """Part 3 §22.2"""
        self.tool("tpm2_pcrextend", f"{pcr}:sha256={'a5' * 32}")

    def tool(self, *words: str) -> str:
        """A command of tpm2-tools: somebody else's word for how the TPM is."""
        env = {"PATH": os.environ["PATH"], "TPM2TOOLS_TCTI": self.tcti}
        return subprocess.run(words, env=env, check=True, capture_output=True, text=True, timeout=30).stdout


def _listening() -> set[str]:
    """Paths of sockets that are: one is there a moment before it is, and who connects then is refused. unix(7)"""
    lines = (line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:])
    return {line[7] for line in lines if len(line) > 7 and int(line[3], 16) & 0x10000}


@contextmanager
def software_tpm(directory: Path) -> Iterator[SoftwareTpm]:
    """Skips where swtpm, tpm2-tools or the extra `tpm` are not installed; in CI (KEYSTEAD_EVERY_CLIENT) it fails."""
    if (missing := _missing()) is not None:
        words = f"{missing}: not installed; .ci/run does that"
        (pytest.fail if os.environ.get("KEYSTEAD_EVERY_CLIENT") else pytest.skip)(words)
    tpm = SoftwareTpm(directory)
    tpm.start()
    try:
        yield tpm
    finally:
        tpm.stop()


def _missing() -> str | None:
    for command in ("swtpm", "tpm2_pcrextend"):
        if shutil.which(command) is None:
            return command
    try:
        import tpm2_pytss  # noqa: PLC0415 - it may not be there
    except ImportError:
        return "tpm2-pytss"
    return None if tpm2_pytss else "tpm2-pytss"
