#include "router/challenge.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/base64.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "router/acme_jws.h"
#include "router/plane.h"
#include "router/tls_cert.h"

/* A day is much more than a validation takes. */
#define CERT_S 86400

static int
add_extension(X509 *x, X509_EXTENSION *ext)
{
	int ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;

	X509_EXTENSION_free(ext);
	return ok;
}

/* acmeIdentifier, critical: the digest of the key authorisation, RFC 8737 section 3. */
static X509_EXTENSION *
identifier(const char *key_auth)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
	ASN1_OCTET_STRING *inner = ASN1_OCTET_STRING_new(), *outer = ASN1_OCTET_STRING_new();
	unsigned char *der = NULL;
	X509_EXTENSION *ext = NULL;
	unsigned len = 0;
	int der_len = 0;

	if (EVP_Digest(key_auth, strlen(key_auth), digest, &len, EVP_sha256(), NULL) == 1 &&
	    ASN1_OCTET_STRING_set(inner, digest, (int)len) == 1 && (der_len = i2d_ASN1_OCTET_STRING(inner, &der)) > 0 &&
	    ASN1_OCTET_STRING_set(outer, der, der_len) == 1)
		ext = X509_EXTENSION_create_by_OBJ(NULL, id, 1, outer);
	OPENSSL_free(der);
	ASN1_OCTET_STRING_free(inner);
	ASN1_OCTET_STRING_free(outer);
	ASN1_OBJECT_free(id);
	return ext;
}

static int
fill(X509 *x, EVP_PKEY *key, const char *domain, const char *key_auth)
{
	X509_NAME *name = X509_get_subject_name(x);
	char *alt = fl_xasprintf("DNS:%s", domain);
	int ok = X509_set_version(x, X509_VERSION_3) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -CERT_S) != NULL && X509_gmtime_adj(X509_getm_notAfter(x), CERT_S) != NULL &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"ACME challenge", -1, -1, 0) == 1 &&
	    X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
	    add_extension(x, X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt)) && add_extension(x, identifier(key_auth)) &&
	    X509_sign(x, key, EVP_sha256()) > 0;

	free(alt);
	return ok;
}

static struct tls_cert *
make_cert(const char *domain, const char *key_auth, struct fl_err *err)
{
	EVP_PKEY *key = jws_key_new();
	char *key_pem = jws_key_pem(key), *data = NULL, *cert_pem = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *x = X509_new();
	struct tls_cert *cert = NULL;
	long len;

	if (fill(x, key, domain, key_auth) && PEM_write_bio_X509(bio, x) == 1) {
		len = BIO_get_mem_data(bio, &data);
		cert_pem = fl_xstrndup(data, (size_t)len);
		cert = tls_cert_parse(cert_pem, key_pem, err);
	} else {
		fl_err_set(err, FL_ERR_INVALID, "no certificate can be made for %.100s", domain);
		ERR_clear_error();
	}
	explicit_bzero(key_pem, strlen(key_pem));
	free(key_pem);
	free(cert_pem);
	X509_free(x);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return cert;
}

struct challenge *
challenge_new(const char *domain, const char *token, const char *key_auth, struct fl_err *err)
{
	struct tls_cert *cert = make_cert(domain, key_auth, err);
	struct challenge *c;

	if (cert == NULL)
		return NULL;
	c = fl_xcalloc(1, sizeof(*c));
	*c = (struct challenge){ fl_xstrdup(domain), fl_xstrdup(token), fl_xstrdup(key_auth), cert };
	return c;
}

void
challenge_free(void *challenge)
{
	struct challenge *c = challenge;

	if (c == NULL)
		return;
	tls_cert_free(c->cert);
	free(c->domain);
	free(c->token);
	free(c->key_auth);
	free(c);
}

static bool
is_of(const struct challenge *c, const char *host, size_t len)
{
	return strncmp(c->domain, host, len) == 0 && c->domain[len] == '\0';
}

const char *
challenge_answer(const struct plane *plane, const char *host, size_t host_len, struct fl_span target)
{
	const struct challenge_set *set = atomic_load(&plane->challenges);
	const size_t prefix = sizeof(CHALLENGE_PATH) - 1;

	if (set == NULL || target.len <= prefix || memcmp(target.p, CHALLENGE_PATH, prefix) != 0)
		return NULL;
	for (size_t i = 0; i < set->n; i++) {
		const struct challenge *c = set->items[i];

		if (is_of(c, host, host_len) && fl_span_eq((struct fl_span){ target.p + prefix, target.len - prefix }, c->token))
			return c->key_auth;
	}
	return NULL;
}

struct tls_cert *
challenge_cert(const struct plane *plane, const char *host, size_t host_len)
{
	const struct challenge_set *set = atomic_load(&plane->challenges);

	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (is_of(set->items[i], host, host_len))
			return set->items[i]->cert;
	return NULL;
}

bool
challenge_is_hello(SSL *ssl)
{
	/* One protocol name in a list, RFC 7301 section 3.1. */
	static const unsigned char only[] = "\x00\x0b\x0a" CHALLENGE_ALPN;
	const unsigned char *p = NULL;
	size_t len = 0;

	return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &p, &len) == 1 &&
	    len == sizeof(only) - 1 && memcmp(p, only, len) == 0;
}

static int
on_alpn(FL_UNUSED SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, FL_UNUSED unsigned in_len,
    FL_UNUSED void *arg)
{
	/* challenge_is_hello() has seen that it is the only one. */
	*out = in + 1;
	*out_len = in[0];
	return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *
challenge_ctx_new(struct plane *plane, struct fl_err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL) {
		fl_err_set(err, FL_ERR_SYSTEM, "set up TLS: %s", ERR_reason_error_string(ERR_peek_last_error()));
		return NULL;
	}
	SSL_CTX_set_app_data(ctx, plane);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	return ctx;
}
