"""Deployments: what is asked for at each step, how they end, who waits for whom. The case plays the scheduler."""

import json
import os
import signal

from world import NOBODY, OTHER_PORT, Stream, case, psql, wait_for

EVENTS = [("Accept", "text/event-stream")]


class Deploy:
    """An app whose web type runs, and a new release of it; jobs do as the case says."""

    def __init__(self, w, count=2, types=("web",)):
        self.w = w
        self.port = None  # of the controller that is asked
        self.app, self.id, self.old = w.living(*types)
        self.new = w.release(*types)
        self.jobs = []
        if count:
            w.ok("PUT", f"/apps/{self.app}/formations/{self.old}", {"processes": {t: count for t in types}})
            self.jobs = [(t, w.job(self.app, self.old, type=t)["id"]) for t in types for _ in range(count)]

    def start(self, **more):
        self.deployment = self.w.ok("POST", f"/apps/{self.app}/deploy", {"id": self.new, **more})
        return self.deployment

    def now(self):
        return self.w.ok("GET", f"/deployments/{self.deployment['id']}", port=self.port)

    def count(self, release, type="web"):
        a = self.w.get(f"/apps/{self.app}/formations/{release}", port=self.port)
        return a.json.get("processes", {}).get(type, 0) if a.status == 200 else 0

    def asked(self, old, new, type="web"):
        wait_for(f"old={old} new={new} to be asked for", lambda: (self.count(self.old, type), self.count(self.new, type)) == (old, new))

    def up(self, type="web", **more):
        return self.w.job(self.app, self.new, type=type, port=self.port, **more)

    def down(self, type="web"):
        at = next(i for i, (t, _) in enumerate(self.jobs) if t == type)
        _, job = self.jobs.pop(at)
        self.w.ok("PUT", f"/apps/{self.app}/jobs/{job}", {"id": job, "release": self.old, "type": type, "state": "down"},
                  port=self.port)

    def ends(self, status):
        wait_for(f"it to be {status}", lambda: self.now()["status"] == status)
        return self.now()

    def release(self):
        return self.w.ok("GET", f"/apps/{self.app}/release")["id"]


@case
def a_deployment_is_told_as_it_was_asked_for(w):
    d = Deploy(w, count=0)
    made = w.ask("POST", f"/apps/{d.app}/deploy", {"id": d.new, "strategy": "all-at-once", "timeout": 7})
    made.exactly('{"id":"<id>","app":"%s","new_release":"%s","strategy":"all-at-once","status":"pending","deploy_timeout":7,'
                 '"created_at":"<time>"}' % (d.id, d.new))


@case
def an_app_of_which_nothing_runs_has_the_release_at_once(w):
    d = Deploy(w, count=0)
    d.start()
    done = d.ends("complete")
    assert done["old_release"] == d.old and done["finished_at"] and "error" not in done, done
    assert d.release() == d.new


@case
def jobs_are_replaced_one_by_one(w):
    d = Deploy(w, count=2)
    d.start()
    d.asked(2, 1)
    assert d.release() == d.old
    d.up(state="starting")
    assert d.now()["status"] == "running"
    d.up()
    d.asked(1, 2)
    d.down()
    assert d.now()["status"] == "running"
    d.up()
    d.asked(0, 2)
    assert d.now()["status"] == "running"  # an old job has yet to end
    d.down()
    done = d.ends("complete")
    assert done["processes"] == {"web": 2} and d.release() == d.new
    assert w.get(f"/apps/{d.app}/formations/{d.old}").status == 404


@case
def all_at_once_asks_for_all_of_the_new(w):
    d = Deploy(w, count=3)
    d.start(strategy="all-at-once")
    d.asked(3, 3)
    for _ in range(3):
        d.up()
    d.asked(0, 3)
    for _ in range(3):
        d.down()
    d.ends("complete")


@case
def in_batches_asks_for_so_many_at_a_time(w):
    d = Deploy(w, count=5)
    assert d.start(strategy="in-batches", batch_size=3)["deploy_batch_size"] == 3
    d.asked(5, 3)
    for _ in range(3):
        d.up()
    d.asked(2, 5)
    w.ok("DELETE", f"/deployments/{d.deployment['id']}")


