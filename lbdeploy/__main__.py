"""`python -m lbdeploy`: to run it without knowing where its Python environment puts scripts."""

from lbdeploy.cli.main import main

main()
