#!/usr/bin/env python3
"""Runs the cases of one topic: `suite.py TOPIC [CASE...]` prints the TAP of TOPIC.py beside this file."""

import importlib
import sys

from world import CASES, World, run


def main():
    importlib.import_module(sys.argv.pop(1))
    w = World()
    try:
        return run(CASES, w)
    finally:
        w.router.proc.kill()
        w.router.proc.wait()
        w.etcd.stop()


if __name__ == "__main__":
    sys.exit(main())
