#include "router/tls.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "libflynn/attr.h"
#include "libflynn/cert.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "router/challenge.h"
#include "router/plane.h"
#include "router/table.h"
#include "router/tickets.h"

/* The cheapest of the strong first; what else clients need behind it. */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_12                                                                                      \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256:P-384"

#define CHAIN_MAX 10
#define MAX_FILE ((size_t)64 << 10)

/* Of the certificate's SHA-256; so much of it, with a hash of the host, tells sessions apart. */
#define PRINT_BYTES 16

struct tls_cert {
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) *chain;
	unsigned char print[PRINT_BYTES];
};

/* There is nobody to type a passphrase. */
static int
no_passphrase(FL_UNUSED char *buf, FL_UNUSED int size, FL_UNUSED int rwflag, FL_UNUSED void *arg)
{
	return -1;
}

static int
read_chain(struct tls_cert *c, BIO *bio, struct fl_err *err)
{
	X509 *x;

	if ((c->leaf = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "tls_cert is no certificate in PEM");
	c->chain = sk_X509_new_null();
	while ((x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		if (sk_X509_num(c->chain) == CHAIN_MAX || sk_X509_push(c->chain, x) == 0) {
			X509_free(x);
			return fl_err_set(err, FL_ERR_INVALID, "tls_cert has more than %d certificates", CHAIN_MAX + 1);
		}
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return fl_err_set(err, FL_ERR_INVALID, "tls_cert has a broken certificate behind its first");
	return 0;
}

static void
set_print(struct tls_cert *c)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(c->leaf, EVP_sha256(), digest, &len) != 1)
		abort();
	memcpy(c->print, digest, sizeof(c->print));
}

static BIO *
text_bio(const char *text)
{
	size_t len = strlen(text);

	return BIO_new_mem_buf(text, len > INT_MAX ? INT_MAX : (int)len);
}

struct tls_cert *
tls_cert_parse(const char *cert_pem, const char *key_pem, struct fl_err *err)
{
	struct tls_cert *c = fl_xcalloc(1, sizeof(*c)), *ret = NULL;
	BIO *certs = text_bio(cert_pem), *key = text_bio(key_pem);

	if (read_chain(c, certs, err) == -1)
		goto out;
	if ((c->key = PEM_read_bio_PrivateKey(key, NULL, no_passphrase, NULL)) == NULL) {
		fl_err_set(err, FL_ERR_INVALID, "tls_key is no private key in PEM without passphrase");
		goto out;
	}
	if (X509_check_private_key(c->leaf, c->key) != 1) {
		fl_err_set(err, FL_ERR_INVALID, "tls_key is not the key of tls_cert");
		goto out;
	}
	set_print(c);
	ret = c;
	c = NULL;
out:
	ERR_clear_error();
	BIO_free(certs);
	BIO_free(key);
	tls_cert_free(c);
	return ret;
}

bool
tls_cert_is_for(const struct tls_cert *cert, const char *host)
{
	return X509_check_host(cert->leaf, host, 0, 0, NULL) == 1;
}

static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

void
tls_cert_times(const struct tls_cert *cert, int64_t *not_before, int64_t *not_after)
{
	*not_before = seconds_of(X509_get0_notBefore(cert->leaf));
	*not_after = seconds_of(X509_get0_notAfter(cert->leaf));
}

void
tls_cert_free(struct tls_cert *cert)
{
	if (cert == NULL)
		return;
	X509_free(cert->leaf);
	EVP_PKEY_free(cert->key);
	sk_X509_pop_free(cert->chain, X509_free);
	free(cert);
}

/* A file of at most MAX_FILE bytes; the caller wipes and frees it. */
static char *
read_file(const char *path, struct fl_err *err)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	char *text = NULL;
	size_t n;

	if (f == NULL) {
		fl_err_sys(err, "read the default certificate %s", path);
		return NULL;
	}
	if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		fl_log_warn("the private key of the default certificate is open to others: chmod 600", fl_str("file", path));
	setvbuf(f, NULL, _IONBF, 0); /* no copy of the key stays behind */
	text = fl_xcalloc(1, MAX_FILE + 1);
	n = fread(text, 1, MAX_FILE, f);
	fclose(f);
	if (n < MAX_FILE)
		return text;
	explicit_bzero(text, n);
	free(text);
	fl_err_set(err, FL_ERR_TOO_BIG, "the default certificate %s is larger than %zu KiB", path, MAX_FILE >> 10);
	return NULL;
}

static struct tls_cert *
make_default(struct fl_err *err)
{
	static const char *const hosts[] = { "localhost" };
	char *cert = NULL, *key = NULL, *pin = NULL;
	struct tls_cert *c = NULL;

	if (fl_cert_make(hosts, fl_nitems(hosts), &cert, &key, &pin, err) == -1)
		return NULL;
	c = tls_cert_parse(cert, key, err);
	explicit_bzero(key, strlen(key));
	free(cert);
	free(key);
	free(pin);
	return c;
}

struct tls_cert *
tls_cert_default(const char *from, struct fl_err *err)
{
	char *text;
	struct tls_cert *c;

	if (strcmp(from, "self") == 0)
		return make_default(err);
	text = strncmp(from, "-----BEGIN", 10) == 0 ? fl_xstrdup(from) : read_file(from, err);
	if (text == NULL)
		return NULL;
	/* The readers of PEM pass over what is not theirs. */
	if ((c = tls_cert_parse(text, text, err)) == NULL)
		fl_err_wrap(err, "the default certificate");
	explicit_bzero(text, strlen(text));
	free(text);
	return c;
}

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
	unsigned char id[PRINT_BYTES + sizeof(uint64_t)];
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a: the same on all routers */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)host[i]) * UINT64_C(0x100000001b3);
	memcpy(id, cert->print, PRINT_BYTES);
	memcpy(id + PRINT_BYTES, &h, sizeof(h));
	return SSL_set_session_id_context(ssl, id, sizeof(id));
}

/* An ACME server comes to see the proof: a connection of its own kind, RFC 8737. */
static const struct tls_cert *
show_challenge(SSL *ssl, const struct plane *plane, const char *host, size_t len)
{
	const struct tls_cert *cert = challenge_cert(plane, host, len);

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
	const struct tls_cert *cert = NULL;
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
	if (SSL_use_cert_and_key(ssl, cert->leaf, cert->key, cert->chain, 1) != 1 || !bind_session(ssl, cert, host, len))
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
