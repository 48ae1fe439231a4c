/*
 * backend - where requests can go: services, their instances, and which of them is next.
 *
 * The control thread makes and retires these objects and swaps a service's set of instances;
 * workers read them without locks. What a worker keeps about an instance is in its own slot there,
 * which other workers only read.
 */
#ifndef ROUTER_BACKEND_H
#define ROUTER_BACKEND_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/list.h"

/* Room for the id of a release. */
#define BACKEND_RELEASE 40

struct fl_err;
struct reclaim;
struct upstream;

LIST_HEAD(upstream_list, upstream);

/* One worker's view of one instance. */
struct backend_slot {
	_Alignas(64) _Atomic uint32_t n_held;	/* connections, idle or not: the backend must stay */
	_Atomic uint32_t n_active;		/* of them with a request under way */
	uint32_t n_idle;
	struct upstream_list idle; /* kept alive, last used first */
};

/* An instance. */
struct backend {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr;
	socklen_t addr_len;
	_Atomic bool is_retired; /* idle connections to it are to be closed */
	_Atomic uint32_t n_failures;	/* in a row, by all workers; 0: it works */
	_Atomic int64_t failed_ms;	/* when the last of them was */
	_Atomic int64_t down_until_ms;	/* not chosen before, unless all others are down, too */
	uint64_t sticky_id; /* what cookies call it; 0: nothing */
	size_t n_slots;
	char name[56]; /* "ip:port" */
	char release[BACKEND_RELEASE]; /* of the app, as its host says; "": not known */
	uint8_t release_len;
	struct backend_slot slots[];
};

/* The instances of a service at one moment; never changed once it is shared. */
struct backend_set {
	size_t n;
	struct backend *leader; /* one of items, or NULL */
	struct backend *items[];
};

struct service_slot {
	_Alignas(64) _Atomic uint32_t n_held; /* exchanges and listeners that hold the service */
};

/* Who speaks first on a service's TCP connections. */
enum service_opener {
	OPENER_UNKNOWN,
	OPENER_CLIENT,
	OPENER_INSTANCE, /* for good, once one ever has */
};

struct service {
	_Atomic(struct backend_set *) set; /* never NULL */
	_Atomic uint32_t n_updates;	   /* times that set has changed */
	_Atomic bool is_known;		   /* discoverd has told its instances once */
	_Atomic bool is_hopeful;	   /* it has none, and one is about to come */
	_Atomic uint32_t n_waiting;	   /* requests that wait for that, of all workers */
	_Atomic uint8_t opener;		   /* enum service_opener, as it was so far */
	char *name;
	const unsigned char *sticky_key; /* of the ids that instances get; NULL: they get none. Borrowed */
	struct reclaim *reclaim;	 /* once it is retired */
	size_t n_slots;
	struct service_slot slots[];
};

/* Control thread. */
struct service *service_new(const char *name, size_t n_workers);
/*
 * No longer reachable by any route. Requests that have found it before keep its instances until they let go of it.
 * If it has some, workers must sweep.
 */
void service_retire(struct service *s, struct reclaim *r);
/*
 * Let addrs ("ip:port") be the instances from now on, and leader, one of them or NULL, the leader; those that stay keep
 * their connections. releases: of each the release it runs, or NULL; may be NULL itself.
 * What is no address is left out with a log line. True: some were taken out (workers must sweep).
 */
bool service_update(struct service *s, const char *const *addrs, const char *const *releases, size_t n, const char *leader,
    struct reclaim *r);

/*
 * Workers: the better of two random instances by requests under way on all workers, leaving out
 * those in tried and, while others are left, those that are down. NULL: none is left. One whose time
 * is up is chosen once, for a trial, and again when that has gone well or a second has passed. is_safe: the
 * request can be sent again if it comes to harm; others give such requests a start at the trial.
 */
struct backend *service_pick(const struct service *s, int64_t now_ms, bool is_safe, uint64_t random,
    const struct backend *const tried[], size_t n_tried);
/* The one that a cookie names, unless it is down or in tried or gone: NULL. */
struct backend *service_find_sticky(const struct service *s, int64_t now_ms, uint64_t sticky_id,
    const struct backend *const tried[], size_t n_tried);
/* The leader, down or not; NULL: there is none, or it is in tried. */
struct backend *service_leader(const struct service *s, const struct backend *const tried[], size_t n_tried);

/* Of this worker's slot only. */
void backend_hold(struct backend *b, size_t worker);
void backend_unhold(struct backend *b, size_t worker);
void backend_begin(struct backend *b, size_t worker);
void backend_end(struct backend *b, size_t worker);
void service_hold(struct service *s, size_t worker);
/* Who has spoken first on a TCP connection to an instance of s. */
void service_note_opener(struct service *s, enum service_opener opener);
void service_unhold(struct service *s, size_t worker);

/*
 * Workers, of all of them: it did not accept, or ended or kept silent where an answer was due, so it is left alone for a
 * while, each time twice as long; and: it answers.
 */
void backend_failed(struct backend *b, int64_t now_ms);
void backend_works(struct backend *b);

#endif
