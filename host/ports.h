/*
 * ports - which of the machine's port numbers are whose.
 *
 * Numbers from 55000 up are given in turn, not the lowest free one first: what still believes in an old owner must
 * not soon meet a new one. Numbers are per protocol, as the kernel's are.
 *
 * A job on the machine's own network listens itself, so nobody can move it on when an outgoing connection of the machine
 * sits on its number: it gets one above those that Linux gives to outgoing connections (ip_local_port_range).
 */
#ifndef HOST_PORTS_H
#define HOST_PORTS_H

#include <stdbool.h>

struct fl_err;
struct job;
struct ports;

#define PORTS_FIRST 55000
#define PORTS_FIRST_OF_MACHINE 61000
#define PORTS_LAST 65535

struct ports *ports_new(void);
void ports_free(struct ports *p);

/* Where the next search begins; kept in the state. */
int ports_next(const struct ports *p);
void ports_set_next(struct ports *p, int next);

/* Choose numbers for all ports of the job that have none yet. CONFLICT: who has the one it asks for, or that none is left. */
int ports_take(struct ports *p, struct job *j, struct fl_err *err);
/* Note numbers that a job which was read back has already. */
void ports_retake(struct ports *p, struct job *j);
void ports_release(struct ports *p, struct job *j);
/*
 * Another number for each of the job's ports that the engine's complaint names, or, if it names none, for each that was
 * chosen by us. -1 with CONFLICT when one that was asked for by number is taken by somebody else on the machine.
 */
int ports_replace(struct ports *p, struct job *j, const char *complaint, struct fl_err *err);
/* Whether an error of the engine's is about a port that is taken. */
bool ports_are_taken(const char *complaint);

#endif