@case
def what_is_not_said_is_as_the_apps_meta_says(w):
    d = Deploy(w, count=0)
    w.ok("POST", f"/apps/{d.app}", {"meta": {"deploy.strategy": "in-batches", "deploy.timeout": "77", "deploy.batch_size": "4"}})
    made = d.start()
    assert (made["strategy"], made["deploy_timeout"], made["deploy_batch_size"]) == ("in-batches", 77, 4), made
    made = d.start(strategy="all-at-once", timeout=5, batch_size=1)
    assert (made["strategy"], made["deploy_timeout"], made["deploy_batch_size"]) == ("all-at-once", 5, 1), made
    w.ok("POST", f"/apps/{d.app}", {"meta": {"deploy.strategy": "?", "deploy.timeout": "99999", "deploy.batch_size": "-4"}})
    made = d.start()
    assert (made["strategy"], made["deploy_timeout"]) == ("one-by-one", 120) and "deploy_batch_size" not in made, made


@case
def clients_of_2021_do_not_wait_for_what_was_cancelled(w):
    d = Deploy(w, count=1)
    made = d.start()
    with Stream(f"/events?app_id={d.app}&object_id={made['id']}&object_types=deployment&past=true") as s:
        w.ok("DELETE", f"/deployments/{made['id']}")
        last = s.until(lambda e: json.loads(e[2])["data"]["status"] not in ("pending", "running"))[-1]
        data = json.loads(last[2])["data"]
        assert (data["status"], data["error"]) == ("failed", "it was cancelled"), data  # all that they know


@case
def clients_of_2021_say_it_of_the_app(w):
    d = Deploy(w, count=0)
    w.ok("POST", f"/apps/{d.app}", {"meta": {"a": "b"}})
    for body, strategy, timeout in (({"deploy_timeout": 150}, None, 150), ({"strategy": "all-at-once", "deploy_timeout": 0}, "all-at-once", 150)):
        app = w.ok("POST", f"/apps/{d.app}", {"id": d.app, "meta": None, **body})  # as they send it
        assert (app.get("strategy"), app["deploy_timeout"], app["meta"]["a"]) == (strategy, timeout, "b"), app
        assert w.ok("GET", f"/apps/{d.app}") == app
    made = d.start()
    assert (made["strategy"], made["deploy_timeout"]) == ("all-at-once", 150), made
    w.ok("POST", f"/apps/{d.app}/meta", {"meta": {**app["meta"], "flynn-deploy-batch-size": "7"}})
    made = d.start(strategy="in-batches")
    assert (made["deploy_batch_size"], made["deploy_timeout"]) == (7, 150), made
    for field, value in (("strategy", "sirenia"), ("strategy", 1), ("deploy_timeout", -1), ("deploy_timeout", "150"), ("deploy_timeout", 1e9)):
        w.ask("POST", f"/apps/{d.app}", {field: value}).refuses(field)


@case
def one_down_one_up_waits_until_the_old_has_ended(w):
    d = Deploy(w, count=1)
    d.start(strategy="one-down-one-up")
    d.asked(0, 0)
    assert d.now()["status"] == "running"
    d.down()
    d.asked(0, 1)
    d.up()
    d.ends("complete")


@case
def a_type_with_a_volume_goes_down_before_it_comes_up(w):
    d = Deploy(w, count=1)
    d.new = w.ok("POST", "/releases", {"artifact": w.artifact(), "processes": {"web": {"data": True}}})["id"]
    d.start()
    d.asked(0, 0)
    d.down()
    d.asked(0, 1)
    d.up()
    d.ends("complete")


@case
def a_type_that_the_new_release_has_not_goes_last(w):
    d = Deploy(w, count=1, types=("web", "clock"))
    d.new = w.release("web")
    d.start()
    d.asked(1, 1)
    d.asked(1, 0, "clock")
    d.up()
    d.asked(0, 1)
    d.asked(0, 0, "clock")
    d.down()
    d.down("clock")
    assert d.ends("complete")["processes"] == {"web": 1}


