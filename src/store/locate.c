/*
 * Finding an id. Pack by pack while packs are few; when that has cost as much as a table of all ids
 * would, the table is made. Newer packs are looked into first: what was written last is asked for most.
 */
#include "store/internal.h"

#include "base/le.h"

#include <stdlib.h>

enum { NONE = 0xffffffff, TABLE_MIN = 4096 };

struct table_slot {
	uint32_t pack, entry; /* pack: NONE when empty */
	uint32_t tag;
};

static size_t home(const struct table *t, const struct vv_id *id)
{
	return (size_t)vv_get64(id->b) & (t->cap - 1);
}

static const uint8_t *id_at(const struct pack *p, size_t i)
{
	return p->index.ptr + i * PACK_ENTRY;
}

void table_drop(struct vv_store *s)
{
	free(s->table.slots);
	s->table = (struct table){0};
	s->searched = 0;
}

static int table_grow(struct vv_store *s, size_t entries)
{
	struct table *t = &s->table;
	size_t cap = TABLE_MIN;

	while (cap < entries * 2)
		cap *= 2;
	free(t->slots);
	t->slots = malloc(cap * sizeof(*t->slots));
	t->cap = t->slots ? cap : 0;
	t->len = 0;
	for (size_t i = 0; i < t->cap; i++)
		t->slots[i].pack = NONE;
	return !t->slots;
}

static void fill_from(struct vv_store *s, size_t pack)
{
	const struct pack *p = s->packs[pack];
	struct table *t = &s->table;

	for (size_t i = 0; i < p->n; i++) {
		struct vv_id id;
		memcpy(id.b, id_at(p, i), VV_ID_BYTES);
		size_t at = home(t, &id);
		while (t->slots[at].pack != NONE)
			at = (at + 1) & (t->cap - 1);
		t->slots[at] = (struct table_slot){(uint32_t)pack, (uint32_t)i, vv_get32(id.b + 8)};
		t->len++;
	}
}

static void table_make(struct vv_store *s)
{
	if (table_grow(s, s->n_entries))
		return; /* no memory: pack by pack works as well */
	for (size_t i = 0; i < s->n_packs; i++)
		fill_from(s, i);
}

void table_add(struct vv_store *s, size_t pack)
{
	if (!s->table.cap)
		return;
	if ((s->table.len + s->packs[pack]->n) * 2 > s->table.cap)
		table_make(s);
	else
		fill_from(s, pack);
}

/* Damaged ones after good ones, the trash last. */
static unsigned rank(const struct pack *p)
{
	return p->trashed ? 3 : p->corrupt ? 2 : p->suspect ? 1 : 0;
}

struct best {
	struct pack *pack;
	size_t at;
	unsigned rank, depth;
};

static void weigh(struct best *b, struct pack *p, size_t at, unsigned below)
{
	unsigned depth = id_at(p, at)[60], r = rank(p);

	if (depth < below && (!b->pack || r < b->rank || (r == b->rank && depth < b->depth)))
		*b = (struct best){p, at, r, depth};
}

static void search_table(const struct vv_store *s, const struct vv_id *id, unsigned below, struct best *b)
{
	const struct table *t = &s->table;
	uint32_t tag = vv_get32(id->b + 8);

	for (size_t at = home(t, id); t->slots[at].pack != NONE; at = (at + 1) & (t->cap - 1)) {
		const struct table_slot *slot = &t->slots[at];
		struct pack *p = s->packs[slot->pack];
		if (slot->tag == tag && !memcmp(id_at(p, slot->entry), id->b, VV_ID_BYTES))
			weigh(b, p, slot->entry, below);
	}
}

static void search_packs(struct vv_store *s, const struct vv_id *id, unsigned below, struct best *b)
{
	size_t at;

	/* A copy that needs no base is better than one that does: the base may be what was lost. */
	for (size_t i = s->n_packs; i-- > 0 && (!b->pack || b->rank || b->depth);) {
		if (pack_find(s->packs[i], id, &at))
			weigh(b, s->packs[i], at, below);
		s->searched++;
	}
	if (s->n_packs >= 4 && s->searched > TABLE_MIN && s->searched > s->n_entries / 4)
		table_make(s);
}

/* Under the lock. */
static struct best search(struct vv_store *s, const struct vv_id *id, unsigned below)
{
	struct best b = {NULL, 0, 0, 0};

	if (s->table.cap)
		search_table(s, id, below, &b);
	else
		search_packs(s, id, below, &b);
	return b;
}

static bool locate_here(struct vv_store *s, const struct vv_id *id, unsigned below, struct pack **pack, struct entry *e)
{
	struct best b;

	pthread_mutex_lock(&s->lock);
	b = search(s, id, below);
	if (b.pack && b.pack->trashed && !s->readonly)
		b.pack->wanted = s->wanted = true;
	pthread_mutex_unlock(&s->lock);
	if (!b.pack)
		return false;
	*pack = b.pack;
	pack_entry(b.pack, b.at, e);
	return true;
}

int store_locate(struct vv_store *s, const struct vv_id *id, unsigned below, struct vv_store **where,
	struct pack **pack, struct entry *e, struct vv_err *err)
{
	char hex[VV_ID_HEX + 1];

	*where = s;
	if (locate_here(s, id, below, pack, e))
		return 0;
	for (size_t i = 0; i < s->n_alternates; i++)
		if (!store_locate(s->alternates[i], id, below, where, pack, e, err))
			return 0;
	return vv_fail(err, VV_ENOTFOUND, "object %s is not in the store", vv_id_hex(id, hex));
}

bool store_has_own(struct vv_store *s, const struct vv_id *id, unsigned below)
{
	struct best b;

	pthread_mutex_lock(&s->lock);
	b = search(s, id, below);
	pthread_mutex_unlock(&s->lock);
	return b.pack && !b.rank;
}

int vv_store_find(struct vv_store *s, const struct vv_id *id, struct vv_object_info *out, struct vv_err *err)
{
	struct vv_store *where;
	struct pack *p;
	struct entry e;
	int ret = store_locate(s, id, ANY_DEPTH, &where, &p, &e, err);

	if (!ret)
		*out = (struct vv_object_info){e.size, e.stored, (enum vv_dtype)e.dtype, e.depth, e.base,
			e.kind == KIND_CHUNKS, where == s};
	store_revive(s);
	return ret;
}

bool vv_store_has(struct vv_store *s, const struct vv_id *id)
{
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_object_info info;

	return !vv_store_find(s, id, &info, &ignore);
}

int vv_store_cost(
	struct vv_store *s, const struct vv_id *id, const struct vv_object_info *info, uint64_t *stored, struct vv_err *err)
{
	struct object *list = NULL;
	int ret = info->chunked ? object_open(&list, s, id, err) : 0;

	*stored += info->stored;
	for (size_t i = 0; list && i < list->n_rows && !ret; i++) {
		struct vv_object_info chunk;
		struct vv_id c;
		uint32_t len;

		object_chunk(list, i, &c, &len);
		ret = vv_store_find(s, &c, &chunk, err);
		*stored += ret ? 0 : chunk.stored;
	}
	object_free(list);
	return ret;
}
