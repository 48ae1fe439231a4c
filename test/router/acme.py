"""Certificates got and renewed from an ACME server of the test's own."""

import base64
import contextlib
import json
import os
import shutil
import socket
import ssl
import time

from acme_server import AcmeServer, encode, see_http, see_tls
from etcd_api import b64, etcd_call
from world import LIMIT, Client, Instance, Router, case, free_port, wait_for

PATIENCE = 25  # seconds for a certificate: a router that was killed leads for 15 more


class Scene:
    """An ACME server and routers that know it, and the domains of one case."""

    n = 0

    def __init__(self, w, routers=1, flags=(), port=None, serve=True):
        Scene.n += 1
        self.w, self.prefix, self.n_domains = w, f"acme{Scene.n}", 0
        self.routes, self.routers = [], []
        http = [free_port() for _ in range(routers)]
        https = [free_port() for _ in range(routers)]
        self.server = AcmeServer(http, https)
        if not serve:
            self.server.stop()
        self.flags = ["-acme-directory", self.server.url + "/directory", "-acme-ca", self.server.tls_ca.file("ca.crt"),
                      "-acme-email", "me@example.com", "-acme-retry", "2", *flags]
        for one, two in zip(http, https):
            self.routers.append(self.new_router(one, two))

    def new_router(self, http, https):
        r = Router.__new__(Router)
        r.http, r.https, r.api = http, https, free_port()
        r.flags, r.threads, r.etcd, r.discoverd = self.flags, 1, self.w.etcd.url, self.w.discoverd
        r.start()
        return r

    def __enter__(self):
        return self

    def __exit__(self, why, *_):
        for route in self.routes:
            self.w.router.call("DELETE", "/routes/" + route["id"])
        ends = [r.stop() for r in self.routers if r.proc.poll() is None]
        with contextlib.suppress(OSError):
            self.server.stop()
        assert why is not None or ends == [0] * len(ends), f"routers ended with {ends}"

    def site(self, **config):
        """A new domain with auto_tls; its name."""
        self.n_domains += 1
        domain = f"{self.prefix}-{self.n_domains}.example.com"
        self.w.discoverd.set(domain.split(".")[0], [Instance().addr])
        self.routes.append(self.routers[0].route(domain, domain.split(".")[0], **dict({"auto_tls": True}, **config)))
        return domain

    def status(self, domain, router=None):
        route = next(r for r in (router or self.routers[0]).call("GET", "/routes")[1] if r["config"].get("domain") == domain)
        return route["config"].get("auto_tls_status")

    def wait_status(self, domain, **want):
        def is_so():
            s = self.status(domain)
            return s if all(s.get(k) == v for k, v in want.items()) else None
        return wait_for(f"{domain} to be {want}, which is {self.status(domain)}", is_so, PATIENCE)

    def between_tries(self, domain, kind):
        """Its status, and how often kind was asked for, when a try has failed and the next is not under way: neither changes."""
        def look():
            before = self.status(domain), self.server.count(kind)
            time.sleep(0.1)
            stands = before == (self.status(domain), self.server.count(kind))
            return before if stands and before[0]["state"] == "failed" else None
        return wait_for(f"a pause between the tries for {domain}", look, PATIENCE)

    def wait_quiet(self):
        def look():
            n = len(self.server.requests)
            time.sleep(0.2)
            return n == len(self.server.requests)
        wait_for("the server to be left alone", look, PATIENCE)

    def trusts(self, domain, router=None):
        """Whether a client that trusts the CA, and checks the name, gets an answer over HTTPS: its certificate, or None."""
        ctx = ssl.create_default_context(cafile=self.server.ca.file("ca.crt"))
        try:
            with ctx.wrap_socket(socket.create_connection(("127.0.0.1", (router or self.routers[0]).https), LIMIT),
                                 server_hostname=domain) as s:
                s.sendall(f"GET / HTTP/1.1\r\nHost: {domain}\r\n\r\n".encode())
                assert s.recv(12) == b"HTTP/1.1 200"
                return s.getpeercert(True)
        except ssl.SSLError:
            return None


def quiet(server, seconds=1.5):
    """That nothing is asked of the server for so long."""
    before = len(server.requests)
    time.sleep(seconds)
    return len(server.requests) == before


