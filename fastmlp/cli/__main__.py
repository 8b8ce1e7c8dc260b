"""``python -m fastmlp.cli``: fastmlp-train, for where scripts are not on the PATH."""

import sys

from fastmlp.cli.main import train

if __name__ == "__main__":
    sys.exit(train())
