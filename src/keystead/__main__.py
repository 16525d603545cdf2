"""`python -m keystead` is the `keystead` command."""

from keystead.cli import main

main()
