#!/usr/bin/env python3
"""Runs the contract's cases: `suite.py [TOPIC | CASE]...` prints TAP; a topic is a file beside this one."""

import glob
import importlib
import os
import sys

from world import CASES, World, run


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    topics = sorted(os.path.basename(p)[:-3] for p in glob.glob(here + "/*.py"))
    topics = [t for t in topics if t not in ("world", "suite")]
    chosen = [t for t in topics if t in sys.argv[1:]]
    for topic in chosen or topics:
        importlib.import_module(topic)
    return run(CASES, World(), [a for a in sys.argv[1:] if a not in topics])


if __name__ == "__main__":
    sys.exit(main())
