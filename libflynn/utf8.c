/*
 * utf8 - see utf8.h.
 */
#include "libflynn/utf8.h"

static bool
in_range(char c, unsigned min, unsigned max)
{
	return (unsigned char)c >= min && (unsigned char)c <= max;
}

/* The table of RFC 3629 section 4: the second byte's range rules out overlong forms and surrogates. */
size_t
fl_utf8_len(const char *s, size_t len)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max, len;
	} forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (len == 0)
		return 0;
	if (in_range(s[0], 0, 0x7f))
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (!in_range(s[0], forms[i].first_min, forms[i].first_max))
			continue;
		if (len < forms[i].len || !in_range(s[1], forms[i].second_min, forms[i].second_max))
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if (!in_range(s[k], 0x80, 0xbf))
				return 0;
		return forms[i].len;
	}
	return 0;
}

bool
fl_utf8_valid(const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n)
		if ((n = fl_utf8_len(s + i, len - i)) == 0)
			return false;
	return true;
}
