#include "cli/complete.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/words.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

#define OPTION_MAX 64

void
complete_add(struct complete *c, const char *word, const char *end)
{
	if (strncmp(word, c->prefix, strlen(c->prefix)) == 0)
		fl_buf_addf(&c->found, "%s%s\n", word, end);
}

/* Once, however many commands begin with it. */
static void
add_once(struct complete *c, const char *word, size_t len)
{
	char *line = fl_xasprintf("%.*s\n", (int)len, word);
	const char *at = strstr(fl_buf_cstr(&c->found), line);

	while (at != NULL && at != c->found.data && at[-1] != '\n')
		at = strstr(at + 1, line);
	line[len] = '\0';
	if (at == NULL)
		complete_add(c, line, "");
	free(line);
}

/* ---- commands ---- */

/* The rest of a command's name behind the words, all of which are its first ones; NULL: they are not. */
static const char *
rest_of(const char *name, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		size_t len = strcspn(name, " ");

		if (strlen(argv[i]) != len || strncmp(name, argv[i], len) != 0 || name[len] == '\0')
			return NULL;
		name += len + 1;
	}
	return name;
}

/* The word that follows the words in the name of some command. */
static void
add_commands(struct complete *c, int argc, char **argv)
{
	for (const struct command *command = commands; command->name != NULL; command++) {
		const char *rest = rest_of(command->name, argc, argv);

		if (rest != NULL)
			add_once(c, rest, strcspn(rest, " "));
	}
}

/* ---- options ---- */

/* The options that a command's help names: "  -t, --process-type TYPE  of ..." */
struct option_line {
	char names[2][OPTION_MAX]; /* "" when there is none */
	char meta[OPTION_MAX];
	bool has_no; /* --[no-]name */
};

static size_t
copy_word(char out[OPTION_MAX], const char *at)
{
	size_t len = strcspn(at, " ,\n"), n = len < OPTION_MAX - 1 ? len : OPTION_MAX - 1;

	memcpy(out, at, n);
	out[n] = '\0';
	return len;
}

static void
take_no(struct option_line *o)
{
	static const char no[] = "--[no-]";

	o->has_no = strncmp(o->names[1], no, strlen(no)) == 0;
	if (o->has_no)
		memmove(o->names[1] + 2, o->names[1] + strlen(no), strlen(o->names[1] + strlen(no)) + 1);
}

/* The line at *at if it is one of an option; *at moves behind it. False at the end of the help. */
static bool
next_option(const char **at, struct option_line *o)
{
	for (const char *line; *(line = *at) != '\0';) {
		const char *p = line + strspn(line, " ");

		*at = line + strcspn(line, "\n");
		*at += **at == '\n';
		if (p - line < 2 || *p != '-')
			continue;
		*o = (struct option_line){ 0 };
		if (p[1] != '-') {
			p += copy_word(o->names[0], p);
			p += strspn(p, ", ");
		}
		if (strncmp(p, "--", 2) == 0)
			p += copy_word(o->names[1], p);
		take_no(o);
		if (*p == ' ' && p[1] >= 'A' && p[1] <= 'Z')
			copy_word(o->meta, p + 1);
		return true;
	}
	return false;
}

static void
add_options(struct complete *c)
{
	const char *at = c->command->help != NULL ? c->command->help : "";
	struct option_line o;

	if (strstr(c->command->args, "[--json]") != NULL)
		complete_add(c, "--json", "");
	while (next_option(&at, &o)) {
		char no[2 * OPTION_MAX] = "--no-";

		for (size_t i = 0; i < fl_nitems(o.names); i++)
			if (*o.names[i] != '\0')
				add_once(c, o.names[i], strlen(o.names[i]));
		if (o.has_no)
			complete_add(c, strcat(no, o.names[1] + 2), "");
	}
}

