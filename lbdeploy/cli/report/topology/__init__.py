"""The cluster as a picture: in a terminal, as SVG, as a web page."""
