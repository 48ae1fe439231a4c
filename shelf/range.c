#include "shelf/range.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#define DATE "%a, %d %b %Y %H:%M:%S GMT"

void
range_date(int64_t seconds, char out[RANGE_DATE_LEN])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, RANGE_DATE_LEN, DATE, &tm); /* we never leave the C locale */
}

int
range_date_parse(const char *text, int64_t *seconds)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, DATE, &tm);

	if (end == NULL || *end != '\0')
		return -1;
	*seconds = timegm(&tm);
	return 0;
}

/* Whether a list of entity tags has etag or is "*"; compared weakly. */
static bool
etag_listed(const char *list, const char *etag)
{
	size_t len = strlen(etag);

	for (const char *p = list; *p != '\0'; p++) {
		p += strspn(p, " \t,");
		if (*p == '*')
			return true;
		if (strncmp(p, "W/", 2) == 0)
			p += 2;
		if (strncmp(p, etag, len) == 0)
			return true;
		if (*p == '"')
			p += 1 + strcspn(p + 1, "\"");
		if (*p == '\0')
			break;
	}
	return false;
}

/* If-None-Match decides alone when it is there (RFC 9110, 13.2.2). */
static bool
is_unchanged(const struct range_headers *h, const struct range_stored *s)
{
	int64_t since;

	if (h->if_none_match != NULL)
		return etag_listed(h->if_none_match, s->etag);
	return h->if_modified_since != NULL && range_date_parse(h->if_modified_since, &since) == 0 && s->modified_s <= since;
}

/* Whether the part asked for would be one of what the client has the rest of; compared strongly. */
static bool
if_range_holds(const char *if_range, const struct range_stored *s)
{
	int64_t when;

	if (if_range == NULL)
		return true;
	if (range_date_parse(if_range, &when) == 0)
		return when == s->modified_s;
	return strcmp(if_range, s->etag) == 0;
}

/* Digits up to a bound that cannot overflow; -1 when there are none. */
static int64_t
take_number(const char **p)
{
	int64_t n = 0;

	if (!isdigit((unsigned char)**p))
		return -1;
	for (; isdigit((unsigned char)**p); (*p)++)
		if (n <= INT64_MAX / 100)
			n = n * 10 + (**p - '0');
	return n;
}

/* One range; false when it is not well-formed, or more than one. */
static bool
range_parse(const char *text, int64_t *first, int64_t *last)
{
	static const char unit[] = "bytes=";
	const char *p = text + sizeof(unit) - 1;

	if (strncasecmp(text, unit, sizeof(unit) - 1) != 0)
		return false;
	p += strspn(p, " \t");
	*first = take_number(&p);
	if (*p++ != '-')
		return false;
	*last = take_number(&p);
	p += strspn(p, " \t");
	return *p == '\0' && (*first != -1 || *last != -1) && (*first == -1 || *last == -1 || *first <= *last);
}

struct range
range_of(const struct range_headers *h, const struct range_stored *s)
{
	struct range all = { 200, 0, s->size };
	int64_t first, last;

	if (is_unchanged(h, s))
		return (struct range){ 304, 0, 0 };
	if (h->range == NULL || !range_parse(h->range, &first, &last) || !if_range_holds(h->if_range, s))
		return all;
	if (first == -1) { /* the last so many bytes */
		first = last < s->size ? s->size - last : 0;
		if (last == 0 || s->size == 0)
			return (struct range){ 416, 0, 0 };
		last = s->size - 1;
	}
	if (first >= s->size)
		return (struct range){ 416, 0, 0 };
	if (last == -1 || last >= s->size)
		last = s->size - 1;
	return (struct range){ 206, first, last - first + 1 };
}
