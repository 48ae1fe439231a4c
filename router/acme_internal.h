/*
 * acme_internal - what acme.c, which decides when, shares with acme_task.c, which gets a domain its certificate.
 */
#ifndef ROUTER_ACME_INTERNAL_H
#define ROUTER_ACME_INTERNAL_H

#include <stddef.h>

#include "router/acme.h"

struct acme_order;
struct acme_status;
struct event;
struct fl_map;

/* Orders an hour: for one domain, and by this router. */
#define DOMAIN_ORDERS 5
#define ALL_ORDERS 100

/* A domain of routes with auto_tls. */
struct task {
	struct acme *acme;
	char *domain;
	char *route_id; /* that the certificate is stored with; NULL: there is none any more */
	int64_t rev;	/* of it */
	bool is_seen;	/* in this look at all routes */
	struct acme_facts facts; /* but for state and next_s */
	struct acme_order *order;
	char *cert_pem, *key_pem; /* got, and to be stored */
	struct event *store_again;
	int n_stores;
	bool is_storing; /* etcd's answer is awaited: the task must stay */
	int64_t times[DOMAIN_ORDERS]; /* of the last orders */
};

struct acme {
	struct acme_config cfg;
	struct fl_etcd *etcd;
	struct sync *sync;
	struct fl_etcd_mirror *mirror;
	struct lead *lead;
	struct acme_client *client; /* NULL until the account's key is known */
	char *account_key;	    /* its name in etcd */
	struct fl_map *tasks, *statuses, *challenges; /* by domain */
	struct event *timer;
	bool is_synced, is_leader, is_stopping;
	bool has_key, is_making_key; /* in etcd */
	size_t n_running;
	int64_t times[ALL_ORDERS];
	uint64_t n_done, n_failed;
};

/* acme.c */
/* The wall's clock, in seconds since 1970. */
int64_t acme_now_s(void);
/* Free a string, or NULL, of which nothing stays in memory. */
void acme_wipe_free(char *secret);
/* How the domain stands, borrowed until it changes; NULL: nothing is known. */
struct acme_status *acme_status_of(const struct acme *a, const char *domain);
/* Ours from now on, and everybody's soon. */
void acme_set_status(struct acme *a, const char *domain, const struct acme_status *status);
/* Set the timer for what is due next. */
void acme_schedule(struct acme *a);

/* acme_task.c */
/* The domain's, made when there is none. */
struct task *acme_task_of(struct acme *a, const char *domain);
/* Nothing of it may be under way. Takes a void pointer, as maps want it. */
void acme_task_free(void *arg);
/* The certificate that it has is one of ours: note of what time it is. */
void acme_task_look(struct task *t, const char *cert_pem, const char *key_pem);
/* When the next order is due; INT64_MAX: there is nothing to do. */
int64_t acme_task_due(const struct task *t);
/* Order a certificate, and store it with its route; how that ends is in the domain's status. */
void acme_task_begin(struct task *t);
/* Give up what is under way for it. */
void acme_task_settle(struct task *t);

#endif
