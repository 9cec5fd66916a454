"""`python -m digitscope`."""

from digitscope.cli import main

main()
