#include "router/sticky.h"

#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/http_parse.h"
#include "libflynn/xmalloc.h"
#include "router/table.h"

#define NAME "_backend="
#define NAME_LEN (sizeof(NAME) - 1)
#define MAC_LEN 16
/* So many cookies of our name are looked at: those of other paths of the host may come as well. */
#define TRIES_MAX 8

/* The cookie's value, big endian. */
struct value {
	uint64_t ends_s;
	uint64_t instance;
	unsigned char mac[MAC_LEN];
};

#define VALUE_HEX (2 * sizeof(struct value))

static void
hmac(const void *key, size_t key_len, const char *text, unsigned char out[STICKY_KEY_LEN])
{
	unsigned len = 0;

	if (HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), out, &len) == NULL || len != STICKY_KEY_LEN)
		abort(); /* only out of memory */
}

void
sticky_derive_key(unsigned char key[STICKY_KEY_LEN], const char *cluster_key)
{
	hmac(cluster_key, strlen(cluster_key), "flynn-router sticky cookie 1", key);
}

EVP_MAC_CTX *
sticky_mac_new(const unsigned char key[STICKY_KEY_LEN])
{
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "SHA256" }, 0), OSSL_PARAM_construct_end() };
	EVP_MAC *hmac_alg = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *mac = hmac_alg != NULL ? EVP_MAC_CTX_new(hmac_alg) : NULL;

	if (mac == NULL || EVP_MAC_init(mac, key, STICKY_KEY_LEN, params) != 1)
		abort(); /* only out of memory */
	EVP_MAC_free(hmac_alg);
	return mac;
}

uint64_t
sticky_instance_id(const unsigned char key[STICKY_KEY_LEN], const char *addr)
{
	static const char what[] = "instance ";
	/* Of the key that was asked for last: to set it up takes ten times as long as to use it. */
	static EVP_MAC_CTX *mac;
	static unsigned char mac_key[STICKY_KEY_LEN];
	unsigned char digest[EVP_MAX_MD_SIZE];
	size_t len = 0;
	uint64_t id;

	if (mac == NULL || memcmp(mac_key, key, sizeof(mac_key)) != 0) {
		EVP_MAC_CTX_free(mac);
		mac = sticky_mac_new(key);
		memcpy(mac_key, key, sizeof(mac_key));
	}
	if (EVP_MAC_init(mac, NULL, 0, NULL) != 1 || EVP_MAC_update(mac, (const unsigned char *)what, sizeof(what) - 1) != 1 ||
	    EVP_MAC_update(mac, (const unsigned char *)addr, strlen(addr)) != 1 ||
	    EVP_MAC_final(mac, digest, &len, sizeof(digest)) != 1 || len < sizeof(id))
		abort(); /* only out of memory */
	memcpy(&id, digest, sizeof(id));
	return id != 0 ? id : 1;
}