@case
def certificate_is_got_by_http_01(w):
    with Scene(w) as s:
        domain = s.site()
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        status = s.wait_status(domain, state="valid")
        assert status["next_try"] > time.strftime("%Y-%m-%dT%H", time.gmtime()) and "error" not in status, status
        assert [v[0] for v in s.server.validations] == ["http-01"] and s.server.contacts == [["mailto:me@example.com"]]
        route = s.routers[0].call("GET", "/routes/" + s.routes[0]["id"])[1]
        assert "BEGIN CERT" in route["config"]["tls_cert"] and route["config"]["tls_cert_auto"] is True, route
        assert "tls_key" not in json.dumps(route) and "PRIVATE" not in json.dumps(route)
        assert quiet(s.server)
        kinds = {k: s.server.count(k) for k in ("directory", "nonce", "account", "order", "challenge", "finalize", "cert")}
        assert kinds["directory"] == kinds["nonce"] == kinds["account"] == kinds["challenge"] == kinds["finalize"] == kinds["cert"] == 1, kinds
        assert len(s.server.requests) < 20, s.server.requests


@case
def certificate_is_got_by_tls_alpn_01(w):
    with Scene(w, flags=("-acme-challenge", "tls-alpn-01")) as s:
        domains = [s.site() for _ in range(3)]
        wait_for("certificates", lambda: all(s.trusts(domain) for domain in domains), PATIENCE)
        assert [v[0] for v in s.server.validations] == ["tls-alpn-01"] * 3


@case
def other_challenge_is_used_where_the_wanted_one_is_not_offered(w):
    with Scene(w) as s:
        s.server.offers = ["dns-01", "tls-alpn-01"]
        domain = s.site()
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        assert [v[0] for v in s.server.validations] == ["tls-alpn-01"]
        # Only one that no router can answer: said, and not asked for ever.
        s.server.offers = ["dns-01"]
        status = s.wait_status(s.site(), state="failed")
        assert "neither http-01 nor tls-alpn-01" in status["error"], status


@case
def what_fails_by_one_challenge_is_tried_by_the_other(w):
    with Scene(w) as s:
        s.server.http_ports = [free_port()]  # nobody is there
        domain = s.site()
        status = s.wait_status(domain, state="failed")
        assert "could not be validated by http-01" in status["error"] and "cannot connect" in status["error"], status
        assert status["failures"] == 1
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        assert [v[0] for v in s.server.validations] == ["http-01", "tls-alpn-01"]
        with open(os.path.join(os.environ["TMP"], "router.log")) as f:
            assert any("no certificate was got" in line and domain in line and "cannot connect" in line for line in f)


@case
def every_router_answers_and_one_orders(w):
    with Scene(w, routers=3) as s:
        domains = [s.site() for _ in range(3)]
        for r in s.routers:
            for domain in domains:
                wait_for("a certificate", lambda: s.trusts(domain, r), PATIENCE)
        assert {v[1] for v in s.server.validations} == set(s.server.http_ports)
        assert len(s.server.orders) == 3 and len(s.server.accounts) == 1, (s.server.orders, s.server.accounts)
        assert s.server.count("finalize") == 3 and s.server.count("account") == 1
        assert quiet(s.server)


@case
def another_router_takes_over(w):
    with Scene(w, routers=2) as s:
        first = s.site()
        wait_for("a certificate", lambda: s.trusts(first), PATIENCE)
        leader = next(r for r in s.routers if leads(r))
        other = next(r for r in s.routers if r is not leader)
        s.server.http_ports = [other.http]
        assert leader.stop() == 0
        began = time.monotonic()
        s.routers = [other]
        second = s.site()
        wait_for("a certificate", lambda: s.trusts(second), PATIENCE)
        assert time.monotonic() - began < 12, "it was not handed over"
        assert len(s.server.accounts) == 1


@case
def successor_on_the_same_machine_takes_over_at_once(w):
    with Scene(w) as s:
        first = s.site()
        wait_for("a certificate", lambda: s.trusts(first), PATIENCE)
        old = s.routers[0]
        new = s.new_router(old.http, old.https)
        s.routers.append(new)
        wait_for("the old one to end", lambda: old.proc.poll() is not None)
        assert old.proc.returncode == 0
        s.routers = [new]
        began = time.monotonic()
        second = s.site()
        wait_for("a certificate", lambda: s.trusts(second), PATIENCE)
        assert time.monotonic() - began < 12 and len(s.server.accounts) == 1, "it was not handed over"


