"""Entropy of hardware beside the kernel's (docs/adr/0040): read ahead, tested, and mixed so that it lowers nothing."""
