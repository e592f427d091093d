/*
 * Putting objects: a pipeline of rounds. In each round all threads together append what the last
 * round encoded, hash the next window of the file (whole, and object by object), cut long runs of
 * bytes into chunks, choose bases, and encode blocks. Between rounds one thread decides what is new.
 */
#include "store/internal.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>
#include <stdlib.h>
#include <xxhash.h>

enum { READ = 1 << 20, SPANS_AT_ONCE = 8, PLANS_AT_ONCE = 4096 };

/* An item while its id is found. */
struct hashing {
	struct vv_put_item *io;
	struct vv_sha256 sha;
	uint64_t *sums, one_sum; /* XXH64 by block */
	size_t n_blocks, next;
	unsigned dead;
	bool open, same_as_file;
};

/* Blocks [from, to) of an item, to hash. */
struct piece {
	struct hashing *h;
	size_t from, to;
};

/* A long run of bytes while it is cut. */
struct cutting {
	struct cutting *next;
	struct target *list; /* KIND_CHUNKS */
	uint64_t at;
	size_t cap;
};
struct span {
	struct cutting *c;
	uint64_t off;
	size_t len, n;
	uint8_t *rows;  /* CHUNK_ROW each */
	uint64_t *sums;
};

struct put {
	struct vv_store *store; /* NULL: only hash */
	const struct vv_source *src;
	struct hashing *items; /* by offset */
	size_t n_items, next_item;
	struct vv_sha256 file_sha;
	bool want_file;
	uint64_t file_from, file_to; /* this round's part of the file */
	struct vv_id file_id;
	struct vv_map seen;          /* ids met in this put → 1 */
	struct vv_arena ids;
	struct cutting *cuts;
	struct target *live;         /* every target that was not appended yet */
	struct target *plan, **plan_end, *encode, **encode_end;
	struct target **planned;
	size_t n_planned, cap_planned;
	struct coded *now, *before;
	size_t n_now, n_before, cap_now, cap_before;
	struct span spans[SPANS_AT_ONCE];
	size_t n_spans;
	struct piece *pieces;
	size_t n_pieces, cap_pieces;
	struct pack_writer writer;
	struct pack **fresh;         /* packs made by this put, not in the store's list yet */
	size_t n_fresh;
	struct scratch **scratch;    /* by worker */
	struct vv_put_stats *stats;
};

/* --- jobs --- */

static int job_hash(struct put *p, struct piece *piece, struct scratch *s, struct vv_err *err)
{
	struct hashing *h = piece->h;
	enum vv_dtype dt = h->io->dtype;
	size_t block = vv_block_bytes(dt);
	int ret = 0;

	if (h->n_blocks > 1 && !h->open && !h->same_as_file) {
		ret = vv_sha256_init(&h->sha, err);
		h->open = !ret;
	}
	for (size_t k = piece->from; k < piece->to && !ret; k++) {
		uint64_t off = (uint64_t)k * block;
		size_t len = (size_t)vv_min64(block, h->io->len - off);
		ret = vv_source_read(p->src, h->io->off + off, s->raw, len, err);
		if (ret)
			break;
		if (h->open)
			vv_sha256_update(&h->sha, vv_span(s->raw, len));
		else if (!h->same_as_file)
			vv_sha256(vv_span(s->raw, len), &h->io->id);
		h->sums[k] = XXH64(s->raw, len, 0);
		if (dt != VV_DT_BYTES && h->dead) {
			unsigned dead = vv_block_dead_bits(dt, vv_span(s->raw, len));
			h->dead = dead < h->dead ? dead : h->dead;
		}
	}
	if (!ret && piece->to == h->n_blocks && h->open)
		vv_sha256_final(&h->sha, &h->io->id);
	else if (!ret && !h->n_blocks && !h->same_as_file)
		vv_sha256(vv_span(NULL, 0), &h->io->id);
	return ret;
}

static int job_file(struct put *p, struct scratch *s, struct vv_err *err)
{
	if (!p->want_file)
		return 0;
	for (uint64_t at = p->file_from; at < p->file_to;) {
		size_t len = (size_t)vv_min64(READ, p->file_to - at);
		if (vv_source_read(p->src, at, s->raw, len, err))
			return err->code;
		vv_sha256_update(&p->file_sha, vv_span(s->raw, len));
		at += len;
	}
	return 0;
}

