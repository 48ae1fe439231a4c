/*
 * report - what the operator sees: a line a step on stderr, or an event a line as JSON on stdout.
 */
#ifndef BOOTSTRAP_REPORT_H
#define BOOTSTRAP_REPORT_H

struct step;

/* error and message may be NULL. state: "start", "done" or "error". */
void report_step(const struct step *s, const char *state, const char *message, const char *error);

#endif
