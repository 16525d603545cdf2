"""Whole requests against peers, one core each: `python -m bench` (make bench). Not part of the package."""
