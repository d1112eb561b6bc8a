"""``python -m lrcore``."""

import sys

from lrcore.cli import main

sys.exit(main())
