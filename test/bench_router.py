#!/usr/bin/env python3
"""`make bench-router`: what requests cost the router, beside haproxy if that is installed.

Each peer has one thread on the first core; the load and the instances behind it share the others. The cases go round
the peers, so that a slow minute hits all of them; figures are medians of the rounds. CPU seconds for 100,000
requests is the one to judge by: it does not fall when others take the machine.

    bench_router.py [ROUNDS [CASE...]]
"""

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
BENCH = os.path.join(ROOT, "test/router/bench")
FIRST_PORT = 17400
SECONDS = 1
HOST = "h0.bench.test"

CASES = {  # name: what it is, port, path, options of load
    "ka": ("keep-alive, 1 KiB", "http", "/", []),
    "close": ("a connection a request", "http", "/", ["-x"]),
    "chunk": ("64 KiB chunked", "http", "/c64k", ["-c16"]),
    "big": ("1 MiB down", "http", "/1m", ["-c8"]),
    "up": ("1 MiB up", "http", "/up", ["-c8", "-u1048576"]),
    "ws": ("WebSocket echo", "http", "/ws", ["-w"]),
    "tls": ("TLS 1.3 keep-alive, 1 KiB", "https", "/", ["-T"]),
    "tls_big": ("TLS 1.3, 1 MiB down", "https", "/1m", ["-T", "-c8"]),
    "hs": ("full handshakes, P-256", "https", "/", ["-T", "-x", "-c32"]),
    "hs_res": ("resumed handshakes", "https", "/", ["-T", "-x", "-r", "-c32"]),
    "h2": ("HTTP/2 over TLS (h2load)", "https", "/", None),
    "tcp_big": ("TCP route, 1 MiB down", "tcp", "/1m", ["-c8"]),
    "tcp_close": ("TCP route, a connection a request", "tcp", "/", ["-x"]),
}

HAPROXY = """global
    nbthread 1
    maxconn 4000
    tune.ssl.cachesize 0
defaults
    mode http
    timeout connect 3s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
    balance random(2)
    http-reuse always
frontend web
    bind 127.0.0.1:{http} backlog 4096
    bind 127.0.0.1:{https} backlog 4096 ssl crt {dir}/cert.pem alpn h2,http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    http-request set-header X-Forwarded-Port %[dst_port]
    http-request set-header X-Request-Start %[date(0,ms)]
    http-request set-header X-Request-Id %[uuid()]
    use_backend b if {{ req.hdr(host),field(1,:) -i {host} }}
backend b
    server a 127.0.0.1:{one}
    server b 127.0.0.1:{two}
frontend raw
    mode tcp
    bind 127.0.0.1:{tcp} backlog 4096
    default_backend raw
backend raw
    mode tcp
    server a 127.0.0.1:{one}
    server b 127.0.0.1:{two}
"""

CPUS = sorted(os.sched_getaffinity(0))


def spawn(cmd, cpus, **kw):
    return subprocess.Popen(cmd, preexec_fn=lambda: os.sched_setaffinity(0, cpus), **kw)


def wait_port(port, proc, log):
    want, end = f":{port:04X} 00000000:0000 0A", time.monotonic() + 20
    while not any(want in open(f).read() for f in ("/proc/net/tcp", "/proc/net/tcp6")):
        if proc.poll() is not None or time.monotonic() > end:
            sys.exit(f"nobody listens on port {port}; see its log: {open(log).read()}")
        time.sleep(0.02)


class Peer:
    def __init__(self, name, where, index, instances):
        self.name, self.dir = name, os.path.join(where, name)
        os.mkdir(self.dir)
        base = FIRST_PORT + 10 * (index + 1)
        self.ports = {k: base + i for i, k in enumerate(("http", "https", "tcp", "admin"))}
        cmd = getattr(self, name)(where, instances)
        with open(os.path.join(self.dir, "log"), "w") as log:
            self.proc = spawn(cmd, CPUS[:1], stdout=log, stderr=log)
        for port in ("http", "https", "tcp"):
            wait_port(self.ports[port], self.proc, os.path.join(self.dir, "log"))

    def router(self, where, instances):
        addrs = [f"127.0.0.1:{p}" for p in instances]
        for name, line in (("hosts.tsv", f"{HOST}\tweb\n"), ("services.tsv", f"web\t{','.join(addrs)}\n")):
            with open(os.path.join(self.dir, name), "w") as f:
                f.write(line)
        spec = {"dir": self.dir, "threads": 1, "ports": self.ports, "hosts_file": os.path.join(self.dir, "hosts.tsv"),
                "services_file": os.path.join(self.dir, "services.tsv"), "tcp_backends": addrs,
                "certs": [{"host": HOST, "cert": f"{where}/cert.crt", "key": f"{where}/cert.key"}]}
        path = os.path.join(self.dir, "spec.json")
        with open(path, "w") as f:
            json.dump(spec, f)
        subprocess.run([os.path.join(BENCH, "adaptor"), "lacks", path], check=True, timeout=30)
        return [os.path.join(BENCH, "adaptor"), "start", path]

    def haproxy(self, where, instances):
        path = os.path.join(self.dir, "conf")
        with open(path, "w") as f:
            f.write(HAPROXY.format(dir=where, host=HOST, one=instances[0], two=instances[1], **self.ports))
        return ["haproxy", "-db", "-f", path]

    def cpu(self):
        """Seconds on a CPU, over all threads."""
        task = f"/proc/{self.proc.pid}/task"
        return sum(int(open(f"{task}/{t}/schedstat").read().split()[0]) for t in os.listdir(task)) / 1e9

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        try:
            self.proc.wait(12)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()


