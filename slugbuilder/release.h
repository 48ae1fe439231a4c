/*
 * release - what a buildpack's bin/release says about the app, as the file .release.
 *
 * It is YAML; read are the two maps of strings that this system uses, in block style:
 *
 *	---
 *	config_vars:
 *	  RACK_ENV: production
 *	default_process_types:
 *	  web: "npm start"
 *
 * Anything else in it is skipped.
 */
#ifndef SLUGBUILDER_RELEASE_H
#define SLUGBUILDER_RELEASE_H

#include <stddef.h>

struct fl_map;

#define RELEASE_MAX_BYTES (256u << 10)

/* Name -> value (malloc'd: fl_map_free_with free), added to the maps; either may be NULL. */
void release_parse(const char *text, size_t len, struct fl_map *config_vars, struct fl_map *process_types);

#endif
