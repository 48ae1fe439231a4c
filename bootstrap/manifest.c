#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bootstrap/bootstrap.h"
#include "bootstrap/manifest.h"
#include "bootstrap/step.h"
#include "bootstrap/template.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

struct step *
manifest_find(const struct manifest *m, const char *id)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->steps[i]->id, id) == 0)
			return m->steps[i];
	return NULL;
}

static struct step *
step_parse(struct bootstrap *b, const struct manifest *m, const struct fl_json *v, struct fl_err *err)
{
	const char *id = "", *name = "";
	const struct action *action;
	struct step *s;

	if (fl_json_type(v) != FL_JSON_OBJECT) {
		fl_err_set(err, FL_ERR_INVALID, "step %zu of the manifest is no object", m->n + 1);
		return NULL;
	}
	if (fl_json_member_str(v, "id", &id, err) == -1 || fl_json_member_str(v, "action", &name, err) == -1) {
		fl_err_wrap(err, "step %zu of the manifest", m->n + 1);
		return NULL;
	}
	if (*id == '\0' || *name == '\0') {
		fl_err_set(err, FL_ERR_INVALID, "step %zu of the manifest lacks an id or an action", m->n + 1);
		return NULL;
	}
	if (manifest_find(m, id) != NULL) {
		fl_err_set(err, FL_ERR_INVALID, "the manifest has two steps with the id %s", id);
		return NULL;
	}
	if ((action = action_find(name)) == NULL) {
		fl_err_set(err, FL_ERR_INVALID, "step %s: there is no action \"%s\"", id, name);
		return NULL;
	}
	s = fl_xcalloc(1, sizeof(*s));
	*s = (struct step){ .bootstrap = b, .id = fl_xstrdup(id), .action = action, .template = fl_json_dup(v) };
	return s;
}

struct linking {
	struct manifest *manifest;
	struct step *step;
	struct fl_err *err;
	int result;
};

static void
link_to(const char *id, void *arg)
{
	struct linking *l = arg;
	struct step *s = l->step, *other = manifest_find(l->manifest, id);

	if (other == NULL || other == s) {
		l->result = fl_err_set(l->err, FL_ERR_INVALID, "step %s comes after %s, which is no other step of the manifest", s->id, id);
		return;
	}
	for (size_t i = 0; i < s->n_after; i++)
		if (s->after[i] == other)
			return;
	s->after = fl_xreallocarray(s->after, s->n_after + 1, sizeof(struct step *));
	s->after[s->n_after++] = other;
}

static void
link_templates(struct linking *l, const struct fl_json *v)
{
	template_steps(fl_json_str(v, ""), link_to, l);
	for (size_t i = 0; i < fl_json_len(v); i++)
		link_templates(l, fl_json_at(v, i));
}

static int
link_after(struct linking *l)
{
	const struct fl_json *after = NULL;
	const char *id;

	if (fl_json_member_arr(l->step->template, "after", &after, l->err) == -1)
		return -1;
	for (size_t i = 0; i < fl_json_len(after); i++) {
		if ((id = fl_json_str(fl_json_at(after, i), NULL)) == NULL)
			return fl_err_set(l->err, FL_ERR_INVALID, "\"after\" must hold ids of steps");
		link_to(id, l);
	}
	return 0;
}

static int
link_members(struct linking *l)
{
	static const char *const members[] = { "app_step", "from_step", "cert_step" };

	for (size_t i = 0; i < fl_nitems(members); i++) {
		const char *id = NULL;

		if (fl_json_member_str(l->step->template, members[i], &id, l->err) == -1)
			return -1;
		if (id != NULL)
			link_to(id, l);
	}
	return 0;
}