def h2load(port):
    """Requests answered, those that failed, and seconds."""
    cmd = ["h2load", "-c16", "-m8", "-t1", "-D", str(SECONDS), "--connect-to", f"127.0.0.1:{port}", f"https://{HOST}:{port}/"]
    out = spawn(cmd, CPUS[1:] or CPUS, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).communicate(timeout=60)[0]
    words = next(line for line in out.splitlines() if line.startswith("requests:")).replace(",", " ").split()
    count = {name: int(words[i - 1]) for i, name in enumerate(words) if name in ("succeeded", "failed", "errored")}
    return count["succeeded"], count["failed"] + count["errored"], SECONDS


def measure(peer, case):
    _, port, path, options = CASES[case]
    before = peer.cpu()
    if options is None:
        done, failed, secs = h2load(peer.ports[port])
    else:
        cmd = [os.path.join(BUILD, "bench/load"), *options, f"-s{SECONDS}", str(peer.ports[port]), HOST, path]
        out = spawn(cmd, CPUS[1:] or CPUS, stdout=subprocess.PIPE, text=True).communicate(timeout=60)[0].split()
        done, failed, secs = int(out[0]), int(out[1]), float(out[2])
    if done == 0:
        sys.exit(f"{peer.name}, {case}: nothing was answered")
    return {"cpu": (peer.cpu() - before) * 1e5 / done, "rate": done / secs, "failed": failed}


def report(cases, peers, runs):
    print(f"{'case':<10} {'peer':<8} {'requests/s':>11} {'CPU s/100k':>11} {'to haproxy':>11} {'failed':>7}")
    for case in cases:
        for peer in peers:
            mine = [r[peer.name] for r in runs[case]]
            ratios = [r[peer.name]["cpu"] / r["haproxy"]["cpu"] for r in runs[case] if "haproxy" in r]
            ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
            print(f"{case:<10} {peer.name:<8} {statistics.median(m['rate'] for m in mine):>11,.0f} "
                  f"{statistics.median(m['cpu'] for m in mine):>11.3g} {ratio:>11} {sum(m['failed'] for m in mine):>7}")


def enter_own_network():
    """Where a Docker Engine has been, the kernel tracks connections, and drops what is beyond some 260,000 in two minutes."""
    if os.geteuid() == 0 and "IN_NETWORK" not in os.environ:
        os.environ["IN_NETWORK"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])
    if os.geteuid() == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def main():
    enter_own_network()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    cases = sys.argv[2:] or [c for c in CASES if c != "h2" or shutil.which("h2load")]
    instances = (FIRST_PORT, FIRST_PORT + 1)
    where, peers = tempfile.mkdtemp(prefix="bench-router-"), []
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", f"{where}/cert.key",
                    "-out", f"{where}/cert.crt"], check=True, capture_output=True)
    with open(f"{where}/cert.pem", "w") as f:
        f.write(open(f"{where}/cert.crt").read() + open(f"{where}/cert.key").read())
    origin = spawn([os.path.join(BUILD, "bench/origin"), *map(str, instances)], CPUS[1:] or CPUS)
    try:
        for name in ["haproxy"] * bool(shutil.which("haproxy")) + ["router"]:
            peers.append(Peer(name, where, len(peers), instances))
        runs = {case: [{p.name: measure(p, case) for p in peers} for _ in range(rounds)] for case in cases}
        report(cases, peers, runs)
    finally:
        for p in peers:
            p.stop()
        origin.kill()
        origin.wait()
        shutil.rmtree(where, ignore_errors=True)


main()
