#include "controller/deploy_decide.h"

#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"

static const char *const names[DEPLOY_STRATEGY_MAX] = {
	[DEPLOY_ONE_BY_ONE] = "one-by-one",
	[DEPLOY_IN_BATCHES] = "in-batches",
	[DEPLOY_ALL_AT_ONCE] = "all-at-once",
	[DEPLOY_ONE_DOWN_ONE_UP] = "one-down-one-up",
};

int
deploy_strategy_parse(const char *name, enum deploy_strategy *strategy)
{
	for (int i = 0; i < DEPLOY_STRATEGY_MAX; i++) {
		if (strcmp(names[i], name) == 0) {
			*strategy = (enum deploy_strategy)i;
			return 0;
		}
	}
	return -1;
}

static int
at_least_0(int n)
{
	return n > 0 ? n : 0;
}

static int
batch_of(enum deploy_strategy strategy, int batch, int want)
{
	switch (strategy) {
	case DEPLOY_ALL_AT_ONCE:
		return want;
	case DEPLOY_IN_BATCHES:
		return batch > 0 ? batch : (want + 2) / 3;
	case DEPLOY_ONE_BY_ONE:
	case DEPLOY_ONE_DOWN_ONE_UP:
	case DEPLOY_STRATEGY_MAX:
		break;
	}
	return 1;
}

static bool
is_replaced(const struct deploy_type *t)
{
	return t->new_count >= t->want && t->new_up >= t->want;
}

/* New before old: as many of the old stay as are not replaced yet. */
static bool
up_then_down(struct deploy_type *t, int batch)
{
	int keep = at_least_0(t->want - t->new_up);
	bool changed = false;

	if (t->old_count > keep) {
		t->old_count = keep;
		changed = true;
	}
	if (t->new_count < t->want && t->new_up >= t->new_count) {
		t->new_count = t->new_count + batch < t->want ? t->new_count + batch : t->want;
		changed = true;
	}
	return changed;
}

/*
 * Old before new: so many go, and once they have ended, so many come. All of a type whose jobs exclude each other, for the
 * scheduler starts none of them while one of another release runs.
 */
static bool
down_then_up(struct deploy_type *t)
{
	int step = t->is_exclusive ? t->want - t->new_count : 1, keep = at_least_0(t->want - t->new_count - step);

	if (t->new_up < t->new_count)
		return false;
	if (t->old_count > keep) {
		t->old_count = keep;
		return true;
	}
	if (t->new_count < t->want && t->old_live <= t->old_count) {
		t->new_count += step;
		return true;
	}
	return false;
}

enum deploy_next
deploy_decide(enum deploy_strategy strategy, int batch, struct deploy_type *types, size_t n)
{
	bool changed = false, all_replaced = true, all_ended = true;

	for (size_t i = 0; i < n; i++) {
		struct deploy_type *t = &types[i];

		if (t->want == 0)
			continue;
		if (t->is_exclusive || strategy == DEPLOY_ONE_DOWN_ONE_UP)
			changed |= down_then_up(t);
		else
			changed |= up_then_down(t, batch_of(strategy, batch, t->want));
		all_replaced = all_replaced && is_replaced(t);
	}
	for (size_t i = 0; i < n; i++) {
		if (types[i].want == 0 && types[i].old_count > 0 && all_replaced) {
			types[i].old_count = 0;
			changed = true;
		}
		all_ended = all_ended && types[i].old_live == 0;
	}
	if (changed)
		return DEPLOY_SCALE;
	if (!all_replaced)
		return DEPLOY_WAIT;
	return all_ended ? DEPLOY_DONE : DEPLOY_DRAIN;
}

void
deploy_explain_wait(const struct deploy_type *types, size_t n, struct fl_buf *b)
{
	const char *sep = "";

	for (size_t i = 0; i < n; i++) {
		const struct deploy_type *t = &types[i];

		if (is_replaced(t))
			continue;
		if (t->new_up < t->new_count)
			fl_buf_addf(b, "%s%s: %d of %d jobs of the new release are up%s", sep, t->name, t->new_up, t->new_count,
			    t->new_starting == 0 ? " and none is starting" : "");
		else
			fl_buf_addf(b, "%s%s: %d jobs of the old release have yet to end", sep, t->name, t->old_live - t->old_count);
		sep = "; ";
	}
}
