#include "router/handover.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The last letter is the version of what is said. */
#define MAGIC "flynnho1"

static_assert(sizeof(MAGIC) - 1 == sizeof(((struct handover_message *)NULL)->magic), "the magic fills its field");

socklen_t
handover_address(int http_port, struct sockaddr_un *addr)
{
	int n;

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* Abstract: the name begins with a null byte, and ends with the address. */
	n = snprintf(addr->sun_path + 1, sizeof(addr->sun_path) - 1, "flynn-router/%d", http_port);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

struct handover_message
handover_message(enum handover_type type)
{
	struct handover_message m = { .type = (uint8_t)type };

	memcpy(m.magic, MAGIC, sizeof(m.magic));
	return m;
}

void
handover_prove(const char *key, enum handover_side side, const uint8_t predecessor_nonce[HANDOVER_NONCE_LEN],
    const uint8_t successor_nonce[HANDOVER_NONCE_LEN], uint8_t proof[HANDOVER_PROOF_LEN])
{
	/* The side is in it, so that neither can send back what it was sent. */
	const char *label = side == HANDOVER_PREDECESSOR ? "flynn-router predecessor" : "flynn-router successor";
	uint8_t text[64 + 2 * HANDOVER_NONCE_LEN] = { 0 };
	unsigned len = HANDOVER_PROOF_LEN;

	snprintf((char *)text, 64, "%s", label);
	memcpy(text + 64, predecessor_nonce, HANDOVER_NONCE_LEN);
	memcpy(text + 64 + HANDOVER_NONCE_LEN, successor_nonce, HANDOVER_NONCE_LEN);
	if (HMAC(EVP_sha256(), key, (int)strlen(key), text, sizeof(text), proof, &len) == NULL)
		assert(!"SHA-256 is always there");
}

bool
handover_is_proof(const uint8_t a[HANDOVER_PROOF_LEN], const uint8_t b[HANDOVER_PROOF_LEN])
{
	return CRYPTO_memcmp(a, b, HANDOVER_PROOF_LEN) == 0;
}

int
handover_send(int fd, const struct handover_message *m, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(HANDOVER_MAX_FDS * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { (void *)m, sizeof(*m) };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	assert(n <= HANDOVER_MAX_FDS);
	if (n > 0) {
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	return sent == sizeof(*m) ? 0 : -1;
}

/* The descriptors of a message that was received: how many. More than max are closed, and make it -1. */
static int
take_fds(struct msghdr *msg, int *fds, size_t max)
{
	size_t n = 0;
	bool is_bad = false;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		size_t has = c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

		for (size_t i = 0; i < has; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < max) {
				fds[n++] = fd;
			} else {
				close(fd);
				is_bad = true;
			}
		}
	}
	if (!is_bad)
		return (int)n;
	while (n > 0)
		close(fds[--n]);
	return -1;
}

int
handover_receive(int fd, struct handover_message *m, int *fds, size_t max, size_t *n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(HANDOVER_MAX_FDS * sizeof(int))];
	} control;
	struct iovec part = { m, sizeof(*m) };
	/* Without room for descriptors the kernel drops them, and says so. */
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = max > 0 ? control.bytes : NULL,
		.msg_controllen = max > 0 ? sizeof(control.bytes) : 0 };
	ssize_t len;
	int got;

	assert(max <= HANDOVER_MAX_FDS);
	do
		len = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (len == -1 && errno == EINTR);
	if (len <= 0)
		return (int)len;
	got = take_fds(&msg, fds, max);
	if (n != NULL)
		*n = got > 0 ? (size_t)got : 0;
	if (got >= 0 && len == sizeof(*m) && (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
	    memcmp(m->magic, MAGIC, sizeof(m->magic)) == 0)
		return 1;
	while (got > 0)
		close(fds[--got]);
	if (n != NULL)
		*n = 0;
	errno = EPROTO;
	return -1;
}