@case
def a_job_that_fails_ends_it_and_what_ran_before_is_asked_for_again(w):
    d = Deploy(w, count=2)
    d.start()
    d.asked(2, 1)
    d.up()
    d.asked(1, 2)
    d.up(state="failed", host_error="web exited 7 after 0.4 s")
    failed = d.ends("failed")
    assert failed["error"] == "web exited 7 after 0.4 s" and failed["finished_at"], failed
    d.asked(2, 0)
    assert w.get(f"/apps/{d.app}/formations/{d.new}").status == 404 and d.release() == d.old


@case
def a_crash_of_the_new_release_before_the_deployment_does_not_count(w):
    d = Deploy(w, count=1)
    w.job(d.app, d.new, "crashed", host_error="long ago")
    d.start()
    d.asked(1, 1)
    d.up()
    d.down()
    d.ends("complete")


@case
def one_that_does_not_come_up_says_what_it_waited_for(w):
    d = Deploy(w, count=1)
    d.start(timeout=1)
    failed = d.ends("failed")
    assert failed["error"].startswith("web: 0 of 1 jobs of the new release are up and none is starting after "), failed
    d.asked(1, 0)


@case
def an_old_job_that_does_not_end_holds_nothing_up(w):
    d = Deploy(w, count=1)
    d.start(timeout=1)
    d.asked(1, 1)
    d.up()
    d.ends("complete")


class Stopped:
    """A controller that does nothing meanwhile, as if it were dead."""

    def __init__(self, pid):
        self.pid = int(os.environ[pid])

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


@case
def another_controller_goes_on_when_its_owner_has_been_silent_for_ten_seconds(w):
    d = Deploy(w, count=1)
    with Stopped("OTHER_API_PID"):
        d.start()
        d.asked(1, 1)
    with Stopped("API_PID"):
        d.port = OTHER_PORT
        d.up()
        d.asked(0, 1)
        d.down()
        d.ends("complete")
    d.port = None
    assert d.ends("complete") and d.release() == d.new  # for who had it before, too


@case
def the_next_waits_in_line_and_says_behind_whom(w):
    d = Deploy(w, count=1)
    first = d.start()
    d.asked(1, 1)
    third = w.release("web")
    second = w.ok("POST", f"/apps/{d.app}/deploy", {"id": third})
    assert second["status"] == "pending" and second["behind"] == first["id"], second
    d.up()
    d.down()
    d.ends("complete")
    wait_for("the next to begin", lambda: w.ok("GET", f"/deployments/{second['id']}")["status"] == "running")
    assert "behind" not in w.ok("GET", f"/deployments/{second['id']}")
    assert [x["id"] for x in w.ok("GET", f"/apps/{d.app}/deployments")] == [second["id"], first["id"]]


@case
def a_change_of_what_the_app_has_no_more_is_overtaken(w):
    d = Deploy(w, count=1)
    first = d.start(base=d.old)
    d.asked(1, 1)
    second = w.ok("POST", f"/apps/{d.app}/deploy", {"id": w.release("web"), "base": d.old})
    d.up()
    d.down()
    d.ends("complete")
    d.deployment = second
    failed = d.ends("failed")
    assert failed["overtaken"] and failed["error"].startswith(f"the app has another release by now, {d.new}, than"), failed
    assert d.release() == d.new and d.count(d.new) == 1
    assert "overtaken" not in w.ok("GET", f"/deployments/{first['id']}")
    d.deployment = w.ok("POST", f"/apps/{d.app}/deploy", {"id": w.release("web")})  # whose base nobody knows
    d.asked(0, 1)
    w.ok("DELETE", f"/deployments/{d.deployment['id']}")


@case
def a_first_release_can_be_overtaken_too(w):
    d = Deploy(w, count=0)
    d.app, d.new = w.app()["name"], w.release("web")
    d.start(base="")
    assert "overtaken" not in d.ends("complete")
    d.start(base="")
    assert d.ends("failed")["overtaken"]
    w.ask("POST", f"/apps/{d.app}/deploy", {"id": d.new, "base": 5}).refuses("base")


@case
def it_can_be_given_up(w):
    d = Deploy(w, count=2)
    d.start()
    d.asked(2, 1)
    d.up()
    d.asked(1, 2)
    given = w.ok("DELETE", f"/deployments/{d.deployment['id']}")
    assert given["status"] == "cancelled" and given["finished_at"] and given["error"] == "it was cancelled", given
    d.asked(2, 0)
    assert d.release() == d.old
    w.ask("DELETE", f"/deployments/{d.deployment['id']}").refuses(None, "has ended already")


