/*
 * clock - see clock.h.
 */
#include "libflynn/clock.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t
read_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now); /* cannot fail for these clocks */
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
fl_clock_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
fl_clock_ms(void)
{
	return fl_clock_us() / 1000;
}

int64_t
fl_clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; years start in March so that leap days end them. */
static int64_t
days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

void
fl_clock_format(int64_t wall_us, char out[FL_CLOCK_RFC3339_LEN])
{
	int64_t us = wall_us % 1000000;
	time_t s = (time_t)(wall_us / 1000000);
	struct tm tm;
	size_t len;

	if (us < 0) {
		us += 1000000;
		s--;
	}
	gmtime_r(&s, &tm);
	len = (size_t)snprintf(out, FL_CLOCK_RFC3339_LEN, "%04lld-%02d-%02dT%02d:%02d:%02d",
	    tm.tm_year + 1900LL, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (us != 0) {
		len += (size_t)snprintf(out + len, FL_CLOCK_RFC3339_LEN - len, ".%06lld", (long long)us);
		while (out[len - 1] == '0')
			len--;
	}
	snprintf(out + len, FL_CLOCK_RFC3339_LEN - len, "Z");
}

void
fl_clock_format_http(int64_t wall_s, char out[FL_CLOCK_HTTP_LEN])
{
	time_t s = (time_t)wall_s;
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(out, FL_CLOCK_HTTP_LEN, "%a, %d %b %Y %H:%M:%S GMT", &tm); /* we never leave the C locale */
}

/* Exactly n digits of a number within min..max. */
static bool
take_number(const char **p, int n, int min, int max, int *out)
{
	int value = 0;

	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		value = value * 10 + (**p - '0');
	}
	*out = value;
	return value >= min && value <= max;
}

static bool
take_char(const char **p, char c)
{
	if (toupper((unsigned char)**p) != c)
		return false;
	(*p)++;
	return true;
}

/* An optional fraction; digits beyond the sixth are dropped. */
static bool
take_fraction(const char **p, int64_t *us)
{
	int64_t unit = 100000;

	*us = 0;
	if (!take_char(p, '.'))
		return true;
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		*us += unit * (**p - '0');
	return true;
}

static bool
take_offset(const char **p, int64_t *offset_s)
{
	int hours, minutes, sign;

	*offset_s = 0;
	if (take_char(p, 'Z'))
		return true;
	if (**p != '+' && **p != '-')
		return false;
	sign = *(*p)++ == '-' ? -1 : 1;
	if (!take_number(p, 2, 0, 23, &hours) || !take_char(p, ':') || !take_number(p, 2, 0, 59, &minutes))
		return false;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

int
fl_clock_parse(const char *text, int64_t *wall_us)
{
	const char *p = text;
	int year, month, day, hour, minute, second;
	int64_t us, offset_s;

	if (!take_number(&p, 4, 0, 9999, &year) || !take_char(&p, '-') ||
	    !take_number(&p, 2, 1, 12, &month) || !take_char(&p, '-') ||
	    !take_number(&p, 2, 1, days_in_month(year, month), &day))
		return -1;
	if (!take_char(&p, 'T') ||
	    !take_number(&p, 2, 0, 23, &hour) || !take_char(&p, ':') ||
	    !take_number(&p, 2, 0, 59, &minute) || !take_char(&p, ':') ||
	    !take_number(&p, 2, 0, 60, &second)) /* 60: a leap second */
		return -1;
	if (!take_fraction(&p, &us) || !take_offset(&p, &offset_s) || *p != '\0')
		return -1;
	*wall_us = ((days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second) - offset_s) * 1000000 + us;
	return 0;
}
