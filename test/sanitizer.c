/*
 * sanitizer - what a program built with SAN=1 does without ASAN_OPTIONS and UBSAN_OPTIONS.
 *
 * A finding ends the process, so that whoever runs it notices. Leaks are looked for where unit
 * tests run: a daemon with file capabilities may not be traced, which is how they are found.
 */
/* The sanitizers chose the names. */
const char *__asan_default_options(void);  /* NOLINT(bugprone-reserved-identifier) */
const char *__ubsan_default_options(void); /* NOLINT(bugprone-reserved-identifier) */

const char *
__asan_default_options(void)
{
	return "abort_on_error=1:detect_leaks=0";
}

const char *
__ubsan_default_options(void)
{
	return "print_stacktrace=1";
}
