#include "router/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "router/challenge.h"
#include "router/plane.h"
#include "router/table.h"
#include "router/tickets.h"
#include "router/tls_cert.h"

/* The cheapest of the strong first; what else clients need behind it. */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_12                                                                                      \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256:P-384"

/* The one host_name of an SNI extension, RFC 6066 section 3; NULL: there is none, or it is malformed. */
static const unsigned char *
sni_of(SSL *ssl, size_t *len)
{
	const unsigned char *p = NULL;
	size_t n = 0;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1 || n < 5 ||
	    (size_t)(p[0] << 8 | p[1]) != n - 2 || p[2] != TLSEXT_NAMETYPE_host_name ||
	    (size_t)(p[3] << 8 | p[4]) != n - 5)
		return NULL;
	*len = n - 5;
	return p + 5;
}

/* A ticket of another certificate or name is no ticket: it is answered by a full handshake. */
static int
bind_session(SSL *ssl, const struct tls_cert *cert, const char *host, size_t len)
{
	unsigned char id[TLS_CERT_PRINT_BYTES + sizeof(uint64_t)];
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a: the same on all routers */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)host[i]) * UINT64_C(0x100000001b3);
	memcpy(id, tls_cert_print(cert), TLS_CERT_PRINT_BYTES);
	memcpy(id + TLS_CERT_PRINT_BYTES, &h, sizeof(h));
	return SSL_set_session_id_context(ssl, id, sizeof(id));
}

/* An ACME server comes to see the proof: a connection of its own kind, RFC 8737. */
static struct tls_cert *
show_challenge(SSL *ssl, const struct plane *plane, const char *host, size_t len)
{
	struct tls_cert *cert = challenge_cert(plane, host, len);

	if (cert == NULL)
		return NULL;
	SSL_set_options(ssl, SSL_OP_NO_TICKET);
	SSL_set_num_tickets(ssl, 0);
	SSL_set_SSL_CTX(ssl, plane->challenge_tls);
	return cert;
}

/*
 * Called on a worker, within its turn, before anything else is done about the connection. A name that no
 * route with a certificate has ends the handshake, unless there is a default certificate: there is nothing
 * else to prove who we are.
 */
static int
on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct plane *plane = arg;
	char host[TABLE_MAX_KEY + 1];
	struct tls_cert *cert = NULL;
	size_t len = 0;
	const unsigned char *name = sni_of(ssl, &len);

	*alert = SSL_AD_UNRECOGNIZED_NAME;
	len = name != NULL ? table_normalise_host((const char *)name, len, host) : 0;
	if (len > 0 && plane->challenge_tls != NULL && challenge_is_hello(ssl))
		cert = show_challenge(ssl, plane, host, len);
	else if (len > 0)
		cert = table_find_cert(atomic_load(&plane->table), host, len);
	if (cert == NULL && (cert = plane->default_cert) == NULL)
		return SSL_CLIENT_HELLO_ERROR;
	*alert = SSL_AD_INTERNAL_ERROR;
	if (tls_cert_use(cert, ssl) == -1 || !bind_session(ssl, cert, host, len))
		return SSL_CLIENT_HELLO_ERROR;
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* The name was used: say so, RFC 6066 section 3. */
static int
on_server_name(FL_UNUSED SSL *ssl, FL_UNUSED int *alert, FL_UNUSED void *arg)
{
	return SSL_TLSEXT_ERR_OK;
}

static int
on_alpn(FL_UNUSED SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned int in_len, FL_UNUSED void *arg)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";

	if (SSL_select_next_proto((unsigned char **)out, out_len, ours, sizeof(ours) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *
tls_ctx_new(struct plane *plane, int session_s, struct fl_err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		goto fail;
	/* Clients of 2014 end their input by a FIN without close_notify: IGNORE_UNEXPECTED_EOF. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
				     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 || SSL_CTX_set_ciphersuites(ctx, SUITES_13) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, SUITES_12) != 1 || SSL_CTX_set1_groups_list(ctx, GROUPS) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 1) != 1)
		goto fail;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, session_s);
	SSL_CTX_set_app_data(ctx, plane);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tickets_seal_or_open);
	SSL_CTX_set_client_hello_cb(ctx, on_client_hello, plane);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	return ctx;
fail:
	fl_err_set(err, FL_ERR_SYSTEM, "set up TLS: %s", ERR_reason_error_string(ERR_peek_last_error()));
	SSL_CTX_free(ctx);
	return NULL;
}
