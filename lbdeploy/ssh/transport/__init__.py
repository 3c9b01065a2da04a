"""One session over paramiko and fabric: the only package that imports them, besides `lbdeploy.tasks`."""