@case
def leader_that_is_killed_is_followed(w):
    with Scene(w, routers=2) as s:
        first = s.site()
        wait_for("a certificate", lambda: s.trusts(first), PATIENCE)
        leader = next(r for r in s.routers if leads(r))
        s.routers = [next(r for r in s.routers if r is not leader)]
        s.server.http_ports = [s.routers[0].http]
        leader.proc.kill()
        leader.proc.wait()
        second = s.site()
        wait_for("a certificate", lambda: s.trusts(second), 40)


def leads(router):
    return router.metric('flynn_router_acme_orders_total{result="done"}') > 0


@case
def certificate_is_renewed_before_it_ends(w):
    with Scene(w) as s:
        s.server.before, s.server.after = -2, 13  # two thirds are over in 8 s
        domain = s.site()
        first = wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        s.server.before, s.server.after = -60, 86400
        second = wait_for("another", lambda: (c := s.trusts(domain)) and c != first and c, PATIENCE)
        assert len(s.server.orders) == 2 and quiet(s.server) and s.trusts(domain) == second


@case
def certificate_that_is_old_when_it_comes_makes_no_loop(w):
    with Scene(w) as s:
        s.server.before, s.server.after = -86400 * 80, 86400 * 10
        domain = s.site()
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        s.wait_status(domain, state="valid")
        assert quiet(s.server, 2) and len(s.server.orders) == 1, s.server.orders


@case
def nonces_that_are_refused_are_replaced_a_few_times(w):
    with Scene(w) as s:
        s.server.bad_nonces = 2
        domain = s.site()
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        assert s.server.bad_nonces == 0
        s.server.bad_nonces = 10**6
        before = s.server.count("order")
        other = s.site()
        status = s.wait_status(other, state="failed", failures=1)
        assert "badNonce" in status["error"], status
        assert s.server.count("order") - before == 4, s.server.requests
        s.server.bad_nonces = 0
        wait_for("a certificate", lambda: s.trusts(other), PATIENCE)


@case
def rate_limit_is_kept(w):
    with Scene(w) as s:
        s.server.rate_limit = 4
        domain = s.site()
        status = s.wait_status(domain, state="failed")
        assert "too many certificates (rateLimited)" in status["error"], status
        at = next(t for k, t in s.server.requests if k == "order")
        s.server.rate_limit = None
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        again = [t for k, t in s.server.requests if k == "order"][1]
        assert again - at >= 3.9, again - at  # and not after the two seconds of -acme-retry


@case
def validation_that_fails_is_not_repeated_in_a_loop(w):
    with Scene(w, flags=("-acme-retry", "1")) as s:
        s.server.refuse_validation = True
        domain = s.site()
        began = time.monotonic()
        status = s.wait_status(domain, state="failed", failures=3)
        assert time.monotonic() - began >= 2.5  # 1 s, then 2 s
        assert "refused for the test (unauthorized)" in status["error"], status
        assert len(s.server.orders) == 3 and s.server.count("finalize") == 0 and s.server.count("challenge") == 3
        assert s.trusts(domain) is None


@case
def orders_are_bounded_by_the_hour(w):
    with Scene(w, flags=("-acme-retry", "1")) as s:
        s.server.offers = ["dns-01"]  # fails at once
        domain = s.site()
        for i in range(7):
            s.wait_status(domain, state="failed")
            assert s.routers[0].call("DELETE", "/routes/" + s.routes.pop()["id"])[0] == 200
            s.n_domains -= 1
            assert s.site() == domain
        status = wait_for("the bound", lambda: (x := s.status(domain)) and "5 orders an hour" in x.get("error", "") and x, PATIENCE)
        assert status["state"] == "failed" and len(s.server.orders) == 5, (status, s.server.orders)


@case
def orders_for_all_domains_together_are_bounded(w):
    with Scene(w, flags=("-acme-retry", "3600")) as s:
        s.server.offers = ["dns-01"]
        for _ in range(101):
            s.site()

        def held():
            states = [r["config"].get("auto_tls_status", {}) for r in s.routers[0].call("GET", "/routes")[1]]
            return [x for x in states if "100 for all" in x.get("error", "")]

        assert len(wait_for("the bound", held, PATIENCE)) == 1 and len(s.server.orders) == 100, len(s.server.orders)


@case
def server_that_is_away_costs_nothing_but_time(w):
    with Scene(w, serve=False) as s:
        domain = s.site()
        status = s.wait_status(domain, state="failed")
        assert "does not answer" in status["error"], status
        s.server.start()
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)


@case
def server_with_a_wrong_certificate_is_not_believed(w):
    with Scene(w, flags=("-acme-ca", os.devnull)) as s:
        status = s.wait_status(s.site(), state="failed")
        assert "certificate" in status["error"] and s.server.requests == [], (status, s.server.requests)