/* Cuts one span: the chunks' ids, lengths and sums. The bytes must still be those that were hashed. */
static int job_span(struct put *p, struct span *span, struct vv_err *err)
{
	struct target *list = span->c->list;
	uint8_t *buf = malloc(span->len);
	size_t cap = span->len / CHUNK_MIN + 2;
	int ret = 0;

	span->rows = malloc(cap * CHUNK_ROW);
	span->sums = malloc(cap * sizeof(*span->sums));
	if (!buf || !span->rows || !span->sums)
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_source_read(p->src, list->src_off + span->off, buf, span->len, err);
	for (size_t at = 0; at < span->len && !ret; at += CHUNK_MAX) {
		size_t len = span->len - at < CHUNK_MAX ? span->len - at : CHUNK_MAX;
		if (XXH64(buf + at, len, 0) != list->sums[(span->off + at) / CHUNK_MAX])
			ret = vv_fail(err, VV_ECHANGED, "the file changed while it was read (offset %" PRIu64 ")",
				list->src_off + span->off + at);
	}
	for (size_t at = 0; at < span->len && !ret;) {
		size_t len = chunk_cut(buf + at, span->len - at);
		struct vv_id id;
		vv_sha256(vv_span(buf + at, len), &id);
		memcpy(span->rows + span->n * CHUNK_ROW, id.b, 32);
		vv_put32(span->rows + span->n * CHUNK_ROW + 32, (uint32_t)len);
		span->sums[span->n++] = XXH64(buf + at, len, 0);
		at += len;
	}
	free(buf);
	return ret;
}

static int job_append(struct put *p, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < p->n_before && !ret; i++) {
		struct coded *c = &p->before[i];
		bool done;
		ret = target_append(&p->writer, c, &done, err);
		free(c->bytes);
		c->bytes = NULL;
		if (ret || !done)
			continue;
		if (p->stats)
			p->stats->stored += c->target->e.stored;
		target_free(c->target);
		c->target = NULL;
		if (p->writer.at >= PACK_TARGET) {
			struct pack *made = NULL;
			ret = writer_finish(&p->writer, &made, err);
			if (made)
				p->fresh[p->n_fresh++] = made;
		}
	}
	return ret;
}

/* The jobs of a round, in the order they are begun: the sequential ones first. */
static int run_job(void *arg, size_t job, unsigned worker, struct vv_err *err)
{
	struct put *p = arg;
	struct scratch *s = p->scratch[worker];

	if (job == 0)
		return job_append(p, err);
	if (job == 1)
		return job_file(p, s, err);
	job -= 2;
	if (job < p->n_pieces)
		return job_hash(p, &p->pieces[job], s, err);
	job -= p->n_pieces;
	if (job < p->n_spans)
		return job_span(p, &p->spans[job], err);
	job -= p->n_spans;
	if (job < p->n_now)
		return target_encode(&p->now[job], s, err);
	return target_plan(p->store, p->planned[job - p->n_now], s, err);
}

/* --- between rounds --- */

static void push(struct target ***end, struct target *t)
{
	t->next = NULL;
	**end = t;
	*end = &t->next;
}

static bool in_alternates(struct vv_store *s, const struct vv_id *id)
{
	struct vv_err none = VV_ERR_INIT;
	struct vv_store *where;
	struct pack *pack;
	struct entry e;

	for (size_t i = 0; i < s->n_alternates; i++)
		if (!store_locate(s->alternates[i], id, ANY_DEPTH, &where, &pack, &e, &none))
			return true;
	return false;
}

/*
 * Is this id there already, or on its way in this put? A stored one is kept from gc, with all it is
 * made of; one that lacks some of that is put again. Chunks must be here: no manifest names them, so
 * an alternate may drop them.
 */
static int is_known(struct put *p, const struct vv_id *id, bool chunk, bool *yes, struct vv_err *err)
{
	struct vv_id *key = vv_arena_alloc(&p->ids, sizeof(*key));
	bool added;
	int ret;

	if (key)
		*key = *id;
	if (!key || !vv_map_put(&p->seen, vv_span(key->b, VV_ID_BYTES), 1, &added))
		return vv_fail_nomem(err);
	*yes = !added;
	if (!added)
		return 0;
	ret = store_keep(p->store, id, err);
	*yes = !ret;
	if (ret != VV_ENOTFOUND && ret != VV_ECORRUPT)
		return ret;
	vv_err_clear(err);
	*yes = !chunk && in_alternates(p->store, id);
	return 0;
}

static void free_sums(struct hashing *h)
{
	if (h->sums != &h->one_sum)
		free(h->sums);
	h->sums = NULL;
}

