#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "discoverd/instance.h"
#include "discoverd/registry.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/json.h"

/* What a watcher heard: "up 1,leader 1,current". Instances are told apart by the last digit of their address. */
struct heard {
	struct fl_buf text;
	struct watch *watch;
	int cancel_after; /* events; 0: never */
};

static void
hear(const char *json, void *arg)
{
	struct heard *h = arg;
	struct fl_json *v = fl_json_parse(json, strlen(json), NULL);
	const char *addr = fl_json_str(fl_json_get(fl_json_get(v, "instance"), "addr"), NULL);

	assert_non_null(v);
	fl_buf_addf(&h->text, "%s%s", h->text.len > 0 ? "," : "", fl_json_str(fl_json_get(v, "kind"), "?"));
	if (addr != NULL)
		fl_buf_addf(&h->text, " %c", addr[strlen(addr) - 1]);
	fl_json_free(v);
	if (h->cancel_after > 0 && --h->cancel_after == 0)
		registry_unwatch(h->watch);
}

static void
expect(struct heard *h, const char *want)
{
	assert_string_equal(fl_buf_cstr(&h->text), want);
	fl_buf_clear(&h->text);
}

static struct instance *
instance(int n, uint64_t index, const char *meta)
{
	struct fl_buf b = { 0 };
	struct fl_json *v;
	struct instance *i;

	fl_buf_addf(&b, "{\"addr\":\"10.0.0.1:%d\",\"meta\":%s}", 1000 + n, meta);
	v = fl_json_parse(b.data, b.len, NULL);
	i = instance_parse(v, NULL);
	assert_non_null(i);
	i->index = index;
	fl_json_free(v);
	fl_buf_release(&b);
	return i;
}

static void
remove_instance(struct registry *r, int n)
{
	struct instance *i = instance(n, 0, "{}");

	registry_remove_instance(r, "web", i->id);
	instance_free(i);
}

static void
watch(struct registry *r, struct heard *h, unsigned kinds)
{
	h->watch = registry_watch(r, "web", kinds, hear, h);
	registry_watch_start(h->watch);
}

static void
end(struct registry *r, struct heard *h)
{
	registry_unwatch(h->watch);
	fl_buf_release(&h->text);
	registry_free(r);
}

static void
a_watcher_is_shown_everything_then_current(FL_UNUSED void **state)
{
	struct registry *r = registry_new();
	struct heard h = { 0 };

	registry_put_instance(r, "web", instance(2, 20, "{}"));
	registry_put_service(r, "web", false, 1);
	registry_put_instance(r, "web", instance(1, 10, "{}"));
	registry_set_meta(r, "web", "{}", 30);
	registry_set_known(r);
	watch(r, &h, EVENT_ALL);
	expect(&h, "up 1,up 2,leader 1,service_meta,current");
	end(r, &h);
}

static void
nothing_is_told_before_it_is_known(FL_UNUSED void **state)
{
	struct registry *r = registry_new();
	struct heard h = { 0 };

	watch(r, &h, EVENT_ALL);
	registry_put_service(r, "web", false, 1);
	registry_put_instance(r, "web", instance(1, 10, "{}"));
	expect(&h, "");
	registry_set_known(r);
	expect(&h, "up 1,leader 1,current");
	registry_set_known(r);
	expect(&h, "");
	end(r, &h);
}

static void
all_services_are_followed_at_once(FL_UNUSED void **state)
{
	struct registry *r = registry_new();
	struct heard h = { 0 };

	h.watch = registry_watch(r, NULL, EVENT_ALL, hear, &h);
	registry_watch_start(h.watch);
	registry_put_service(r, "web", false, 1);
	registry_put_service(r, "db", false, 2);
	registry_put_instance(r, "web", instance(1, 10, "{}"));
	registry_put_instance(r, "db", instance(2, 20, "{}"));
	registry_put_instance(r, "nobody", instance(3, 30, "{}"));
	expect(&h, "");
	registry_set_known(r);
	expect(&h, "up 1,leader 1,up 2,leader 2,current");
	registry_put_service(r, "nobody", false, 3);
	remove_instance(r, 1);
	expect(&h, "up 3,leader 3,down 1");
	end(r, &h);
}

static void
changes_are_told_once(FL_UNUSED void **state)
{
	struct registry *r = registry_new();
	struct heard h = { 0 };

	registry_set_known(r);
	watch(r, &h, EVENT_ALL);
	expect(&h, "current");
	registry_put_service(r, "web", false, 1);
	registry_put_instance(r, "web", instance(1, 10, "{}"));
	expect(&h, "up 1,leader 1");
	registry_put_instance(r, "web", instance(1, 10, "{}"));
	expect(&h, "");
	registry_put_instance(r, "web", instance(1, 10, "{\"a\":\"b\"}"));
	expect(&h, "update 1");
	registry_put_instance(r, "web", instance(2, 20, "{}"));
	expect(&h, "up 2");
	remove_instance(r, 1);
	expect(&h, "down 1,leader 2");
	remove_instance(r, 1);
	remove_instance(r, 2);
	expect(&h, "down 2");
	assert_int_equal(registry_count_instances(r), 0);
	end(r, &h);
}