@case
def nonsense_is_an_error_at_each_step(w):
    with Scene(w, flags=("-acme-retry", "1")) as s:
        for kind in ("directory", "account", "order", "authz", "finalize", "cert"):
            s.server.garbage = kind
            if kind in ("directory", "account"):  # these are asked for once
                for r in s.routers:
                    r.stop()
                    r.start()
            before = s.server.count(kind)
            domain = s.site()
            s.wait_status(domain, state="failed")
            status, asked = s.between_tries(domain, kind)
            asked -= before
            # Once a try, of which there may have been more than one when we look.
            assert status["error"] and asked <= status["failures"] * (2 if kind == "account" else 1), (kind, asked, status)
            assert s.routers[0].call("DELETE", "/routes/" + s.routes.pop()["id"])[0] == 200
            # A try that had begun must not get further, to what the next round counts.
            s.wait_quiet()
            s.server.garbage = None


@case
def certificate_for_another_name_is_not_taken(w):
    with Scene(w) as s:
        s.server.wrong_names = ["other.example.com"]
        domain = s.site()
        status = s.wait_status(domain, state="failed")
        assert f"is not one for {domain}" in status["error"], status
        assert "tls_cert" not in s.routers[0].call("GET", "/routes/" + s.routes[0]["id"])[1]["config"]


@case
def slow_server_is_waited_for_as_it_asks(w):
    with Scene(w) as s:
        s.server.slow, s.server.poll_after = 2, 1
        domain = s.site()
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        polls = [t for k, t in s.server.requests if k in ("authz", "order")]
        assert len(polls) < 14, s.server.requests


@case
def order_that_is_processed_for_ever_is_given_up(w):
    with Scene(w) as s:
        s.server.stuck = True
        s.server.poll_after = None
        domain = s.site()
        wait_for("it to be finalised", lambda: s.server.count("finalize") == 1, PATIENCE)
        # Its polls grow further apart, and a new one begins only when it has ended: unit tests know how many there are.
        before = len(s.server.requests)
        time.sleep(4)
        assert len(s.server.requests) - before <= 6, s.server.requests
        # Should this router die over it, the next one does not begin at once.
        status = s.status(domain)
        assert status["state"] == "ordering" and status["next_try"] and len(s.server.orders) == 1, status
        # The route goes, and with it the order.
        assert s.routers[0].call("DELETE", "/routes/" + s.routes.pop()["id"])[0] == 200
        assert quiet(s.server, 4)


@case
def route_that_goes_meanwhile_gets_nothing(w):
    with Scene(w) as s:
        domain = s.site()
        route = s.routes.pop()
        s.server.on_finalize = lambda: s.routers[0].call("DELETE", "/routes/" + route["id"])
        wait_for("it to be finalised", lambda: s.server.count("finalize") == 1, PATIENCE)
        assert quiet(s.server)
        assert s.routers[0].call("GET", "/routes/" + route["id"])[0] == 404 and len(s.server.orders) == 1
        assert s.trusts(domain) is None


@case
def certificate_of_the_owner_is_left_alone(w):
    with Scene(w) as s:
        own = w.cert("own.example.com")
        domain = s.site(tls_cert=own[0], tls_key=own[1])
        assert s.status(domain) == {"state": "own"}
        other = s.site()
        wait_for("the other's certificate", lambda: s.trusts(other), PATIENCE)
        assert len(s.server.orders) == 1
        assert s.routers[0].call("GET", "/routes/" + s.routes[0]["id"])[1]["config"]["tls_cert"] == own[0]
        # One that is given while an order is under way is left alone as well.
        def give():
            route = {"tls_cert": own[0], "tls_key": own[1]}
            assert s.routers[0].call("PUT", "/routes/" + s.routes[2]["id"], {"config": route})[0] == 200
        s.server.on_finalize = give
        third = s.site()
        wait_for("its certificate", lambda: s.server.count("cert") == 2, PATIENCE)
        assert quiet(s.server)
        route = s.routers[0].call("GET", "/routes/" + s.routes[2]["id"])[1]
        assert route["config"]["tls_cert"] == own[0] and "tls_cert_auto" not in route["config"], route
        assert s.status(third) == {"state": "own"}