static void take_sums(struct target *t, struct hashing *h)
{
	if (h->n_blocks <= 1) {
		t->one_sum = h->one_sum;
		return;
	}
	free(t->sums);
	t->sums = h->sums;
	h->sums = NULL;
}

static int item_known(struct put *p, struct hashing *h, struct vv_err *err)
{
	struct vv_put_item *io = h->io;
	struct target *t;
	bool known = true;
	int ret = 0;

	vv_sha256_release(&h->sha);
	if (p->stats) {
		p->stats->objects++;
		p->stats->raw += io->len;
	}
	if (!p->store || (ret = is_known(p, &io->id, false, &known, err)) || known)
		goto out;
	io->is_new = true;
	if (p->stats) {
		p->stats->objects_new++;
		p->stats->raw_new += io->len;
	}
	t = target_new(&p->live, p->src, io->off, io->len, io->dtype, &io->id);
	if (!t)
		return vv_fail_nomem(err);
	t->item = io;
	take_sums(t, h);
	t->dead = h->dead;
	t->has_base = io->has_base;
	t->base_id = io->base;
	if (io->dtype == VV_DT_BYTES && io->len > CHUNK_MAX) {
		struct cutting *c = calloc(1, sizeof(*c)), **end = &p->cuts;
		if (!c) {
			target_free(t);
			return vv_fail_nomem(err);
		}
		t->e.kind = KIND_CHUNKS;
		t->n_rows = 0;
		c->list = t;
		while (*end)
			end = &(*end)->next;
		*end = c;
	} else {
		push(&p->plan_end, t);
	}
out:
	free_sums(h);
	return ret;
}

/* Takes a cut span's chunks: rows for the list, targets for what is new. */
static int span_done(struct put *p, struct span *span, struct vv_err *err)
{
	struct target *list = span->c->list;
	uint64_t off = list->src_off + span->off;
	int ret = grow(&list->rows, &span->c->cap, (list->n_rows + span->n) * CHUNK_ROW, 1, err);

	for (size_t i = 0; i < span->n && !ret; i++) {
		const uint8_t *row = span->rows + i * CHUNK_ROW;
		uint32_t len = vv_get32(row + 32);
		struct vv_id id;
		struct target *t;
		bool known;

		memcpy(id.b, row, 32);
		ret = is_known(p, &id, true, &known, err);
		if (!ret && !known) {
			t = target_new(&p->live, p->src, off, len, VV_DT_BYTES, &id);
			if (!t) {
				ret = vv_fail_nomem(err);
				break;
			}
			t->sums[0] = span->sums[i];
			t->item = list->item;
			push(&p->encode_end, t);
		}
		memcpy(list->rows + list->n_rows++ * CHUNK_ROW, row, CHUNK_ROW);
		off += len;
	}
	free(span->rows);
	free(span->sums);
	span->rows = NULL;
	span->sums = NULL;
	return ret;
}

static void choose_spans(struct put *p)
{
	p->n_spans = 0;
	for (struct cutting *c = p->cuts; c && p->n_spans < SPANS_AT_ONCE; c = c->next)
		while (c->at < c->list->e.size && p->n_spans < SPANS_AT_ONCE) {
			size_t len = (size_t)vv_min64(CHUNK_SPAN, c->list->e.size - c->at);
			p->spans[p->n_spans++] = (struct span){.c = c, .off = c->at, .len = len};
			c->at += len;
		}
}

static int choose_pieces(struct put *p, struct vv_err *err)
{
	uint64_t raw = 0;
	int ret = 0;

	p->n_pieces = 0;
	p->file_from = p->file_to;
	while (p->next_item < p->n_items && raw < WINDOW && !ret) {
		struct hashing *h = &p->items[p->next_item];
		size_t block = vv_block_bytes(h->io->dtype), from = h->next;

		if (!h->sums)
			h->sums = h->n_blocks <= 1 ? &h->one_sum : malloc(h->n_blocks * sizeof(*h->sums));
		if (!h->sums)
			return vv_fail_nomem(err);
		while (h->next < h->n_blocks && raw < WINDOW) {
			raw += vv_min64(block, h->io->len - (uint64_t)h->next * block);
			h->next++;
		}
		ret = grow(&p->pieces, &p->cap_pieces, p->n_pieces + 1, sizeof(*p->pieces), err);
		if (!ret)
			p->pieces[p->n_pieces++] = (struct piece){h, from, h->next};
		uint64_t to = h->io->off + vv_min64(h->io->len, (uint64_t)h->next * block);
		if (to > p->file_to)
			p->file_to = to;
		p->next_item += h->next == h->n_blocks;
	}
	/* What lies behind the last item. */
	if (p->want_file && p->next_item == p->n_items && raw < WINDOW)
		p->file_to = vv_min64(p->src->size, p->file_to + (WINDOW - raw));
	return ret;
}