static void
a_removed_service_takes_its_instances_down(FL_UNUSED void **state)
{
	struct registry *r = registry_new();
	struct heard h = { 0 };

	registry_set_known(r);
	registry_put_service(r, "web", false, 1);
	registry_put_instance(r, "web", instance(1, 10, "{}"));
	registry_put_instance(r, "web", instance(2, 20, "{}"));
	watch(r, &h, EVENT_UP | EVENT_DOWN);
	expect(&h, "up 1,up 2");
	registry_remove_service(r, "web");
	expect(&h, "down 1,down 2");
	assert_null(registry_find(r, "web"));
	remove_instance(r, 1);
	expect(&h, "");
	registry_put_service(r, "web", false, 3);
	expect(&h, "up 2");
	end(r, &h);
}

static void
a_manual_leader_leads_while_it_is_up(FL_UNUSED void **state)
{
	struct registry *r = registry_new();
	struct heard h = { 0 };
	struct instance *second = instance(2, 20, "{}");
	char id[33];

	memcpy(id, second->id, sizeof(id));
	registry_set_known(r);
	registry_put_service(r, "web", true, 1);
	watch(r, &h, EVENT_LEADER);
	registry_put_instance(r, "web", instance(1, 10, "{}"));
	registry_put_instance(r, "web", second);
	expect(&h, "");
	registry_choose_leader(r, "web", id);
	expect(&h, "leader 2");
	registry_put_instance(r, "web", instance(2, 20, "{\"a\":\"b\"}"));
	expect(&h, "");
	assert_string_equal(registry_find(r, "web")->leader->meta, "{\"a\":\"b\"}");
	remove_instance(r, 2);
	assert_null(registry_find(r, "web")->leader);
	registry_put_instance(r, "web", instance(2, 21, "{}"));
	expect(&h, "leader 2");
	end(r, &h);
}

static void
an_older_index_takes_the_lead(FL_UNUSED void **state)
{
	struct registry *r = registry_new();
	struct heard h = { 0 };

	registry_set_known(r);
	registry_put_service(r, "web", false, 1);
	registry_put_instance(r, "web", instance(2, 20, "{}"));
	watch(r, &h, EVENT_LEADER);
	registry_put_instance(r, "web", instance(1, 10, "{}"));
	expect(&h, "leader 2,leader 1");
	registry_put_instance(r, "web", instance(1, 30, "{}"));
	expect(&h, "leader 2");
	end(r, &h);
}

static void
a_watcher_may_leave_at_any_event(FL_UNUSED void **state)
{
	for (int n = 1; n <= 4; n++) {
		struct registry *r = registry_new();
		struct heard leaver = { .cancel_after = n }, other = { 0 };

		registry_set_known(r);
		registry_put_service(r, "web", false, 1);
		registry_put_instance(r, "web", instance(1, 10, "{}"));
		watch(r, &other, EVENT_ALL);
		watch(r, &leaver, EVENT_ALL); /* up, leader, current */
		registry_put_instance(r, "web", instance(2, 20, "{}"));
		expect(&other, "up 1,leader 1,current,up 2");
		assert_int_equal(registry_count_watches(r), 1);
		fl_buf_release(&leaver.text);
		end(r, &other);
	}
}

static void
a_service_that_nobody_refers_to_is_forgotten(FL_UNUSED void **state)
{
	struct registry *r = registry_new();
	struct heard h = { .cancel_after = 1 };

	registry_set_known(r);
	watch(r, &h, EVENT_ALL);
	assert_int_equal(registry_count_watches(r), 0);
	assert_int_equal(registry_count_services(r), 0);
	fl_buf_release(&h.text);
	registry_free(r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_watcher_is_shown_everything_then_current),
		cmocka_unit_test(nothing_is_told_before_it_is_known),
		cmocka_unit_test(all_services_are_followed_at_once),
		cmocka_unit_test(changes_are_told_once),
		cmocka_unit_test(a_removed_service_takes_its_instances_down),
		cmocka_unit_test(a_manual_leader_leads_while_it_is_up),
		cmocka_unit_test(an_older_index_takes_the_lead),
		cmocka_unit_test(a_watcher_may_leave_at_any_event),
		cmocka_unit_test(a_service_that_nobody_refers_to_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
