"""`python -m explorer.cli`: the same as the command `pe-explore`."""

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # Python put the current folder first, and with it an `engine.py` or `random.py` of somebody's.
    sys.path[:] = [*sys.path[1:], os.path.dirname(os.path.dirname(os.path.dirname(__file__)))]

from explorer.cli.entry import main

if __name__ == "__main__":
    main()
