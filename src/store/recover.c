/*
 * Records of packs whose footer is lost. Each ends with what it is under a checksum, so the file is
 * searched for such ends; the id is what the record decodes to. A delta has to wait until its base is
 * found, a list until its chunks are.
 */
#include "store/internal.h"

#include "base/check.h"
#include "base/le.h"

#include <stdlib.h>
#include <xxhash.h>

enum { PIECE = 1 << 20 };

struct record {
	struct pack *pack;
	struct entry e; /* without an id; a delta's depth is not known */
	bool done;
};

struct recovery {
	struct vv_store *store;
	struct pack **packs; /* owned */
	size_t n_packs, cap_packs;
	struct record *records;
	size_t n, cap;
};

struct recovery *recovery_new(struct vv_store *s)
{
	struct recovery *r = calloc(1, sizeof(*r));

	if (r)
		r->store = s;
	return r;
}

void recovery_free(struct recovery *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_packs; i++)
		pack_free(r->packs[i]);
	free(r->packs);
	free(r->records);
	free(r);
}

/* Checks a tail that seems to end here, and notes its record. */
static int try_end(struct recovery *r, struct pack *p, const uint8_t *end, uint64_t end_off, struct vv_err *err)
{
	struct entry e;
	uint8_t *tail;
	bool good;
	int ret;

	if (!end_parse(end, end_off, &e))
		return 0;
	tail = malloc(e.tail);
	ret = tail ? pack_read(r->store, p, end_off - e.tail, tail, e.tail, err) : vv_fail_nomem(err);
	good = !ret && XXH64(tail, e.tail - 8, 0) == vv_get64(tail + e.tail - 8);
	if (good && e.depth) {
		good = e.tail >= RECORD_END + VV_ID_BYTES;
		if (good)
			memcpy(e.base.b, tail + e.tail - RECORD_END - VV_ID_BYTES, VV_ID_BYTES);
	}
	free(tail);
	if (!good)
		return ret;
	if (grow(&r->records, &r->cap, r->n + 1, sizeof(*r->records), err))
		return err->code;
	r->records[r->n++] = (struct record){p, e, false};
	return 0;
}

static int search(struct recovery *r, struct pack *p, struct vv_err *err)
{
	uint8_t *buf = malloc(PIECE + RECORD_END);
	int ret = buf ? 0 : vv_fail_nomem(err);

	for (uint64_t at = 0; at + RECORD_END <= p->size && !ret; at += PIECE) {
		size_t len = (size_t)vv_min64(PIECE + RECORD_END - 1, p->size - at), i = 0;
		ret = pack_read(r->store, p, at, buf, len, err);
		while (!ret && i + RECORD_END <= len) {
			const uint8_t *v = memchr(buf + i, 'v', len - RECORD_END + 1 - i);
			if (!v)
				break;
			i = (size_t)(v - buf) + 1;
			ret = try_end(r, p, v, at + i - 1 + RECORD_END, err);
		}
	}
	free(buf);
	return ret;
}

int recovery_add(struct recovery *r, const char *path, const struct vv_id *name, struct vv_err *err)
{
	struct stat st;
	struct pack *p;

	if (lstat(path, &st) || !S_ISREG(st.st_mode))
		return 0;
	if (grow(&r->packs, &r->cap_packs, r->n_packs + 1, sizeof(struct pack *), err))
		return err->code;
	p = calloc(1, sizeof(*p));
	if (!p || !(p->path = strdup(path))) {
		free(p);
		return vv_fail_nomem(err);
	}
	p->fd = -1;
	p->name = *name;
	p->size = (uint64_t)st.st_size;
	vv_id_hex(name, p->hex);
	r->packs[r->n_packs++] = p;
	return search(r, p, err);
}

/* Finds a record's id, if what it is made of is there. */
static int decode(struct recovery *r, struct record *rec, struct scratch *s, bool *found, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	struct entry e = rec->e;
	struct object *o = NULL;
	int ret;

	/* Any base may do that could have been one. */
	e.depth = e.depth ? MAX_DEPTH : 0;
	ret = object_open_at(&o, r->store, rec->pack, &e, &why);
	if (!ret)
		ret = object_hash(o, s, &rec->e.id, &why);
	*found = !ret;
	if (!ret)
		rec->e.depth = o->base ? (uint8_t)(o->base->e.depth + 1) : 0;
	object_free(o);
	return ret == VV_ENOMEM ? vv_fail_nomem(err) : 0;
}

int recovery_run(struct recovery *r, struct pack_writer *w, struct scratch *s, size_t *found, struct vv_err *err)
{
	size_t now = 1;
	int ret = 0;

	*found = 0;
	while (now && !ret) {
		now = 0;
		for (size_t i = 0; i < r->n && !ret; i++) {
			struct record *rec = &r->records[i];
			bool yes = false;
			if (!rec->done)
				ret = decode(r, rec, s, &yes, err);
			if (ret || !yes)
				continue;
			rec->done = true;
			now++;
			if (!store_has_own(r->store, &rec->e.id, rec->e.depth + 1u))
				ret = writer_record(w, r->store, rec->pack, &rec->e, err);
			if (!ret && w->at >= PACK_TARGET)
				ret = writer_publish(w, err);
		}
		/* Now they can be found as bases and chunks. */
		if (!ret && now)
			ret = writer_publish(w, err);
		*found += now;
	}
	return ret;
}

size_t recovery_left(const struct recovery *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += !r->records[i].done;
	return n;
}
