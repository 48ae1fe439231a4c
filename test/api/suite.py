#!/usr/bin/env python3
"""Runs the contract's cases: `suite.py [TOPIC | CASE]...` prints TAP; a topic is a file beside this one."""

import glob
import importlib
import os
import re
import sys

from world import ANSWERED, CASES, World, run

STREAMS = ("/apps/:app/jobs", "/apps/:app/jobs/:job/log", "/apps/:app/log", "/apps/:app/requests", "/deployments/:deployment", "/events", "/formations")


def every_route_and_stream_was_answered_by_some_case(_):
    from hostile import routes
    missing = []
    for method, path, _ in routes():
        here = re.compile(re.sub(":[a-z]+", "[^/]+", path) + "/?")
        seen = {(status, kind) for m, p, status, kind in ANSWERED if method in (m, "*") and here.fullmatch(p)}
        if not {200, 101, 501} & {status for status, _ in seen}:
            missing.append(f"{method} {path}")
        if method == "GET" and path in STREAMS and (200, "text/event-stream; charset=utf-8") not in seen:
            missing.append(f"the stream of {path}")
    assert not missing, missing


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    topics = sorted(os.path.basename(p)[:-3] for p in glob.glob(here + "/*.py"))
    topics = [t for t in topics if t not in ("world", "suite")]
    chosen = [t for t in topics if t in sys.argv[1:]]
    for topic in chosen or topics:
        importlib.import_module(topic)
    if not sys.argv[1:]:
        CASES.append(every_route_and_stream_was_answered_by_some_case)
    return run(CASES, World(), [a for a in sys.argv[1:] if a not in topics])


if __name__ == "__main__":
    sys.exit(main())