@case
def one_that_waits_can_be_given_up(w):
    d = Deploy(w, count=1)
    d.start()
    d.asked(1, 1)
    second = w.ok("POST", f"/apps/{d.app}/deploy", {"id": w.release("web")})
    assert w.ok("DELETE", f"/deployments/{second['id']}")["status"] == "cancelled"
    assert d.count(d.new) == 1  # that of the first


@case
def nobody_else_changes_what_it_changes(w):
    d = Deploy(w, count=1)
    d.start()
    d.asked(1, 1)
    w.ask("PUT", f"/apps/{d.app}/formations/{d.old}", {"processes": {"web": 5}}).fails(409, "conflict")
    w.ask("PUT", f"/apps/{d.app}/release", {"id": d.old}).fails(409, "conflict")
    w.ok("DELETE", f"/deployments/{d.deployment['id']}")
    w.ok("PUT", f"/apps/{d.app}/formations/{d.old}", {"processes": {"web": 5}})


@case
def nor_who_waited_while_it_was_asked_for(w):
    for method, rest, body in (("PUT", "formations/{old}", {"processes": {"web": 3}}), ("DELETE", "formations/{old}", None),
                               ("PUT", "scale/{old}", {"new_processes": {"web": 3}}), ("PUT", "release", {"id": "{other}"}),
                               ("POST", "restart", {}), ("DELETE", "releases/{other}", None)):
        d = Deploy(w, count=1)
        ids = {"old": d.old, "other": w.ok("POST", "/releases", {"artifact": w.artifact(), "app_id": d.id})["id"]}
        if body and "id" in body:
            body["id"] = body["id"].format(**ids)
        holder = psql(f"BEGIN; SELECT FROM apps WHERE app_id = '{d.id}' FOR NO KEY UPDATE;"
                      " INSERT INTO deployments (app_id, new_release_id, strategy, timeout_s)"
                      f" VALUES ('{d.id}', '{d.new}', 'one-by-one', 60); SELECT pg_sleep(0.5); COMMIT", wait=False)
        wait_for("the lock", lambda: psql(f"SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%{d.id}%'") == "1")
        w.ask(method, f"/apps/{d.app}/{rest.format(**ids)}", body).fails(409, "conflict")
        assert holder.wait() == 0
        w.ok("DELETE", f"/deployments/{w.ok('GET', f'/apps/{d.app}/deployments')[0]['id']}")


@case
def the_app_can_be_deleted_meanwhile(w):
    d = Deploy(w, count=1)
    d.start()
    d.asked(1, 1)
    w.ok("DELETE", f"/apps/{d.app}")
    assert d.ends("failed")["error"] == "the app was deleted"


@case
def its_stream_tells_each_status_and_ends(w):
    d = Deploy(w, count=1)
    d.start()
    d.asked(1, 1)
    with Stream(f"/deployments/{d.deployment['id']}", port=OTHER_PORT) as s:
        event, _, data = s.next()
        assert event == "running" and json.loads(data)["id"] == d.deployment["id"], data
        d.up()
        d.down()
        event, _, data = s.next()
        assert event == "complete" and json.loads(data)["status"] == "complete", data
        assert s.next() is None


@case
def the_same_release_again_is_done_at_once(w):
    d = Deploy(w, count=1)
    d.new = d.old
    d.start()
    d.ends("complete")
    assert d.count(d.old) == 1


@case
def of_an_app_of_which_nothing_ran_it_says_how_many_are_to_run(w):
    app = w.app()["name"]
    release = w.release("web", "clock")
    made = w.ok("POST", f"/apps/{app}/deploy", {"id": release, "processes": {"web": 2}})
    formation = f"/apps/{app}/formations/{release}"
    wait_for("one to be asked for", lambda: w.get(formation).status == 200 and w.get(formation).json["processes"] == {"web": 1})
    assert w.get(f"/apps/{app}/release").status == 404
    w.job(app, release)
    wait_for("the other", lambda: w.get(formation).json["processes"] == {"web": 2})
    w.job(app, release)
    wait_for("it to end", lambda: w.ok("GET", f"/deployments/{made['id']}")["status"] == "complete")
    assert w.ok("GET", f"/apps/{app}/release")["id"] == release


