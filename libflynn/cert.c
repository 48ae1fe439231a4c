/*
 * cert - see cert.h.
 */
#include "libflynn/cert.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/tls_pin.h"
#include "libflynn/xmalloc.h"

enum {
	SERIAL_BITS = 127, /* RFC 5280 4.1.2.2: positive, at most 20 octets */
	BACKDATE_S = 24 * 3600, /* for clients whose clock is behind */
	YEARS = 10,
	CN_MAX = 64, /* ub-common-name */
};

/* The reason OpenSSL gives, as an error of ours. */
static int
openssl_err(struct fl_err *err, const char *doing)
{
	char why[160];

	ERR_error_string_n(ERR_get_error(), why, sizeof(why));
	ERR_clear_error();
	return fl_err_set(err, FL_ERR_SYSTEM, "%s: %s", doing, why);
}

/* The text in a memory BIO. */
static char *
text_of(BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	return fl_xstrndup(data, (size_t)len);
}

static bool
is_dns_name(const char *host)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	const char *name = strncmp(host, "*.", 2) == 0 ? host + 2 : host;

	return *name != '\0' && strlen(host) <= 253 && name[strspn(name, chars)] == '\0';
}

static bool
is_ip(const char *host)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, host, &addr) == 1 || inet_pton(AF_INET6, host, &addr) == 1;
}

/* "DNS:a,IP:1.2.3.4", the form of x509v3_config(5); the names are free of its separators. */
static int
alt_names(const char *const *hosts, size_t n_hosts, struct fl_buf *out, struct fl_err *err)
{
	if (n_hosts == 0)
		return fl_err_set(err, FL_ERR_INVALID, "a certificate needs a name");
	for (size_t i = 0; i < n_hosts; i++) {
		bool ip = is_ip(hosts[i]);

		if (!ip && !is_dns_name(hosts[i]))
			return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is no name for a certificate", hosts[i]);
		fl_buf_addf(out, "%s%s:%s", i > 0 ? "," : "", ip ? "IP" : "DNS", hosts[i]);
	}
	return 0;
}

static int
add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext = NULL;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	if ((ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value)) == NULL)
		return 0;
	ok = X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static int
set_serial(X509 *cert)
{
	BIGNUM *n = BN_new();
	int ok = n != NULL && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
	    BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;

	BN_free(n);
	return ok;
}

/* The common name is a courtesy to people: what clients look at is the alternative names. */
static int
set_names(X509 *cert, const char *first_host)
{
	X509_NAME *name = X509_get_subject_name(cert);
	int len = (int)strnlen(first_host, CN_MAX);

	return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)first_host, len, -1, 0) &&
	    X509_set_issuer_name(cert, name);
}

static int
fill(X509 *cert, EVP_PKEY *key, const char *first_host, const char *names)
{
	return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATE_S) != NULL &&
	    X509_time_adj_ex(X509_getm_notAfter(cert), YEARS * 365, 0, NULL) != NULL &&
	    X509_set_pubkey(cert, key) && set_names(cert, first_host) &&
	    add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(cert, NID_key_usage, "critical,digitalSignature,keyEncipherment") &&
	    add_extension(cert, NID_ext_key_usage, "serverAuth") &&
	    add_extension(cert, NID_subject_key_identifier, "hash") &&
	    add_extension(cert, NID_subject_alt_name, names) &&
	    X509_sign(cert, key, EVP_sha256()) > 0;
}

int
fl_cert_make(const char *const *hosts, size_t n_hosts, char **cert_pem, char **key_pem,
    char **pin, struct fl_err *err)
{
	struct fl_buf names = { 0 };
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	BIO *cert_out = NULL, *key_out = NULL;
	int rc = -1;

	if (alt_names(hosts, n_hosts, &names, err) == -1)
		goto out;
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	cert_out = BIO_new(BIO_s_mem());
	key_out = BIO_new(BIO_s_mem());
	if (key == NULL || cert == NULL || cert_out == NULL || key_out == NULL ||
	    !fill(cert, key, hosts[0], fl_buf_cstr(&names)) ||
	    !PEM_write_bio_X509(cert_out, cert) ||
	    !PEM_write_bio_PrivateKey(key_out, key, NULL, NULL, 0, NULL, NULL)) {
		openssl_err(err, "make a certificate");
		goto out;
	}
	*cert_pem = text_of(cert_out);
	*key_pem = text_of(key_out);
	*pin = fl_tls_pin_of(cert);
	rc = 0;
out:
	BIO_free(key_out);
	BIO_free(cert_out);
	X509_free(cert);
	EVP_PKEY_free(key);
	fl_buf_release(&names);
	return rc;
}

char *
fl_cert_ssh_key(const char *type, struct fl_err *err)
{
	EVP_PKEY *key = NULL;
	BIO *out = NULL;
	char *pem = NULL;

	if (strcmp(type, "rsa") == 0) {
		key = EVP_RSA_gen(2048);
	} else if (strcmp(type, "ecdsa") == 0) {
		key = EVP_EC_gen("P-256");
	} else {
		fl_err_set(err, FL_ERR_INVALID, "\"%s\" is neither \"rsa\" nor \"ecdsa\"", type);
		return NULL;
	}
	out = BIO_new(BIO_s_mem());
	if (key == NULL || out == NULL || !PEM_write_bio_PrivateKey_traditional(out, key, NULL, NULL, 0, NULL, NULL))
		openssl_err(err, "make an SSH key");
	else
		pem = text_of(out);
	BIO_free(out);
	EVP_PKEY_free(key);
	return pem;
}
