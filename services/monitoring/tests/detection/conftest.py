"""The planted streams and stories beside this file serve the benchmarks too, so they are modules of their own."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