@case
def a_first_one_that_fails_leaves_nothing(w):
    app = w.app()["name"]
    release = w.release("web")
    made = w.ok("POST", f"/apps/{app}/deploy", {"id": release, "processes": {"web": 1}})
    wait_for("it to be asked for", lambda: w.get(f"/apps/{app}/formations/{release}").status == 200)
    w.job(app, release, "failed", host_error="web exited 7 after 0.4 s")
    wait_for("it to fail", lambda: w.ok("GET", f"/deployments/{made['id']}")["status"] == "failed")
    assert w.get(f"/apps/{app}/formations/{release}").status == 404 and w.get(f"/apps/{app}/release").status == 404


# ---- the release phase ----


class Phase(Deploy):
    """A deployment of a release with a process type "release"."""

    def __init__(self, w, count=1, cmd=("start", "release")):
        super().__init__(w, count)
        self.new = w.ok("POST", "/releases", {"artifact": w.artifact(), "env": {"NEW": "yes"}, "processes": {
            "web": {"cmd": ["start", "web"]}, "release": {"cmd": list(cmd), "env": {"OF": "release"}}}})["id"]

    def phase(self):
        """The id of its job, once its host has it."""
        id = wait_for("the release phase", lambda: self.now().get("release_job"))
        wait_for("its host to have it", lambda: self.w.host(f"/host/jobs/{id}").status == 200)
        return id

    def record(self, id, state, **more):
        self.w.ok("PUT", f"/apps/{self.app}/jobs/{id}", {"id": id, "release": self.new, "type": "release", "state": state, **more})


@case
def a_release_phase_runs_once_before_the_switch(w):
    d = Phase(w)
    d.start()
    id = d.phase()
    job = w.host(f"/host/jobs/{id}").json["job"]
    assert job["config"]["cmd"] == ["start", "release"] and job["config"]["env"]["NEW"] == "yes", job
    assert job["config"]["env"]["OF"] == "release" and job["metadata"]["flynn-controller.type"] == "release", job
    assert job["metadata"]["flynn-controller.release"] == d.new, job
    d.record(id, "up")
    assert (d.count(d.old), d.count(d.new)) == (1, 0) and d.release() == d.old
    d.record(id, "down", exit_status=0)
    d.asked(1, 1)
    d.up()
    d.down()
    assert d.ends("complete")["release_job"] == id and d.release() == d.new
    assert d.count(d.new, "release") == 0


@case
def one_that_fails_fails_the_deployment_with_its_sentence(w):
    d = Phase(w)
    d.start()
    d.record(d.phase(), "crashed", exit_status=1, host_error="release exited 1 after 0.4 s\nno table")
    assert d.ends("failed")["error"] == "release exited 1 after 0.4 s\nno table"
    assert (d.count(d.old), d.count(d.new)) == (1, 0) and d.release() == d.old
    d.start()  # and nothing of it is in the way of the next
    d.record(d.phase(), "down", exit_status=0)
    d.asked(1, 1)


@case
def one_that_is_stopped_fails_it_too(w):
    d = Phase(w)
    d.start()
    d.record(d.phase(), "down", exit_status=143)
    assert d.ends("failed")["error"] == "release was stopped before it had ended"


@case
def one_that_no_host_takes_fails_it_with_the_reason(w):
    d = Phase(w, cmd=["refuse"])
    d.start()
    failed = d.ends("failed")
    assert failed["error"].endswith(": image x is not here"), failed


@case
def one_whose_host_stays_away_is_given_up_in_the_end(w):
    d = Phase(w, cmd=["away"])
    d.start()
    wait_for("the release phase", lambda: d.now().get("release_job"))
    psql(f"UPDATE deployments SET step_at = step_at - interval '1 hour' WHERE app_id = '{d.id}'")
    assert d.ends("failed")["error"] == "release has not ended within 1800 s"
    assert (d.count(d.old), d.count(d.new)) == (1, 0) and d.release() == d.old


