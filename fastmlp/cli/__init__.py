"""The command line: ``fastmlp-train``, thin over the library."""
