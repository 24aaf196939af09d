"""`python -m postgate` is the console script `postgate`."""

from postgate.cli import main

main(prog_name="postgate")
