"""Speed, measured: ``peers.py`` against other systems, ``suite`` (asv) against earlier commits. See README.md."""