/* What is not set is told before the first step, and not by the step that fails for want of it. */
static int
check_variables(const struct step *s, struct fl_err *err)
{
	const struct fl_json *needed = NULL;

	if (fl_json_member_arr(s->template, "needs_env", &needed, err) == -1)
		return -1;
	for (size_t i = 0; i < fl_json_len(needed); i++) {
		const char *name = fl_json_str(fl_json_at(needed, i), NULL), *value = name != NULL ? getenv(name) : NULL;

		if (name == NULL)
			return fl_err_set(err, FL_ERR_INVALID, "\"needs_env\" must hold names of variables");
		if (value == NULL || *value == '\0')
			return fl_err_set(err, FL_ERR_INVALID, "%s is not set: give it to bootstrap, as docker run -e %s=VALUE", name, name);
	}
	return 0;
}

static int
link_step(struct manifest *m, struct step *s, struct fl_err *err)
{
	struct linking l = { m, s, err, 0 };

	if (link_after(&l) == -1 || link_members(&l) == -1 || check_variables(s, err) == -1)
		return fl_err_wrap(err, "step %s", s->id);
	link_templates(&l, s->template);
	return l.result;
}

/* Whether all that s comes after are among the settled. */
static bool
may_settle(const struct manifest *m, const struct step *s, const bool *settled)
{
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; !settled[i] && k < s->n_after; k++)
			if (s->after[k] == m->steps[i])
				return false;
	return true;
}

/* Settle steps whose predecessors are settled until nothing moves; what is left runs in a circle. */
static int
check_no_circle(const struct manifest *m, struct fl_err *err)
{
	bool *settled = fl_xcalloc(m->n + 1, sizeof(*settled));
	const struct step *stuck;
	bool moved;

	do {
		moved = false;
		stuck = NULL;
		for (size_t i = 0; i < m->n; i++) {
			if (settled[i])
				continue;
			if (may_settle(m, m->steps[i], settled))
				settled[i] = moved = true;
			else
				stuck = m->steps[i];
		}
	} while (moved);
	free(settled);
	return stuck == NULL ? 0 : fl_err_set(err, FL_ERR_INVALID, "step %s waits, over others, for itself", stuck->id);
}

struct manifest *
manifest_parse(struct bootstrap *b, const char *text, size_t len, struct fl_err *err)
{
	struct manifest *m = fl_xcalloc(1, sizeof(*m)), *parsed = NULL;
	struct fl_json *root = fl_json_parse(text, len, err);

	if (root == NULL)
		goto out;
	if (fl_json_type(root) != FL_JSON_ARRAY || fl_json_len(root) == 0) {
		fl_err_set(err, FL_ERR_INVALID, "a manifest is a JSON array of steps");
		goto out;
	}
	m->steps = fl_xcalloc(fl_json_len(root), sizeof(struct step *));
	for (size_t i = 0; i < fl_json_len(root); i++) {
		struct step *s = step_parse(b, m, fl_json_at(root, i), err);

		if (s == NULL)
			goto out;
		m->steps[m->n++] = s;
	}
	for (size_t i = 0; i < m->n; i++)
		if (link_step(m, m->steps[i], err) == -1)
			goto out;
	if (check_no_circle(m, err) == -1)
		goto out;
	parsed = m;
	m = NULL;
out:
	fl_json_free(root);
	manifest_free(m);
	return parsed;
}

struct manifest *
manifest_read(struct bootstrap *b, const char *path, struct fl_err *err)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct manifest *m = NULL;
	struct fl_buf text = { 0 };
	char chunk[8192];
	ssize_t n;

	if (fd == -1) {
		fl_err_sys(err, "open the manifest %s", path);
		return NULL;
	}
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && text.len < FL_JSON_MAX_BYTES)
		fl_buf_add(&text, chunk, (size_t)n);
	if (n == -1)
		fl_err_sys(err, "read the manifest %s", path);
	else if ((m = manifest_parse(b, fl_buf_cstr(&text), text.len, err)) == NULL)
		fl_err_wrap(err, "manifest %s", path);
	if (fd != STDIN_FILENO)
		close(fd);
	fl_buf_release(&text);
	return m;
}

void
manifest_free(struct manifest *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++)
		step_free(m->steps[i]);
	free(m->steps);
	free(m);
}
