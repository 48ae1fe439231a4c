/*
 * attr - compiler attributes and the few macros that every file wants.
 */
#ifndef FL_ATTR_H
#define FL_ATTR_H

#define FL_UNUSED __attribute__((unused))
#define FL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define FL_NORETURN __attribute__((noreturn))

#define fl_nitems(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that holds member at ptr. */
#define fl_container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* The suite's version, as -version prints it. */
#ifdef FLYNN_VERSION /* the Makefile's */
#define FL_VERSION FLYNN_VERSION
#else
#define FL_VERSION "unreleased"
#endif

#endif
