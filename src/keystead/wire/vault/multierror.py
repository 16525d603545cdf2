"""One text out of several errors, as go-multierror has it: where Vault wraps an error on its way."""

from __future__ import annotations


def multierror(*texts: str, n: int = 0) -> str:
    """`n`: how many there are, where not all of them are written out."""
    n = n or len(texts)
    head = "1 error" if n == 1 else f"{n} errors"
    return f"{head} occurred:\n" + "".join(f"\t* {text}\n" for text in texts) + "\n"