@case
def changes_of_a_route_keep_its_certificate(w):
    with Scene(w) as s:
        domain = s.site()
        cert = wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        url = "/routes/" + s.routes[0]["id"]
        route = s.routers[0].call("GET", url)[1]
        route["config"]["sticky"] = True
        assert s.routers[0].call("PUT", "/routes", route)[0] == 200  # as it was told, without a key
        bare = {"type": "http", "config": {"domain": domain, "service": route["config"]["service"], "auto_tls": True}}
        assert s.trusts(domain) == cert and s.routers[0].call("PUT", "/routes", bare)[0] == 200
        assert s.trusts(domain) == cert and s.routers[0].call("PUT", url, {"config": {"leader": False}})[0] == 200
        assert s.trusts(domain) == cert and quiet(s.server) and len(s.server.orders) == 1


@case
def etcd_that_lost_all_costs_no_certificate(w):
    with Scene(w) as s:
        domains = [s.site(), s.site()]
        for domain in domains:
            wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        w.etcd.stop()
        shutil.rmtree(w.etcd.dir)
        w.etcd.start()
        # The routes come back from the routers, with their certificates and whose they are; so does the account's key.
        wait_for("the account's key", lambda: account_keys(w, s.server.url), 30)
        wait_for("the routes", lambda: all(s.trusts(d) for d in domains) and len(stored(w, s.prefix)) == 2, PATIENCE)
        assert all(r["config"]["tls_cert_auto"] for r in stored(w, s.prefix))
        assert quiet(s.server) and len(s.server.orders) == 2
        third = s.site()
        wait_for("a certificate", lambda: s.trusts(third), PATIENCE)
        assert len(s.server.accounts) == 1 and len(s.server.orders) == 3


def account_keys(w, url):
    try:
        found = etcd_call(w, "/v3/kv/range", {"key": b64("/router-acme/accounts/"), "range_end": b64("/router-acme/accounts0")})
    except OSError:
        return None
    return [kv for kv in found.get("kvs", []) if url in base64.b64decode(kv["key"]).decode()]


def stored(w, prefix):
    """The routes in etcd of one scene."""
    found = etcd_call(w, "/v3/kv/range", {"key": b64("/router/"), "range_end": b64("/router0")})
    routes = [json.loads(base64.b64decode(kv["value"])) for kv in found.get("kvs", [])]
    return [r for r in routes if r["config"].get("domain", "").startswith(prefix + "-")]


@case
def only_names_of_hosts_can_have_one(w):
    with Scene(w) as s:
        for domain in ("*.example.com", "1.2.3.4"):
            status, err = s.routers[0].call("POST", "/routes", {"type": "http", "config": {
                "domain": domain, "service": "x", "auto_tls": True}})
            assert status == 400 and "auto_tls" in err["message"], (status, err)


@case
def account_may_be_bound_to_another(w):
    secret = os.urandom(32)
    os.environ.update(ACME_EAB_KID="kid-1", ACME_EAB_KEY=encode(secret))
    try:
        scene = Scene(w)
    finally:
        del os.environ["ACME_EAB_KID"], os.environ["ACME_EAB_KEY"]
    with scene as s:
        s.server.eab = {"kid-1": secret}
        domain = s.site()
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
    with Scene(w) as s:
        s.server.eab = {"kid-1": secret}
        status = s.wait_status(s.site(), state="failed")
        assert "the ACME account: an external account is required" in status["error"], status


@case
def account_that_the_server_lost_is_made_anew(w):
    with Scene(w) as s:
        wait_for("a certificate", lambda d=s.site(): s.trusts(d), PATIENCE)
        s.server.accounts.clear()
        wait_for("a certificate", lambda d=s.site(): s.trusts(d), PATIENCE)
        assert s.server.count("account") == 2