/* Fill in the MAC of a value for that route: host, NUL, path, NUL. */
static void
seal(EVP_MAC_CTX *mac, const char *route, struct value *v)
{
	size_t host_size = strlen(route) + 1, path_size = strlen(route + host_size) + 1, len = 0;
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (EVP_MAC_init(mac, NULL, 0, NULL) != 1 || EVP_MAC_update(mac, (const unsigned char *)route, host_size + path_size) != 1 ||
	    EVP_MAC_update(mac, (const unsigned char *)v, offsetof(struct value, mac)) != 1 ||
	    EVP_MAC_final(mac, digest, &len, sizeof(digest)) != 1 || len < MAC_LEN)
		abort(); /* only out of memory */
	memcpy(v->mac, digest, MAC_LEN);
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
decode(const char *hex, struct value *v)
{
	unsigned char *out = (unsigned char *)v;

	for (size_t i = 0; i < sizeof(*v); i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high == -1 || low == -1)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* Believe a cookie's value if it is ours, for this route, and has not ended. */
static bool
open_value(EVP_MAC_CTX *mac, struct sticky *s, const char *hex, int64_t now_s)
{
	struct value v, want;
	uint64_t now = (uint64_t)now_s, ends;

	if (!decode(hex, &v))
		return false;
	want = v;
	seal(mac, s->route, &want);
	ends = be64toh(v.ends_s);
	if (CRYPTO_memcmp(v.mac, want.mac, MAC_LEN) != 0 || ends <= now)
		return false;
	s->instance = be64toh(v.instance);
	s->is_young = ends - now > STICKY_TTL_S / 2;
	return true;
}

/* Look at the cookies of one header: "a=b; c=d". tries counts those that are left. */
static void
read_cookies(EVP_MAC_CTX *mac, struct sticky *s, struct fl_span list, int64_t now_s, int *tries)
{
	const char *p = list.p, *end = list.p + list.len, *next;

	for (; p < end && *tries > 0 && s->instance == 0; p = next) {
		const char *stop = memchr(p, ';', (size_t)(end - p));

		next = stop != NULL ? stop + 1 : end;
		stop = stop != NULL ? stop : end;
		while (p < stop && (*p == ' ' || *p == '\t'))
			p++;
		while (stop > p && (stop[-1] == ' ' || stop[-1] == '\t'))
			stop--;
		if ((size_t)(stop - p) != NAME_LEN + VALUE_HEX || memcmp(p, NAME, NAME_LEN) != 0)
			continue;
		(*tries)--;
		open_value(mac, s, p + NAME_LEN, now_s);
	}
}

struct sticky *
sticky_read(EVP_MAC_CTX *mac, const struct target *t, const struct fl_http_head *h, bool is_secure, int64_t now_s)
{
	size_t host_size = strlen(t->key) + 1, path_size = (size_t)t->path_len + 1;
	struct sticky *s = fl_xmalloc(sizeof(*s) + host_size + path_size);
	int tries = TRIES_MAX;

	s->instance = 0;
	s->is_young = false;
	s->is_secure = is_secure;
	memcpy(s->route, t->key, host_size);
	memcpy(s->route + host_size, t->path, path_size);
	for (size_t i = 0; i < h->n_headers; i++)
		if (h->headers[i].name.len == sizeof("Cookie") - 1 && fl_span_ieq(h->headers[i].name, "Cookie"))
			read_cookies(mac, s, h->headers[i].value, now_s, &tries);
	return s;
}

/* A route's path as URLs have it. */
static char *
put_path(char *at, const char *path)
{
	static const char digits[] = "0123456789ABCDEF";

	if (*path == '\0')
		*at++ = '/';
	for (; *path != '\0'; path++) {
		unsigned char c = (unsigned char)*path;

		if (c < 0x80) {
			*at++ = *path;
			continue;
		}
		*at++ = '%';
		*at++ = digits[c >> 4];
		*at++ = digits[c & 15];
	}
	return at;
}

static char *
put(char *at, const char *text)
{
	return mempcpy(at, text, strlen(text));
}

size_t
sticky_write(EVP_MAC_CTX *mac, const struct sticky *s, uint64_t instance, int64_t now_s, char out[STICKY_VALUE_MAX])
{
	static const char digits[] = "0123456789abcdef";
	struct value v = { .ends_s = htobe64((uint64_t)now_s + STICKY_TTL_S), .instance = htobe64(instance) };
	unsigned char bytes[sizeof(v)];
	char *at = out;

	if (instance == s->instance && s->is_young)
		return 0;
	seal(mac, s->route, &v);
	memcpy(bytes, &v, sizeof(v));
	at = put(at, NAME);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
	}
	at = put(at, "; Path=");
	at = put_path(at, s->route + strlen(s->route) + 1);
	at = put(at, s->is_secure ? "; HttpOnly; Secure; SameSite=Lax" : "; HttpOnly; SameSite=Lax");
	return (size_t)(at - out);
}
