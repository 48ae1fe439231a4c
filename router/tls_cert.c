#include "router/tls_cert.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/cert.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "router/reclaim.h"

#define CHAIN_MAX 10
#define MAX_FILE ((size_t)64 << 10)

/* OpenSSL's objects of it. */
struct live {
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) *chain;
};

struct tls_cert {
	_Atomic(struct live *) live; /* NULL: to be made of der */
	_Atomic int64_t used_s;	     /* monotonic; when a handshake last wanted it, about */
	unsigned char print[TLS_CERT_PRINT_BYTES];
	size_t n_certs, len;
	unsigned char der[]; /* the leaf, the chain, the private key: each knows where it ends */
};

static void
live_free(void *arg)
{
	struct live *live = arg;

	if (live == NULL)
		return;
	X509_free(live->leaf);
	EVP_PKEY_free(live->key);
	sk_X509_pop_free(live->chain, X509_free);
	free(live);
}

/* ---- from PEM -------------------------------------------------------------------------------- */

/* There is nobody to type a passphrase. */
static int
no_passphrase(FL_UNUSED char *buf, FL_UNUSED int size, FL_UNUSED int rwflag, FL_UNUSED void *arg)
{
	return -1;
}

static int
read_chain(struct live *live, BIO *bio, struct fl_err *err)
{
	X509 *x;

	if ((live->leaf = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "tls_cert is no certificate in PEM");
	live->chain = sk_X509_new_null();
	while ((x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		if (sk_X509_num(live->chain) == CHAIN_MAX || sk_X509_push(live->chain, x) == 0) {
			X509_free(x);
			return fl_err_set(err, FL_ERR_INVALID, "tls_cert has more than %d certificates", CHAIN_MAX + 1);
		}
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return fl_err_set(err, FL_ERR_INVALID, "tls_cert has a broken certificate behind its first");
	return 0;
}

static BIO *
text_bio(const char *text)
{
	size_t len = strlen(text);

	return BIO_new_mem_buf(text, len > INT_MAX ? INT_MAX : (int)len);
}

static struct live *
live_parse(const char *cert_pem, const char *key_pem, struct fl_err *err)
{
	struct live *live = fl_xcalloc(1, sizeof(*live)), *ret = NULL;
	BIO *certs = text_bio(cert_pem), *key = text_bio(key_pem);

	if (read_chain(live, certs, err) == -1)
		goto out;
	if ((live->key = PEM_read_bio_PrivateKey(key, NULL, no_passphrase, NULL)) == NULL) {
		fl_err_set(err, FL_ERR_INVALID, "tls_key is no private key in PEM without passphrase");
		goto out;
	}
	if (X509_check_private_key(live->leaf, live->key) != 1) {
		fl_err_set(err, FL_ERR_INVALID, "tls_key is not the key of tls_cert");
		goto out;
	}
	ret = live;
	live = NULL;
out:
	ERR_clear_error();
	BIO_free(certs);
	BIO_free(key);
	live_free(live);
	return ret;
}

/* ---- to and from the small form -------------------------------------------------------------- */

/* All of it one behind the other; out NULL: how much that is. 0: a key that OpenSSL cannot write. */
static size_t
write_all(const struct live *live, unsigned char *out)
{
	unsigned char **at = out != NULL ? &out : NULL;
	size_t len = (size_t)i2d_X509(live->leaf, at);
	int key_len;

	for (int i = 0; i < sk_X509_num(live->chain); i++)
		len += (size_t)i2d_X509(sk_X509_value(live->chain, i), at);
	key_len = i2d_PrivateKey(live->key, at);
	return key_len > 0 ? len + (size_t)key_len : 0;
}

static struct live *
live_read(const struct tls_cert *cert)
{
	const unsigned char *at = cert->der, *end = at + cert->len;
	struct live *live = fl_xcalloc(1, sizeof(*live));
	X509 *x;

	live->chain = sk_X509_new_null();
	live->leaf = d2i_X509(NULL, &at, end - at);
	for (size_t i = 1; i < cert->n_certs && (x = d2i_X509(NULL, &at, end - at)) != NULL; i++)
		sk_X509_push(live->chain, x);
	live->key = d2i_AutoPrivateKey(NULL, &at, end - at);
	if (live->leaf != NULL && live->key != NULL && (size_t)sk_X509_num(live->chain) == cert->n_certs - 1)
		return live;
	live_free(live);
	ERR_clear_error();
	return NULL;
}

static struct tls_cert *
cert_new(const unsigned char *der, size_t len, size_t n_certs, const unsigned char digest[])
{
	struct tls_cert *cert = fl_xcalloc(1, sizeof(*cert) + len);

	cert->len = len;
	cert->n_certs = n_certs;
	memcpy(cert->der, der, len);
	memcpy(cert->print, digest, sizeof(cert->print));
	return cert;
}

struct tls_cert *
tls_cert_parse(const char *cert_pem, const char *key_pem, struct fl_err *err)
{
	struct live *live = live_parse(cert_pem, key_pem, err);
	unsigned char digest[EVP_MAX_MD_SIZE], *der;
	struct tls_cert *cert = NULL;
	size_t len;

	if (live == NULL)
		return NULL;
	len = write_all(live, NULL);
	der = fl_xmalloc(len + 1);
	if (len == 0 || X509_digest(live->leaf, EVP_sha256(), digest, NULL) != 1)
		fl_err_set(err, FL_ERR_INVALID, "tls_key is of a kind that cannot be kept");
	else if (write_all(live, der) == len)
		cert = cert_new(der, len, 1 + (size_t)sk_X509_num(live->chain), digest);
	explicit_bzero(der, len);
	free(der);
	ERR_clear_error();
	live_free(live);
	return cert;
}

/* ---- the same without a look ----------------------------------------------------------------- */

struct blocks {
	struct fl_buf der;
	size_t n_certs, n_keys, leaf_len;
	bool is_odd; /* there is something that only tls_cert_parse() can read */
};

static void
take_block(struct blocks *b, const char *name, const char *header, const unsigned char *data, size_t len, bool wants_key)
{
	static const char *const keys[] = { "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY" };
	bool is_key = false;

	for (size_t i = 0; i < fl_nitems(keys); i++)
		is_key = is_key || strcmp(name, keys[i]) == 0;
	if (*header != '\0' || strstr(name, "ENCRYPTED") != NULL || strstr(name, "TRUSTED") != NULL) {
		b->is_odd = true;
	} else if (wants_key && is_key && b->n_keys++ == 0) {
		fl_buf_add(&b->der, data, len);
	} else if (!wants_key && strcmp(name, "CERTIFICATE") == 0) {
		if (b->n_certs++ == 0)
			b->leaf_len = len;
		fl_buf_add(&b->der, data, len);
	}
}

static void
take_blocks(struct blocks *b, const char *pem, bool wants_key)
{
	BIO *bio = text_bio(pem);
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long len = 0;

	while (PEM_read_bio(bio, &name, &header, &data, &len) == 1) {
		take_block(b, name, header, data, (size_t)len, wants_key);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(data, (size_t)len);
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		b->is_odd = true;
	ERR_clear_error();
	BIO_free(bio);
}

struct tls_cert *
tls_cert_load(const char *cert_pem, const char *key_pem, struct fl_err *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct tls_cert *cert = NULL;
	struct blocks b = { 0 };

	take_blocks(&b, cert_pem, false);
	take_blocks(&b, key_pem, true);
	if (b.is_odd || b.n_certs == 0 || b.n_keys == 0 || b.n_certs > CHAIN_MAX + 1 ||
	    EVP_Digest(b.der.data, b.leaf_len, digest, NULL, EVP_sha256(), NULL) != 1)
		cert = tls_cert_parse(cert_pem, key_pem, err); /* it knows what is wrong */
	else
		cert = cert_new((const unsigned char *)b.der.data, b.der.len, b.n_certs, digest);
	if (b.der.data != NULL)
		explicit_bzero(b.der.data, b.der.len);
	fl_buf_release(&b.der);
	return cert;
}

void
tls_cert_free(struct tls_cert *cert)
{
	if (cert == NULL)
		return;
	live_free(atomic_load(&cert->live));
	explicit_bzero(cert->der, cert->len);
	free(cert);
}

/* ---- what it says ---------------------------------------------------------------------------- */

static X509 *
leaf_of(const struct tls_cert *cert)
{
	const unsigned char *at = cert->der;

	return d2i_X509(NULL, &at, (long)cert->len);
}

bool
tls_cert_is_for(const struct tls_cert *cert, const char *host)
{
	X509 *leaf = leaf_of(cert);
	bool is_for = leaf != NULL && X509_check_host(leaf, host, 0, 0, NULL) == 1;

	X509_free(leaf);
	return is_for;
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
	X509 *leaf = leaf_of(cert);

	*not_before = leaf != NULL ? seconds_of(X509_get0_notBefore(leaf)) : 0;
	*not_after = leaf != NULL ? seconds_of(X509_get0_notAfter(leaf)) : 0;
	X509_free(leaf);
}

const unsigned char *
tls_cert_print(const struct tls_cert *cert)
{
	return cert->print;
}

/* ---- warm and cold --------------------------------------------------------------------------- */

static int64_t
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

/* OpenSSL's objects, of which another worker may have been first to make some. */
static struct live *
warm_up(struct tls_cert *cert)
{
	struct live *live = live_read(cert), *first = NULL;

	if (live == NULL)
		fl_log_warn("a certificate in etcd cannot be read", fl_str("err", "its DER is broken"));
	if (live == NULL || atomic_compare_exchange_strong(&cert->live, &first, live))
		return live;
	live_free(live);
	return first;
}

int
tls_cert_use(struct tls_cert *cert, SSL *ssl)
{
	struct live *live = atomic_load(&cert->live);
	int64_t now = now_s();

	/* Workers share this line: it is written to seldom. */
	if (atomic_load_explicit(&cert->used_s, memory_order_relaxed) < now - TLS_CERT_WARM_S / 10)
		atomic_store_explicit(&cert->used_s, now, memory_order_relaxed);
	if (live == NULL && (live = warm_up(cert)) == NULL)
		return -1;
	return SSL_use_cert_and_key(ssl, live->leaf, live->key, live->chain, 1) == 1 ? 0 : -1;
}

bool
tls_cert_cool(struct tls_cert *cert, struct reclaim *reclaim)
{
	struct live *live;

	if (!tls_cert_is_warm(cert) || atomic_load_explicit(&cert->used_s, memory_order_relaxed) > now_s() - TLS_CERT_WARM_S)
		return false;
	/* A worker that has looked at it in this turn goes on with it; connections have references of their own. */
	if ((live = atomic_exchange(&cert->live, NULL)) == NULL)
		return false;
	reclaim_retire(reclaim, live, live_free, NULL);
	return true;
}

void
tls_cert_age(struct tls_cert *cert, int seconds)
{
	atomic_fetch_sub(&cert->used_s, seconds);
}

bool
tls_cert_is_warm(const struct tls_cert *cert)
{
	return atomic_load(&cert->live) != NULL;
}

/* ---- the default ----------------------------------------------------------------------------- */

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