/* What the option wants behind it; the caller frees. NULL: nothing, or there is no such option. */
static char *
option_meta(const struct command *command, const char *word)
{
	const char *at = command->help != NULL ? command->help : "";
	struct option_line o;

	while (next_option(&at, &o))
		if (*o.meta != '\0' && (strcmp(word, o.names[0]) == 0 || strcmp(word, o.names[1]) == 0))
			return fl_xstrdup(o.meta);
	return NULL;
}

/* ---- operands ---- */

/* The n-th operand of the usage line, or the last if it may be repeated: "TYPE=COUNT" of "[-n] [TYPE=COUNT ...]". */
static char *
operand(const char *args, int n)
{
	char *meta = NULL;

	while (*args != '\0') {
		size_t len = *args == '[' ? strcspn(args, "]") + 1 : strcspn(args, " ");
		const char *word = args + (*args == '[');
		size_t word_len = strcspn(word, " ]");

		if (*word == '-' && *args != '[') { /* one that must be there, and what it wants */
			args += len + strspn(args + len, " ");
			len = strcspn(args, " ");
		} else if (*word != '-' && *word != '.' && strncmp(word, "OPTION", word_len) != 0) {
			free(meta);
			meta = fl_xstrndup(word, word_len);
			if (n-- == 0)
				return meta;
		}
		args += len;
		args += strspn(args, " ");
	}
	if (meta != NULL && args[-1] != '.' && (args[-1] != ']' || args[-2] != '.')) {
		free(meta);
		meta = NULL;
	}
	return meta;
}

/* Words like "memory=" stand in the usage line as they are typed. */
static void
add_literals(struct complete *c)
{
	for (const char *at = c->command->args; (at = strchr(at, '=')) != NULL; at++) {
		const char *begin = at;
		char *word;

		while (begin > c->command->args && begin[-1] >= 'a' && begin[-1] <= 'z')
			begin--;
		if (begin == at)
			continue;
		word = fl_xstrndup(begin, (size_t)(at - begin));
		complete_add(c, word, "=");
		free(word);
	}
}

/* The words behind the command's name. */
static void
complete_command(struct complete *c, int argc, char **argv)
{
	int operands = 0;

	for (int i = 0; i < argc - 1; i++) {
		if (argv[i][0] != '-') {
			operands++;
		} else if ((c->meta = option_meta(c->command, argv[i])) != NULL) {
			if (i + 1 == argc - 1)
				return;
			free(c->meta);
			c->meta = NULL;
			i++;
		}
	}
	if (*c->prefix == '-') {
		add_options(c);
		return;
	}
	c->meta = operand(c->command->args, operands);
	if (c->meta != NULL && strchr(c->meta, '=') != NULL)
		add_literals(c);
}

/* ---- all of it ---- */

/* The options before the command; how many words they are. Sets meta when what they want is being typed. */
static int
take_globals(struct complete *c, int argc, char **argv)
{
	int i = 0;

	while (i < argc - 1 && argv[i][0] == '-') {
		bool is_app = strcmp(argv[i], "-a") == 0;

		if (!is_app && strcmp(argv[i], "-c") != 0) {
			i++;
			continue;
		}
		if (i + 1 == argc - 1)
			c->meta = fl_xstrdup(is_app ? "APP" : "CLUSTER");
		*(is_app ? &c->app : &c->cluster) = argv[i + 1];
		i += 2;
	}
	return i;
}

void
complete_words(struct complete *c, int argc, char **argv)
{
	int first, used = 0;

	*c = (struct complete){ .prefix = argc > 0 ? argv[argc - 1] : "" };
	first = take_globals(c, argc, argv);
	if (c->meta != NULL)
		return;
	argv += first;
	argc -= first;
	if (argc <= 1 && *c->prefix == '-') {
		complete_add(c, "-a", "");
		complete_add(c, "-c", "");
		complete_add(c, "--json", "");
		return;
	}
	add_commands(c, argc > 0 ? argc - 1 : 0, argv);
	if (argc > 1 && (c->command = words_find(argc - 1, argv, &used, NULL)) != NULL)
		complete_command(c, argc - used, argv + used);
}

void
complete_release(struct complete *c)
{
	fl_buf_release(&c->found);
	free(c->meta);
}
