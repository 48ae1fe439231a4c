/*
 * args - see args.h.
 */
#include "libflynn/args.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

static const char *const value_names[] = {
	[FL_ARGS_STR] = " VALUE",
	[FL_ARGS_INT] = " N",
	[FL_ARGS_BOOL] = "",
	[FL_ARGS_LIST] = " VALUE...",
};

static bool
is_end(const struct fl_args_opt *o)
{
	return o->flag == NULL && o->env == NULL && o->help == NULL;
}

static void *
field_of(const struct fl_args_opt *o, void *config)
{
	return (char *)config + o->offset;
}

static void
list_add(struct fl_args_list *l, char *item)
{
	l->items = fl_xreallocarray(l->items, l->n + 1, sizeof(*l->items));
	l->items[l->n++] = item;
}

static void
list_clear(struct fl_args_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct fl_args_list){ 0 };
}

static void
list_add_commas(struct fl_args_list *l, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");

		if (len > 0)
			list_add(l, fl_xstrndup(text, len));
		text += len + (text[len] == ',');
	}
}

static int
parse_int(const char *what, const char *text, int *out, struct fl_err *err)
{
	char *end = NULL;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (end == text || *end != '\0')
		return fl_err_set(err, FL_ERR_INVALID, "%s: \"%s\" is not a number", what, text);
	if (errno == ERANGE || value < INT_MIN || value > INT_MAX)
		return fl_err_set(err, FL_ERR_INVALID, "%s: %s is out of range", what, text);
	*out = (int)value;
	return 0;
}

static int
parse_bool(const char *what, const char *text, bool *out, struct fl_err *err)
{
	static const char *const words[] = { "0", "1", "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < fl_nitems(words); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*out = i % 2 == 1;
			return 0;
		}
	}
	return fl_err_set(err, FL_ERR_INVALID, "%s: \"%s\" is neither true nor false", what, text);
}

/* Set one field from text; what names its source in an error. */
static int
set_field(const struct fl_args_opt *o, void *config, const char *what, const char *text, struct fl_err *err)
{
	void *field = field_of(o, config);
	char **str = field;

	switch (o->type) {
	case FL_ARGS_STR:
		free(*str);
		*str = fl_xstrdup(text);
		return 0;
	case FL_ARGS_INT:
		return parse_int(what, text, field, err);
	case FL_ARGS_BOOL:
		return parse_bool(what, text, field, err);
	case FL_ARGS_LIST:
		list_add_commas(field, text);
		return 0;
	}
	return 0;
}

/* An empty variable counts as not set: that is how `docker run -e X=` and compose files unset one. */
static int
set_defaults(const struct fl_args_opt *opts, void *config, struct fl_err *err)
{
	static const size_t sizes[] = {
		[FL_ARGS_STR] = sizeof(char *),
		[FL_ARGS_INT] = sizeof(int),
		[FL_ARGS_BOOL] = sizeof(bool),
		[FL_ARGS_LIST] = sizeof(struct fl_args_list),
	};

	for (const struct fl_args_opt *o = opts; !is_end(o); o++)
		memset(field_of(o, config), 0, sizes[o->type]);
	for (const struct fl_args_opt *o = opts; !is_end(o); o++) {
		const char *env = o->env != NULL ? getenv(o->env) : NULL;

		if (env != NULL && *env != '\0') {
			if (set_field(o, config, o->env, env, err) == -1)
				return -1;
		} else if (o->def != NULL) {
			int rc = set_field(o, config, o->flag, o->def, NULL);

			assert(rc == 0);
			(void)rc;
		}
	}
	return 0;
}

static int
flag_width(const struct fl_args_opt *o)
{
	return o->flag != NULL ? (int)(strlen(o->flag) + strlen(value_names[o->type])) + 1 : 0;
}

static void
print_option(const struct fl_args_opt *o, int flag_room, int env_room)
{
	int used = flag_width(o);

	if (o->flag != NULL)
		printf("  -%s%s%*s", o->flag, value_names[o->type], flag_room - used, "");
	else
		printf("  %*s", flag_room, "");
	printf("  %-*s  %s", env_room, o->env != NULL ? o->env : "", o->help != NULL ? o->help : "");
	if (o->def != NULL && *o->def != '\0')
		printf(" (default %s)", o->def);
	printf("\n");
}

