"""The live screen of `status --watch`: what is drawn is a function of the status, the view and the terminal's size."""
