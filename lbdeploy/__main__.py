"""`python -m lbdeploy`, for those who know which Python has it, and not where its scripts lie."""

from lbdeploy.cli import main

main()