static void
print_usage(const struct fl_args_opt *opts, const char *program, bool takes_words)
{
	int flag_room = (int)strlen("-version"), env_room = (int)strlen("VARIABLE");

	for (const struct fl_args_opt *o = opts; !is_end(o); o++) {
		int env_width = o->env != NULL ? (int)strlen(o->env) : 0;

		flag_room = flag_width(o) > flag_room ? flag_width(o) : flag_room;
		env_room = env_width > env_room ? env_width : env_room;
	}
	printf("usage: %s [flags]%s\n\n", program, takes_words ? " [words]" : "");
	printf("  %-*s  %-*s  A flag beats its environment variable.\n", flag_room, "FLAG", env_room, "VARIABLE");
	for (const struct fl_args_opt *o = opts; !is_end(o); o++)
		print_option(o, flag_room, env_room);
	printf("  %-*s  %-*s  print this and exit\n", flag_room, "-h", env_room, "");
	printf("  %-*s  %-*s  print the version and exit\n", flag_room, "-version", env_room, "");
}

static const struct fl_args_opt *
find_flag(const struct fl_args_opt *opts, const char *name, size_t len)
{
	for (const struct fl_args_opt *o = opts; !is_end(o); o++)
		if (o->flag != NULL && strlen(o->flag) == len && memcmp(o->flag, name, len) == 0)
			return o;
	return NULL;
}

static bool
is_word(const char *name, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(name, word, len) == 0;
}

/* The words of argv while they are read. */
struct words {
	const struct fl_args_opt *opts;
	char **argv;
	int argc, next;
	bool takes_words;
	bool *replaced; /* by option: a flag was seen, so a list's default is gone */
};

static const char *
program_of(const struct words *w)
{
	const char *slash = w->argc > 0 ? strrchr(w->argv[0], '/') : NULL;

	return slash != NULL ? slash + 1 : w->argc > 0 ? w->argv[0] : "";
}

static void
answer_and_exit(const struct words *w, const char *name, size_t len)
{
	if (is_word(name, len, "h") || is_word(name, len, "help"))
		print_usage(w->opts, program_of(w), w->takes_words);
	else if (is_word(name, len, "version"))
		printf("%s %s\n", program_of(w), FL_VERSION);
	else
		return;
	exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int
take_flag(struct words *w, void *config, const char *arg, struct fl_err *err)
{
	const char *name = arg + (arg[1] == '-' ? 2 : 1);
	size_t len = strcspn(name, "=");
	const struct fl_args_opt *o = find_flag(w->opts, name, len);
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	char what[80];

	snprintf(what, sizeof(what), "-%.*s", (int)(len < 64 ? len : 64), name);
	if (o == NULL) {
		answer_and_exit(w, name, len);
		return fl_err_set(err, FL_ERR_INVALID, "unknown flag %s (-h lists them)", what);
	}
	if (value == NULL && o->type == FL_ARGS_BOOL)
		value = "true";
	if (value == NULL && w->next < w->argc)
		value = w->argv[w->next++];
	if (value == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "flag %s needs a value", what);
	if (o->type != FL_ARGS_LIST)
		return set_field(o, config, what, value, err);
	if (!w->replaced[o - w->opts])
		list_clear(field_of(o, config));
	w->replaced[o - w->opts] = true;
	list_add(field_of(o, config), fl_xstrdup(value));
	return 0;
}

static int
take_words(struct words *w, void *config, struct fl_args_list *rest, struct fl_err *err)
{
	bool flags = true;

	while (w->next < w->argc) {
		char *arg = w->argv[w->next++];

		if (flags && strcmp(arg, "--") == 0) {
			flags = false;
		} else if (flags && arg[0] == '-' && arg[1] != '\0') {
			if (take_flag(w, config, arg, err) == -1)
				return -1;
		} else if (rest != NULL) {
			list_add(rest, arg);
		} else {
			return fl_err_set(err, FL_ERR_INVALID, "unexpected argument \"%s\" (-h prints usage)", arg);
		}
	}
	return 0;
}

int
fl_args_parse(const struct fl_args_opt *opts, void *config, int argc, char **argv,
    struct fl_args_list *rest, struct fl_err *err)
{
	struct words w = { .opts = opts, .argv = argv, .argc = argc, .next = 1, .takes_words = rest != NULL };
	size_t n_opts = 0;
	int rc = -1;

	while (!is_end(&opts[n_opts]))
		n_opts++;
	w.replaced = fl_xcalloc(n_opts, sizeof(*w.replaced));
	if (rest != NULL)
		*rest = (struct fl_args_list){ 0 };
	if (set_defaults(opts, config, err) == -1)
		goto out;
	rc = take_words(&w, config, rest, err);
out:
	free(w.replaced);
	return rc;
}

void
fl_args_release(const struct fl_args_opt *opts, void *config, struct fl_args_list *rest)
{
	for (const struct fl_args_opt *o = opts; !is_end(o); o++) {
		char **str = field_of(o, config);

		if (o->type == FL_ARGS_LIST) {
			list_clear(field_of(o, config));
		} else if (o->type == FL_ARGS_STR) {
			free(*str);
			*str = NULL;
		}
	}
	if (rest != NULL) {
		free(rest->items); /* its words are argv's */
		*rest = (struct fl_args_list){ 0 };
	}
}