static int choose_blocks(struct put *p, struct vv_err *err)
{
	struct coded *c = p->before;
	size_t cap = p->cap_before, raw = 0;

	/* What was encoded is appended now; its array is used again. */
	p->before = p->now;
	p->cap_before = p->cap_now;
	p->n_before = p->n_now;
	p->now = c;
	p->cap_now = cap;
	p->n_now = 0;
	while (p->encode && raw < WINDOW) {
		struct target *t = p->encode;
		size_t n = t->e.kind == KIND_CHUNKS || !t->n_rows ? 1 : t->n_rows;

		if (grow(&p->now, &p->cap_now, p->n_now + 1, sizeof(*p->now), err))
			return err->code;
		p->now[p->n_now++] = (struct coded){t, t->given++, 0, NULL};
		raw += (size_t)vv_min64(t->e.size, vv_block_bytes((enum vv_dtype)t->e.dtype));
		if (t->given == n && !(p->encode = t->next))
			p->encode_end = &p->encode;
	}
	return 0;
}

static int choose_plans(struct put *p, struct vv_err *err)
{
	p->n_planned = 0;
	while (p->plan && p->n_planned < PLANS_AT_ONCE) {
		if (grow(&p->planned, &p->cap_planned, p->n_planned + 1, sizeof(*p->planned), err))
			return err->code;
		p->planned[p->n_planned++] = p->plan;
		p->plan = p->plan->next;
	}
	if (!p->plan)
		p->plan_end = &p->plan;
	return 0;
}

/* Draws the conclusions of a round. */
static int settle(struct put *p, struct vv_err *err)
{
	int ret = 0;

	while (p->n_fresh && !ret)
		ret = store_add_pack(p->store, p->fresh[--p->n_fresh], err);
	if (p->want_file && p->file_to == p->src->size && p->next_item == p->n_items && p->file_sha.ctx) {
		vv_sha256_final(&p->file_sha, &p->file_id);
		vv_sha256_release(&p->file_sha);
	}
	for (size_t i = 0; i < p->n_pieces && !ret; i++)
		if (p->pieces[i].to == p->pieces[i].h->n_blocks) {
			if (p->pieces[i].h->same_as_file)
				p->pieces[i].h->io->id = p->file_id;
			ret = item_known(p, p->pieces[i].h, err);
		}
	for (size_t i = 0; i < p->n_spans; i++)
		if (!ret)
			ret = span_done(p, &p->spans[i], err);
	for (size_t i = 0; i < p->n_planned && !ret; i++) {
		push(&p->encode_end, p->planned[i]);
		/* Nobody but this put may know that the base is needed. */
		if (p->planned[i]->base)
			ret = store_keep(p->store, &p->planned[i]->base->e.id, err);
	}
	p->n_planned = 0;
	while (!ret && p->cuts && p->cuts->at == p->cuts->list->e.size) {
		struct cutting *c = p->cuts;
		p->cuts = c->next;
		push(&p->encode_end, c->list);
		free(c);
	}
	return ret;
}

static bool has_work(const struct put *p)
{
	return p->next_item < p->n_items || (p->want_file && p->file_sha.ctx) || p->cuts || p->plan || p->encode ||
		p->n_now;
}

static int run(struct put *p, struct vv_pool *pool, struct vv_progress *prog, struct vv_err *err)
{
	int ret = 0;

	while (!ret && has_work(p)) {
		ret = choose_pieces(p, err);
		choose_spans(p);
		if (!ret)
			ret = choose_blocks(p, err);
		if (!ret)
			ret = choose_plans(p, err);
		if (!ret)
			ret = vv_pool_run(pool, 2 + p->n_pieces + p->n_spans + p->n_now + p->n_planned, run_job, p, err);
		if (!ret)
			ret = settle(p, err);
		vv_progress(prog, p->store ? "Storing" : "Reading", p->file_to, p->src->size);
	}
	return ret;
}

/* --- the call --- */

static int by_offset(const void *a, const void *b)
{
	const struct hashing *x = a, *y = b;

	if (x->io->off != y->io->off)
		return x->io->off < y->io->off ? -1 : 1;
	return x->io->len < y->io->len ? -1 : x->io->len > y->io->len;
}

