/*
 * template - the manifest's text templates: the part of Go's that manifests use.
 *
 *	{{ getenv "NAME" }}				the environment variable, "" when unset
 *	{{ (index .StepData "step").Field }}		what an earlier step published
 */
#ifndef BOOTSTRAP_TEMPLATE_H
#define BOOTSTRAP_TEMPLATE_H

#include <stddef.h>

struct fl_buf;
struct fl_err;
struct fl_json;

/* The value of a step's field, borrowed; NULL when there is none. */
typedef const char *(*template_lookup)(const char *step, const char *field, void *arg);

/* Append text, expanded, to out. -1 (INVALID) with a sentence naming the expression. */
int template_expand(const char *text, struct fl_buf *out, template_lookup lookup, void *arg, struct fl_err *err);
/* The value again, with every string in it expanded (keys are not). The caller frees. */
struct fl_json *template_expand_json(const struct fl_json *v, template_lookup lookup, void *arg, struct fl_err *err);
/* Call used for each step whose data text refers to. */
void template_steps(const char *text, void (*used)(const char *step, void *arg), void *arg);

#endif