@case
def giving_the_deployment_up_stops_it(w):
    d = Phase(w)
    d.start()
    id = d.phase()
    d.record(id, "up")
    assert w.ok("DELETE", f"/deployments/{d.deployment['id']}")["status"] == "cancelled"
    wait_for("its job to be stopped", lambda: w.host(f"/host/jobs/{id}").status == 404)


@case
def the_stream_tells_of_its_job(w):
    d = Phase(w)
    d.start()
    id = d.phase()
    with Stream(f"/deployments/{d.deployment['id']}", port=OTHER_PORT) as s:
        event, _, data = s.next()
        assert event == "running" and json.loads(data)["release_job"] == id, data
        d.record(id, "crashed", host_error="release exited 1 after 0.4 s")
        assert s.next()[0] == "failed" and s.next() is None


@case
def it_is_never_scaled(w):
    app, _, release = w.living("web", "release")
    w.ask("PUT", f"/apps/{app}/formations/{release}", {"processes": {"release": 1}}).refuses("processes", "release cannot be scaled")
    w.ok("PUT", f"/apps/{app}/formations/{release}", {"processes": {"web": 1, "release": 0}})


@case
def what_cannot_be_deployed_is_refused(w):
    app, _, release = w.living()
    w.ask("POST", f"/apps/{app}/deploy", {}).refuses("id", "is missing")
    w.ask("POST", f"/apps/{app}/deploy", {"id": NOBODY}).refuses(None, "there is no release")
    w.ask("POST", f"/apps/{app}/deploy", {"id": 7}).refuses("id")
    w.ask("POST", f"/apps/{app}/deploy", {"id": release, "strategy": "blue-green"}).refuses("strategy", "one-by-one")
    w.ask("POST", f"/apps/{app}/deploy", {"id": release, "timeout": 0}).refuses("timeout", "from 1 to 3600")
    w.ask("POST", f"/apps/{app}/deploy", {"id": release, "batch_size": "3"}).refuses("batch_size", "from 1 to 10000")
    w.ask("POST", f"/apps/{app}/deploy", {"id": release, "processes": {"nope": 1}}).refuses("processes", "no process type")
    w.ask("POST", f"/apps/{app}/deploy", {"id": release, "processes": 1}).refuses("processes")
    w.ask("POST", "/apps/nobody/deploy", {"id": release}).empty(404)
    w.get("/apps/nobody/deployments").empty(404)
    w.get(f"/deployments/{NOBODY}").empty(404)
    w.get(f"/deployments/{NOBODY}", headers=EVENTS).empty(404)
    w.ask("DELETE", f"/deployments/{NOBODY}").empty(404)
    w.get(f"/apps/{app}/deployments").exactly("[]")


@case
def the_same_release_in_other_numbers_is_scaled(w):
    d = Deploy(w, count=2, types=("web", "worker"))
    d.new = d.old
    d.start(processes={"web": 3})
    d.asked(3, 3)
    d.asked(0, 0, "worker")
    assert d.now()["status"] == "running"  # the third one is not up
    d.up()
    assert d.ends("complete")["processes"] == {"web": 3} and d.release() == d.old and d.count(d.old) == 3
    d.start(processes={"web": 4})
    d.asked(4, 4)
    d.up(state="failed", host_error="web exited 7 after 0.4 s")
    assert d.ends("failed")["error"] == "web exited 7 after 0.4 s" and d.count(d.old) == 3
    d = Deploy(w, count=0)  # nothing of it runs yet
    d.new = d.old
    d.start(processes={"web": 1})
    d.asked(1, 1)
    d.up()
    d.ends("complete")
    assert d.count(d.old) == 1


@case
def what_is_recorded_again_did_not_happen_again(w):
    d = Deploy(w, count=1)
    failed = w.job(d.app, d.new, "failed", host_error="long ago", exit_status=7, restarts=1)
    d.start()
    d.asked(1, 1)
    # As a scheduler does which has just begun to lead, or lost a host's stream for a moment.
    again = w.ok("PUT", f"/apps/{d.app}/jobs/{failed['id']}", {"release": d.new, "type": "web", "state": "failed", "host_error": "long ago",
                                                              "exit_status": 7, "restarts": 1})
    assert again == failed, again
    d.up()
    d.asked(0, 1)
    d.down()
    d.ends("complete")
