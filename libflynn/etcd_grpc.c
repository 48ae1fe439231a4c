/*
 * etcd_grpc - the full read of a prefix in etcd's own tongue: its JSON gateway takes ten times as long.
 *
 * Of protobuf only what a RangeRequest and its answer need, https://protobuf.dev/programming-guides/encoding/.
 */
#include <stdlib.h>
#include <string.h>

#include "libflynn/err.h"
#include "libflynn/etcd_internal.h"
#include "libflynn/xmalloc.h"

/* Numbers of fields in etcd's rpc.proto and kv.proto. */
enum {
	REQUEST_KEY = 1,
	REQUEST_RANGE_END = 2,
	RESPONSE_HEADER = 1,
	RESPONSE_KV = 2,
	HEADER_REVISION = 3,
	KV_KEY = 1,
	KV_CREATE_REV = 2,
	KV_MOD_REV = 3,
	KV_VALUE = 5,
	KV_LEASE = 6,
};

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

struct reader {
	const unsigned char *p, *end;
	bool bad;
};

struct field {
	unsigned number;
	uint64_t value; /* of a number; else the length of the bytes */
	const unsigned char *bytes;
};

/* A key, found but not yet read. */
struct found {
	int64_t create_rev;
	const unsigned char *at;
	size_t len;
};

struct list {
	struct found *items;
	size_t n, cap;
};

static uint64_t
read_varint(struct reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
		value |= (uint64_t)(*r->p & 0x7f) << shift;
		if ((*r->p++ & 0x80) == 0)
			return value;
	}
	r->bad = true;
	return 0;
}

/* The next field. False: there is none, or it is of no kind that etcd uses here. */
static bool
read_field(struct reader *r, struct field *f)
{
	uint64_t tag;

	if (r->bad || r->p == r->end)
		return false;
	tag = read_varint(r);
	f->number = (unsigned)(tag >> 3);
	f->value = read_varint(r);
	f->bytes = NULL;
	if ((tag & 7) == WIRE_BYTES) {
		r->bad |= f->value > (uint64_t)(r->end - r->p);
		if (r->bad)
			return false;
		f->bytes = r->p;
		r->p += f->value;
	} else if ((tag & 7) != WIRE_VARINT) {
		r->bad = true;
	}
	return !r->bad;
}

static struct reader
reader_of(const unsigned char *data, size_t len)
{
	return (struct reader){ data, data + len, false };
}

/* One number of a message; 0 when it is not there. */
static int64_t
find_number(const unsigned char *data, size_t len, unsigned number)
{
	struct reader r = reader_of(data, len);
	struct field f;

	while (read_field(&r, &f))
		if (f.number == number && f.bytes == NULL)
			return (int64_t)f.value;
	return 0;
}

static void
list_add(struct list *l, const struct field *f)
{
	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? 2 * l->cap : 64;
		l->items = fl_xreallocarray(l->items, l->cap, sizeof(*l->items));
	}
	l->items[l->n++] = (struct found){ find_number(f->bytes, f->value, KV_CREATE_REV), f->bytes, f->value };
}

static int
by_creation(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->create_rev < y->create_rev ? -1 : x->create_rev > y->create_rev;
}

/* key and value hold what kv borrows. */
static bool
read_kv(const struct found *at, struct fl_buf *key, struct fl_buf *value, struct fl_etcd_kv *kv)
{
	struct reader r = reader_of(at->at, at->len);
	struct field f;

	fl_buf_clear(key);
	fl_buf_clear(value);
	*kv = (struct fl_etcd_kv){ .create_rev = at->create_rev };
	while (read_field(&r, &f)) {
		if (f.number == KV_KEY && f.bytes != NULL)
			fl_buf_add(key, f.bytes, f.value);
		else if (f.number == KV_VALUE && f.bytes != NULL)
			fl_buf_add(value, f.bytes, f.value);
		else if (f.number == KV_MOD_REV && f.bytes == NULL)
			kv->mod_rev = (int64_t)f.value;
		else if (f.number == KV_LEASE && f.bytes == NULL)
			kv->lease = (int64_t)f.value;
	}
	kv->key = fl_buf_cstr(key);
	kv->value = fl_buf_cstr(value);
	kv->value_len = value->len;
	return !r.bad;
}

static bool
find_all(const char *data, size_t len, struct list *l, int64_t *rev)
{
	struct reader r = reader_of((const unsigned char *)data, len);
	struct field f;

	while (read_field(&r, &f)) {
		if (f.number == RESPONSE_HEADER && f.bytes != NULL)
			*rev = find_number(f.bytes, f.value, HEADER_REVISION);
		else if (f.number == RESPONSE_KV && f.bytes != NULL)
			list_add(l, &f);
	}
	return !r.bad && *rev > 0;
}

int
etcd_grpc_each(const char *data, size_t len, int64_t *rev, bool (*each)(const struct fl_etcd_kv *kv, void *arg),
    void *arg, struct fl_err *err)
{
	struct fl_buf key = { 0 }, value = { 0 };
	struct list l = { 0 };
	struct fl_etcd_kv kv;
	int ret = 0;

	*rev = 0;
	if (!find_all(data, len, &l, rev))
		ret = fl_err_set(err, FL_ERR_INVALID, "etcd's answer is no RangeResponse");
	else if (l.n > 0)
		qsort(l.items, l.n, sizeof(*l.items), by_creation);
	for (size_t i = 0; ret == 0 && i < l.n; i++) {
		if (!read_kv(&l.items[i], &key, &value, &kv))
			ret = fl_err_set(err, FL_ERR_INVALID, "etcd's answer has a broken key");
		else if (!each(&kv, arg))
			break;
	}
	free(l.items);
	fl_buf_release(&key);
	fl_buf_release(&value);
	return ret;
}

static void
write_bytes(struct fl_buf *b, unsigned number, const char *data, size_t len)
{
	const char tag = (char)(number << 3 | WIRE_BYTES);
	uint64_t left = len;

	fl_buf_add(b, &tag, 1);
	do {
		char byte = (char)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));

		fl_buf_add(b, &byte, 1);
	} while ((left >>= 7) > 0);
	fl_buf_add(b, data, len);
}

/* The range ends before the prefix with its last byte one higher, as in etcd_write_prefix(). */
void
etcd_grpc_range(struct fl_buf *b, const char *prefix)
{
	size_t len = strlen(prefix);
	char *end = fl_xstrdup(prefix);

	if (len == 0) {
		write_bytes(b, REQUEST_KEY, "", 1);
		write_bytes(b, REQUEST_RANGE_END, "", 1);
	} else {
		end[len - 1]++; /* our keys are ASCII */
		write_bytes(b, REQUEST_KEY, prefix, len);
		write_bytes(b, REQUEST_RANGE_END, end, len);
	}
	free(end);
}
