"""`python -m lbdeploy` runs the command line where the console script is not on the PATH."""

from lbdeploy.cli.main import main

main()
