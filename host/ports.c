#include "host/ports.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/job.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

#define N_PORTS 65536

struct ports {
	struct job *tcp[N_PORTS], *udp[N_PORTS];
	int next;	     /* for jobs on the bridge */
	int next_of_machine; /* for those on the machine's network */
};

struct ports *
ports_new(void)
{
	struct ports *p = fl_xcalloc(1, sizeof(*p));

	p->next = PORTS_FIRST;
	p->next_of_machine = PORTS_FIRST_OF_MACHINE;
	return p;
}

void
ports_free(struct ports *p)
{
	free(p);
}

int
ports_next(const struct ports *p)
{
	return p->next;
}

void
ports_set_next(struct ports *p, int next)
{
	p->next = next >= PORTS_FIRST && next <= PORTS_LAST ? next : PORTS_FIRST;
}

static struct job **
ports_of(struct ports *p, const struct fl_job_port *port)
{
	return strcmp(port->proto, "udp") == 0 ? p->udp : p->tcp;
}

/* From *next on, which moves along; 0: all from first on are given away. */
static int
find_free(struct job **owners, int first, int *next)
{
	for (int i = first; i <= PORTS_LAST; i++) {
		int port = *next;

		*next = port < PORTS_LAST ? port + 1 : first;
		if (owners[port] == NULL)
			return port;
	}
	return 0;
}

static int
take_one(struct ports *p, struct job *j, size_t i, struct fl_err *err)
{
	const struct fl_job_port *want = &job_spec(j)->ports[i];
	struct job **owners = ports_of(p, want);
	bool of_machine = job_spec(j)->host_network;
	int first = of_machine ? PORTS_FIRST_OF_MACHINE : PORTS_FIRST, port = want->port;

	if (port == 0)
		port = find_free(owners, first, of_machine ? &p->next_of_machine : &p->next);
	if (port == 0)
		return fl_err_set(err, FL_ERR_CONFLICT, "all ports from %d to %d are taken", first, PORTS_LAST);
	if (owners[port] != NULL && owners[port] != j)
		return fl_err_set(err, FL_ERR_CONFLICT, "%s wants port %d, which %s (job %s) has", job_what(j), port,
		    job_what(owners[port]), job_id(owners[port]));
	owners[port] = j;
	j->active->ports[i] = port;
	return 0;
}

int
ports_take(struct ports *p, struct job *j, struct fl_err *err)
{
	for (size_t i = 0; i < job_spec(j)->n_ports; i++)
		if (j->active->ports[i] == 0 && take_one(p, j, i, err) == -1)
			return -1;
	return 0;
}

void
ports_retake(struct ports *p, struct job *j)
{
	for (size_t i = 0; i < job_spec(j)->n_ports; i++) {
		struct job **owners = ports_of(p, &job_spec(j)->ports[i]);
		int port = j->active->ports[i];

		if (port > 0 && port < N_PORTS && owners[port] == NULL)
			owners[port] = j;
	}
}

void
ports_release(struct ports *p, struct job *j)
{
	for (size_t i = 0; i < job_spec(j)->n_ports; i++) {
		struct job **owners = ports_of(p, &job_spec(j)->ports[i]);
		int port = j->active->ports[i];

		if (port > 0 && port < N_PORTS && owners[port] == j)
			owners[port] = NULL;
	}
}

bool
ports_are_taken(const char *complaint)
{
	return strstr(complaint, "address already in use") != NULL || strstr(complaint, "port is already allocated") != NULL;
}

/* Whether the text has ":<port>" with no further digit. */
static bool
names_port(const char *text, int port)
{
	char want[16];
	size_t len = (size_t)snprintf(want, sizeof(want), ":%d", port);

	for (const char *at = strstr(text, want); at != NULL; at = strstr(at + 1, want))
		if (!isdigit((unsigned char)at[len]))
			return true;
	return false;
}

static int
replace_one(struct ports *p, struct job *j, size_t i, struct fl_err *err)
{
	const struct fl_job_port *want = &job_spec(j)->ports[i];
	struct job **owners = ports_of(p, want);
	int old = j->active->ports[i];

	if (want->port != 0)
		return fl_err_set(err, FL_ERR_CONFLICT,
		    "%s wants port %d, which another program on this machine has: stop that program (ss -ltnp shows it) and start %s again",
		    job_what(j), want->port, job_what(j));
	if (take_one(p, j, i, err) == -1)
		return -1;
	if (owners[old] == j)
		owners[old] = NULL;
	return 0;
}

int
ports_replace(struct ports *p, struct job *j, const char *complaint, struct fl_err *err)
{
	size_t n = job_spec(j)->n_ports, replaced = 0;

	for (size_t i = 0; i < n; i++) {
		if (!names_port(complaint, j->active->ports[i]))
			continue;
		if (replace_one(p, j, i, err) == -1)
			return -1;
		replaced++;
	}
	for (size_t i = 0; i < n && replaced == 0; i++)
		if (job_spec(j)->ports[i].port == 0 && replace_one(p, j, i, err) == -1)
			return -1;
	return 0;
}
