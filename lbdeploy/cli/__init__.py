"""The command line: the only package that reads arguments and sets exit codes.

`main` is the console script, `group` lists the commands and their modules, and `app` is what all of them share.
"""
