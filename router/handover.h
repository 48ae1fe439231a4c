/*
 * handover - what a router and its successor on the same machine say to one another, so that the listening
 * sockets go from one to the other and no connection is lost.
 *
 * They meet at an abstract unix(7) socket, whose name is made of the HTTP port: routers run in containers
 * that share the machine's network but no file system. Anybody on that network can connect, so each proves
 * to the other that it knows the cluster's key. One message is one packet (SOCK_SEQPACKET):
 *
 *	predecessor			successor
 *	HELLO nonce
 *					PROVE nonce, proof
 *	GROUP proof, sockets (for each port)
 *	END proof
 *		(the successor learns the routes and begins to accept; both accept now)
 *					READY
 *	BYE
 *
 * GROUP and END carry the predecessor's proof; the last GROUP is the meeting point itself. An end of the
 * connection before READY leaves all with the predecessor; the successor serves with what it has got.
 */
#ifndef ROUTER_HANDOVER_H
#define ROUTER_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define HANDOVER_NONCE_LEN 32
#define HANDOVER_PROOF_LEN 32
/* The most sockets that one message carries. */
#define HANDOVER_MAX_FDS 64

enum handover_type { HANDOVER_HELLO = 1, HANDOVER_PROVE, HANDOVER_GROUP, HANDOVER_END, HANDOVER_READY, HANDOVER_BYE };

/* Between programs of one machine: its byte order. */
struct handover_message {
	char magic[8];
	uint8_t type; /* enum handover_type */
	uint8_t kind; /* GROUP: enum socket_kind */
	uint16_t port;
	uint32_t n; /* GROUP: of the sockets with this message */
	uint8_t nonce[HANDOVER_NONCE_LEN];
	uint8_t proof[HANDOVER_PROOF_LEN];
};

enum handover_side { HANDOVER_PREDECESSOR, HANDOVER_SUCCESSOR };

/* The meeting point of the routers of that HTTP port: returns the length of the address. */
socklen_t handover_address(int http_port, struct sockaddr_un *addr);

/* A message of that type, all else zero. */
struct handover_message handover_message(enum handover_type type);
/* What proves to the other that side knows key, given the nonces of both. */
void handover_prove(const char *key, enum handover_side side, const uint8_t predecessor_nonce[HANDOVER_NONCE_LEN],
    const uint8_t successor_nonce[HANDOVER_NONCE_LEN], uint8_t proof[HANDOVER_PROOF_LEN]);
/* In constant time. */
bool handover_is_proof(const uint8_t a[HANDOVER_PROOF_LEN], const uint8_t b[HANDOVER_PROOF_LEN]);

/* Send m and n descriptors, which stay the caller's. -1 with errno. */
int handover_send(int fd, const struct handover_message *m, const int *fds, size_t n);
/*
 * Receive m and at most max descriptors, *n of them. 1; 0 at the end of the connection; -1 with errno, EPROTO
 * when it is no message of ours or brings descriptors that were not asked for. fds and n may be NULL if max is 0.
 */
int handover_receive(int fd, struct handover_message *m, int *fds, size_t max, size_t *n);

#endif
