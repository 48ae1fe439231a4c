#include <stdbool.h>
#include <string.h>

#include "gitreceive/refs.h"
#include "libflynn/err.h"

#define MAX_LINE 4096

static bool
is_oid(const char *s)
{
	return strlen(s) == REFS_OID_LEN && strspn(s, "0123456789abcdef") == REFS_OID_LEN;
}

static int
take_ref(const char *new_oid, const char *ref, char commit[REFS_OID_LEN + 1], struct fl_err *err)
{
	static const char heads[] = "refs/heads/", tags[] = "refs/tags/";
	const char *branch = ref + strlen(heads);

	if (strncmp(ref, tags, strlen(tags)) == 0)
		return 0; /* kept, not deployed */
	if (strncmp(ref, heads, strlen(heads)) != 0)
		return fl_err_set(err, FL_ERR_INVALID, "%.200s is not deployed: push to master or main.", ref);
	if (strcmp(branch, "master") != 0 && strcmp(branch, "main") != 0)
		return fl_err_set(err, FL_ERR_INVALID,
		    "Branch %.200s is not deployed: push to master or main, as in git push flynn %.200s:master.", branch, branch);
	if (strspn(new_oid, "0") == REFS_OID_LEN)
		return fl_err_set(err, FL_ERR_INVALID, "Branch %s cannot be deleted: it is what runs. flynn delete deletes the app.", branch);
	if (*commit != '\0')
		return fl_err_set(err, FL_ERR_INVALID, "Push either master or main, not both: only one can run.");
	memcpy(commit, new_oid, REFS_OID_LEN + 1);
	return 0;
}

int
refs_read(FILE *in, char commit[REFS_OID_LEN + 1], struct fl_err *err)
{
	char line[MAX_LINE], *rest, *old_oid, *new_oid, *ref;

	*commit = '\0';
	while (fgets(line, sizeof(line), in) != NULL) {
		bool whole = strchr(line, '\n') != NULL || feof(in);

		line[strcspn(line, "\n")] = '\0';
		rest = line;
		old_oid = strsep(&rest, " ");
		new_oid = strsep(&rest, " ");
		ref = rest;
		if (!whole || ref == NULL || !is_oid(old_oid) || !is_oid(new_oid))
			return fl_err_set(err, FL_ERR_INVALID, "git said something that is no ref update");
		if (take_ref(new_oid, ref, commit, err) == -1)
			return -1;
	}
	return 0;
}
