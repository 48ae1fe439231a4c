/*
 * formation_gob - ExpandedFormation as Go programs of 2014 know it: the same members as in JSON, by other names.
 */
#ifndef CONTROLLER_FORMATION_GOB_H
#define CONTROLLER_FORMATION_GOB_H

#include "controller/gob_write.h"

/* It and what it is made of have the ids from here on. */
#define FORMATION_GOB_FIRST_ID 80

extern const struct gob_type formation_gob;

#endif
