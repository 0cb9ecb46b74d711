"""Breaks the product on purpose and prints one JSON line for each kind of fault.

python tests/faults [--size small|full] [KIND ...]
"""

import argparse
import importlib
import sys
from pathlib import Path

from common import summary_line

FOLDER = Path(__file__).parent
# A module of this folder is a kind: its `trials(size)` yields a `Trial` for each fault.
KINDS = sorted(p.stem.removeprefix("break_") for p in FOLDER.glob("break_*.py"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--size", choices=["small", "full"], default="small")
    options = parser.parse_args()
    any_fell = False
    for kind in options.kinds or KINDS:
        module = importlib.import_module(f"break_{kind}")
        trials = list(module.trials(options.size))
        any_fell |= not all(trial.held for trial in trials)
        print(summary_line(trials, options.size), flush=True)
    return int(any_fell)


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parent))
    sys.exit(main())
