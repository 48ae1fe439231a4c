#include "router/timer.h"

#include <string.h>

static struct timer_list *
slot_of(struct timer_wheel *wheel, int64_t tick)
{
	return &wheel->slots[tick % TIMER_SLOTS];
}

static void
insert(struct timer_wheel *wheel, struct timer *t)
{
	int64_t tick = t->deadline_ms / TIMER_TICK_MS + 1;

	if (tick <= wheel->tick)
		tick = wheel->tick + 1;
	if (tick >= wheel->tick + TIMER_SLOTS)
		tick = wheel->tick + TIMER_SLOTS - 1;
	t->tick = tick;
	LIST_INSERT_HEAD(slot_of(wheel, tick), t, link);
	wheel->used[tick % TIMER_SLOTS / 64] |= UINT64_C(1) << (tick % 64);
}

void
timer_wheel_init(struct timer_wheel *wheel, int64_t now_ms)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->tick = now_ms / TIMER_TICK_MS;
}

void
timer_set(struct timer_wheel *wheel, struct timer *t, int64_t deadline_ms)
{
	t->deadline_ms = deadline_ms;
	if (t->tick != 0) {
		if (t->tick <= deadline_ms / TIMER_TICK_MS + 1)
			return; /* it is looked at in time */
		LIST_REMOVE(t, link);
	}
	insert(wheel, t);
}

void
timer_clear(struct timer *t)
{
	if (t->tick == 0)
		return;
	LIST_REMOVE(t, link);
	t->tick = 0;
}

void
timer_wheel_run(struct timer_wheel *wheel, int64_t now_ms)
{
	int64_t now = now_ms / TIMER_TICK_MS;

	/* After a long sleep each slot is looked at once, not once for each turn missed. */
	if (now > wheel->tick + TIMER_SLOTS)
		wheel->tick = now - TIMER_SLOTS;
	while (wheel->tick < now) {
		struct timer_list *slot;
		struct timer *t;

		wheel->tick++;
		slot = slot_of(wheel, wheel->tick);
		/* Whatever on_due sets or frees: nothing is inserted into the slot being run. */
		while ((t = LIST_FIRST(slot)) != NULL) {
			timer_clear(t);
			if (t->deadline_ms > now_ms)
				insert(wheel, t);
			else
				t->on_due(t);
		}
		wheel->used[wheel->tick % TIMER_SLOTS / 64] &= ~(UINT64_C(1) << (wheel->tick % 64));
	}
}

int
timer_wheel_wait_ms(const struct timer_wheel *wheel, int64_t now_ms)
{
	for (int64_t tick = wheel->tick + 1; tick < wheel->tick + TIMER_SLOTS;) {
		uint64_t word = wheel->used[tick % TIMER_SLOTS / 64] >> (tick % 64);

		if (word == 0) {
			tick += 64 - tick % 64;
			continue;
		}
		tick += __builtin_ctzll(word);
		if (tick * TIMER_TICK_MS <= now_ms)
			return 0;
		return (int)(tick * TIMER_TICK_MS - now_ms);
	}
	return -1;
}
