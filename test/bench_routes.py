#!/usr/bin/env python3
"""The second part of `make bench-router`: the router with 10,000 host names of 1,000 services.

How long from its start until it serves the last of them, what memory it has then, and how long one more route takes from
the request to the API to the first answer through it. Medians, and the longest.

    bench_routes.py [STARTS [ROUTES]]
"""

import http.client
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
ADAPTOR = os.path.join(ROOT, "test/router/bench/adaptor")
PORTS = {"http": 17480, "https": 17481, "tcp": 17482, "admin": 17483}
INSTANCES = (17484, 17485)
HOSTS, SERVICES = 10000, 1000
LIMIT_S = 20
SETTLED_S = 6  # what reading the routes took is given back by then


def write_spec(where):
    addrs = ",".join(f"127.0.0.1:{p}" for p in INSTANCES)
    with open(f"{where}/hosts.tsv", "w") as f:
        f.writelines(f"h{i}.bench.test\ts{i % SERVICES}\n" for i in range(HOSTS))
    with open(f"{where}/services.tsv", "w") as f:
        f.writelines(f"s{i}\t{addrs}\n" for i in range(SERVICES))
    with open(f"{where}/spec.json", "w") as f:
        json.dump({"dir": where, "threads": 1, "ports": PORTS, "hosts_file": f"{where}/hosts.tsv", "certs": [],
                   "services_file": f"{where}/services.tsv", "tcp_backends": addrs.split(",")}, f)
    return f"{where}/spec.json"


def serves(host):
    try:
        c = http.client.HTTPConnection("127.0.0.1", PORTS["http"], timeout=2)
        c.request("GET", "/", headers={"Host": host})
        return c.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def await_host(host):
    end = time.monotonic() + LIMIT_S
    while not serves(host):
        if time.monotonic() > end:
            sys.exit(f"{host} is not served after {LIMIT_S} s")
        time.sleep(0.0005)


def start(spec):
    """The router on a world that stands, and how long until it served."""
    subprocess.run([ADAPTOR, "lacks", spec], check=True, timeout=LIMIT_S)
    began = time.monotonic()
    proc = subprocess.Popen([ADAPTOR, "start", spec], stderr=subprocess.DEVNULL)
    await_host(f"h{HOSTS - 1}.bench.test")
    return proc, time.monotonic() - began


def stop(proc):
    proc.send_signal(signal.SIGTERM)
    proc.wait(LIMIT_S)


def add_routes(spec, n):
    """How long each of n more routes took."""
    control = subprocess.Popen([ADAPTOR, "control", spec], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    times = []
    for i in range(-1, n):
        host = f"new{i}.bench.test"
        began = time.monotonic()
        control.stdin.write(f"add {host} s{i % SERVICES} 127.0.0.1:{INSTANCES[0]}\n")
        control.stdin.flush()
        if control.stdout.readline() != "ok\n":
            sys.exit(f"{host} was refused")
        await_host(host)
        if i >= 0:  # before is the start of Python
            times.append((time.monotonic() - began) * 1000)
        time.sleep(0.05)
    control.stdin.close()
    control.wait(LIMIT_S)
    return times


def memory_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1024


def main():
    starts, routes = (int(a) for a in (sys.argv[1:] + ["5", "30"][len(sys.argv) - 1:])[:2])
    where, begun, proc = tempfile.mkdtemp(prefix="bench-routes-"), [], None
    origin = subprocess.Popen([os.path.join(BUILD, "bench/origin"), *map(str, INSTANCES)])
    try:
        spec = write_spec(where)
        for i in range(starts):
            proc, took = start(spec)
            begun.append(took * 1000)
            if i < starts - 1:
                stop(proc)
        time.sleep(SETTLED_S)
        rss, added = memory_mib(proc.pid), add_routes(spec, routes)
        print(f"10,000 routes: served {statistics.median(begun):.0f} ms after the start (longest of {starts}: {max(begun):.0f}); "
              f"{rss:.1f} MiB; one more route {statistics.median(added):.1f} ms (longest of {routes}: {max(added):.0f})")
    finally:
        if proc is not None:
            stop(proc)
        origin.kill()
        origin.wait()
        shutil.rmtree(where, ignore_errors=True)


main()