@case
def challenges_are_answered_only_while_they_are_open(w):
    def own(inst, c, f):
        from world import answer, read_request
        while (r := read_request(f)) is not None:
            answer(c, b"the app's own " + r.target.encode())

    with Scene(w) as s:
        seen = {}

        def look():
            """While a challenge is open: others' tokens and hosts, other methods and paths are the app's."""
            _, token, port = domain, s.server.authzs[next(iter(s.server.authzs))]["challenges"][0]["token"], s.routers[0].http
            path = "/.well-known/acme-challenge/"
            for name, host, method, target in (("ours", domain, "GET", path + token), ("head", domain, "HEAD", path + token),
                                               ("post", domain, "POST", path + token), ("longer", domain, "GET", path + token + "x"),
                                               ("none", domain, "GET", path), ("other", domain, "GET", path + "nobody"),
                                               ("host", "nobody.example.com", "GET", path + token)):
                with Client(port) as c:
                    a = c.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n").read_answer(method == "HEAD")
                    seen[name] = (a.status, a.body)
            seen["alpn"] = see_tls(s.routers[0].https, "nobody.example.com", token, "x")
            # RFC 8737 3: it is the only protocol that is offered.
            seen["one of two"] = see_tls(s.routers[0].https, domain, token, "x", ["acme-tls/1", "http/1.1"])
            seen["second"] = see_tls(s.routers[0].https, domain, token, "x", ["h2", "acme-tls/1"])
            seen["none of it"] = see_tls(s.routers[0].https, domain, token, "x", ["http/1.1"])
            seen["only"] = see_tls(s.routers[0].https, domain, token, "x")
        s.server.on_finalize = look
        domain = f"{s.prefix}-1.example.com"
        w.discoverd.set(domain.split(".")[0], [Instance(own).addr])
        s.routes.append(s.routers[0].route(domain, domain.split(".")[0], auto_tls=True, redirect_https=False))
        wait_for("a certificate", lambda: s.server.count("cert") == 1, PATIENCE)
        assert seen["ours"][0] == 200 and seen["ours"][1].count(b".") == 1 and seen["head"] == (200, b""), seen
        for name in ("post", "longer", "none", "other"):
            assert seen[name][0] == 200 and seen[name][1].startswith(b"the app's own"), (name, seen[name])
        assert seen["host"][0] == 404 and all("cannot connect" in seen[name] for name in ("alpn", "one of two", "second", "none of it")), seen
        assert "does not have the digest" in seen["only"], seen
        token = s.server.authzs[next(iter(s.server.authzs))]["challenges"][0]["token"]
        wait_for("it to be closed", lambda: "app's own" in (see_http(s.routers[0].http, domain, token, "x") or ""))
        # RFC 7301 3.2: nor does a handshake succeed without a protocol that both speak.
        wait_for("the certificate", lambda: s.trusts(domain), PATIENCE)
        why = see_tls(s.routers[0].https, domain, token, "x", ["nonsense"])
        assert "cannot connect" in why, why


@case
def challenge_comes_before_redirection_and_maintenance(w):
    with Scene(w) as s:
        domain = s.site(redirect_https=True, maintenance=True)
        wait_for("a certificate", lambda: s.server.count("cert") == 1, PATIENCE)
        s.wait_status(domain, state="valid")


@case
def connection_that_showed_a_challenge_serves_no_request(w):
    with Scene(w, flags=("-acme-challenge", "tls-alpn-01")) as s:
        got = []

        def ask():
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            ctx.check_hostname, ctx.verify_mode = False, ssl.CERT_NONE
            ctx.set_alpn_protocols(["acme-tls/1"])
            with ctx.wrap_socket(socket.create_connection(("127.0.0.1", s.routers[0].https), LIMIT), server_hostname=domain) as c:
                try:
                    c.sendall(f"GET / HTTP/1.1\r\nHost: {domain}\r\n\r\n".encode())
                    got.append(c.recv(100))
                except OSError:
                    got.append(b"")
        s.server.on_finalize = ask
        domain = s.site()
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        assert got == [b""], got


@case
def without_a_directory_nothing_is_done(w):
    host, _, _ = w.app(auto_tls=True)
    route = next(r for r in w.router.call("GET", "/routes")[1] if r["config"].get("domain") == host)
    assert route["config"]["auto_tls_status"]["state"] == "off" and "-acme-directory" in route["config"]["auto_tls_status"]["error"]
    assert w.router.call("DELETE", "/routes/" + route["id"])[0] == 200
    assert see_http(w.router.http, host, "x", "y").startswith("404")


@case
def secrets_stay_where_they_are(w):
    with Scene(w) as s:
        domain = s.site()
        wait_for("a certificate", lambda: s.trusts(domain), PATIENCE)
        found = etcd_call(w, "/v3/kv/range", {"key": b64("/router-acme/accounts/"), "range_end": b64("/router-acme/accounts0")})
        pems = [base64.b64decode(kv["value"]).decode() for kv in found["kvs"]]
        assert all("PRIVATE KEY" in p for p in pems)
        told = json.dumps([s.routers[0].call("GET", p)[1] for p in ("/routes", "/metrics", "/router-acme/accounts/")])
        with open(os.path.join(os.environ["TMP"], "router.log")) as f:
            log = f.read()
        for secret in [*(line for p in pems for line in p.split("\n")[1:-2]), "PRIVATE KEY"]:
            assert secret not in told and secret not in log