static void put_release(struct put *p, unsigned threads)
{
	writer_release(&p->writer);
	for (size_t i = 0; p->items && i < p->n_items; i++) {
		vv_sha256_release(&p->items[i].sha);
		free_sums(&p->items[i]);
	}
	for (struct cutting *c = p->cuts, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	while (p->live)
		target_free(p->live);
	for (size_t i = 0; i < p->n_now; i++)
		free(p->now[i].bytes);
	for (size_t i = 0; i < p->n_before; i++)
		free(p->before[i].bytes);
	for (size_t i = 0; i < p->n_fresh; i++)
		pack_free(p->fresh[i]);
	for (size_t i = 0; i < p->n_spans; i++) {
		free(p->spans[i].rows);
		free(p->spans[i].sums);
	}
	scratch_give_all(p->store, p->scratch, threads);
	vv_sha256_release(&p->file_sha);
	vv_map_release(&p->seen);
	vv_arena_release(&p->ids);
	free(p->items);
	free(p->pieces);
	free(p->now);
	free(p->before);
	free(p->planned);
	free(p->fresh);
}

static int put_init(struct put *p, struct vv_put_item *items, size_t n, unsigned threads, struct vv_err *err)
{
	p->items = calloc(n ? n : 1, sizeof(*p->items));
	p->scratch = scratch_take_all(p->store, threads, err);
	p->fresh = calloc(WINDOW / PACK_TARGET + 8, sizeof(struct pack *));
	p->plan_end = &p->plan;
	p->encode_end = &p->encode;
	if (!p->items || !p->scratch || !p->fresh)
		return vv_fail_nomem(err);
	p->n_items = n;
	for (size_t i = 0; i < n; i++) {
		struct vv_put_item *io = &items[i];
		io->is_new = false;
		io->stored = 0;
		if (io->off > p->src->size || io->len > p->src->size - io->off)
			return vv_fail(err, VV_EFORMAT, "bytes at offset %" PRIu64 " lie past the end", io->off);
		if (io->len > MAX_48)
			return vv_fail(err, VV_ELIMIT, "more than 2^48 bytes in one object");
		p->items[i] = (struct hashing){.io = io, .dead = 255,
			.n_blocks = (size_t)vv_div_up(io->len, vv_block_bytes(io->dtype))};
		p->items[i].same_as_file = p->want_file && io->len == p->src->size && io->dtype == VV_DT_BYTES && n == 1;
	}
	qsort(p->items, n, sizeof(*p->items), by_offset);
	return p->want_file ? vv_sha256_init(&p->file_sha, err) : 0;
}

static int put_all(struct vv_store *s, struct vv_pool *pool, const struct vv_source *src, struct vv_put_item *items,
	size_t n, struct vv_id *file_id, struct vv_put_stats *stats, struct vv_progress *prog, struct vv_err *err)
{
	struct put p = {.store = s, .src = src, .want_file = file_id != NULL, .stats = stats};
	unsigned threads = vv_pool_threads(pool);
	int ret;

	writer_init(&p.writer, s);
	ret = put_init(&p, items, n, threads, err);
	if (!ret)
		ret = run(&p, pool, prog, err);
	if (!ret && s)
		ret = writer_publish(&p.writer, err);
	if (!ret && file_id)
		*file_id = p.file_id;
	put_release(&p, threads);
	return ret;
}

int vv_store_put(struct vv_store *s, const struct vv_source *src, struct vv_put_item *items, size_t n,
	struct vv_id *file_id, struct vv_put_stats *stats, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_lock lock = VV_LOCK_INIT;
	int ret;

	if (s->readonly)
		return vv_fail(err, VV_ENOTSUP, "%s: opened for reading only", s->dir);
	if (stats)
		*stats = (struct vv_put_stats){0};
	ret = store_lock(s, &lock, VV_LOCK_SHARED, err);
	if (!ret)
		ret = vv_store_refresh(s, err);
	if (!ret)
		ret = put_all(s, s->pool, src, items, n, file_id, stats, prog, err);
	if (!ret)
		ret = store_settle(s, err);
	vv_unlock(&lock);
	if (!ret)
		store_merge_small(s);
	return ret;
}

int vv_store_hash(struct vv_pool *pool, const struct vv_source *src, struct vv_put_item *items, size_t n,
	struct vv_id *file_id, struct vv_progress *prog, struct vv_err *err)
{
	return put_all(NULL, pool, src, items, n, file_id, NULL, prog, err);
}
