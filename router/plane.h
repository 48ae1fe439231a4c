/*
 * plane - the data plane: what the control thread and the workers share.
 */
#ifndef ROUTER_PLANE_H
#define ROUTER_PLANE_H

#include <openssl/types.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "router/sticky.h"

struct admission;
struct challenge_set;
struct cidr_list;
struct journal;
struct reclaim;
struct table;
struct ticket_ring;
struct tls_cert;
struct worker;

struct plane {
	struct worker **workers;
	size_t n_workers;
	_Atomic(const struct table *) table; /* never NULL; a worker may look at it for one turn of its loop */
	_Atomic bool is_synced;		     /* the table was made from all of etcd once */
	struct reclaim *reclaim;
	const char *congestion;	 /* congestion.h */
	unsigned seen;		 /* enum seen_use: what is noted of each exchange */
	struct journal *journal; /* NULL: none */
	SSL_CTX *tls;
	_Atomic(const struct ticket_ring *) tickets; /* never NULL while workers run */
	struct tls_cert *default_cert; /* of clients that name no host that has one; NULL: they are refused */
	unsigned char sticky_key[STICKY_KEY_LEN];
	_Atomic unsigned n_waiting; /* requests that wait for an instance to start */
	int start_timeout_ms;	    /* for an instance to start; 0: nobody waits */
	_Atomic(const struct challenge_set *) challenges; /* of ACME servers; NULL: none */
	SSL_CTX *challenge_tls; /* of connections that show one; NULL: no ACME here */
	int https_port;	       /* where clients are sent that must come with TLS */
	int head_timeout_ms;   /* for a client to send a request's head */
	int answer_timeout_ms; /* for an instance to begin its answer */
	int idle_timeout_ms;   /* for another request to begin */
	int body_timeout_ms;   /* for more of a request's body */
	int send_timeout_ms;   /* for a client to take more of what it is sent */
	int min_rate;	       /* bytes a second that a client must send of a body, or take, over such a time; 0: any */
	const struct cidr_list *trusted; /* proxies whose word on where a request came from counts; NULL: not said */
	bool is_proxied; /* connections begin with a PROXY header: those of trusted, or all if that is NULL */
	size_t buffer_bytes; /* that workers should hold for clients and instances, all together */
	struct admission *admission; /* of clients' connections */
	_Atomic size_t n_undrained; /* workers that have been told to drain and still have connections */
	int drained_fd;		    /* eventfd, written when there is none left */
};

#endif
