"""`python -m ecluse` is the command `ecluse`."""

from ecluse.cli.cli import main

main()
