"""The asv suite, one file a subject; ``work``, ``data``, ``peak`` and ``measure`` serve it and ``peers.py``."""
