"""Run the command line: ``python -m graphfreeze``."""

import sys

from graphfreeze.cli import main

sys.exit(main())
