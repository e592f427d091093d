/*
 * Copying objects between stores as they are coded, with all they are made of. Whatever is copied is
 * decoded and hashed first: the other store may be wrong about any of it.
 */
#include "store/internal.h"

#include "base/arena.h"

#include <stdlib.h>

enum {
	BATCH = 64 << 20, /* raw bytes that all threads check at once */
	BATCH_OBJECTS = 4096,
	ELSEWHERE = 255,  /* a depth: only an alternate of the target has it */
};

/* One object to copy; what it is made of stands before it. */
struct planned {
	struct object *o;
	unsigned depth; /* in the target: one more than its base there */
};

struct copy {
	struct vv_store *to, *from;
	struct pack_writer writer;
	struct vv_map seen;    /* id → depth in the target */
	struct vv_arena ids;
	struct planned *batch;
	size_t n_batch, cap_batch;
	uint64_t batch_bytes, done, total;
	struct scratch **scratch;
	struct vv_put_stats *stats;
	struct vv_progress *prog;
};

static int verify_job(void *arg, size_t i, unsigned worker, struct vv_err *err)
{
	struct copy *c = arg;

	return object_verify(c->batch[i].o, c->scratch[worker], err);
}

/* A chain that would get too long in the target is coded anew there. */
static int append(struct copy *c, const struct planned *p, struct vv_err *err)
{
	struct entry e = p->o->e;
	struct object_source src;
	uint64_t before = c->writer.at;
	int ret;

	e.depth = (uint8_t)p->depth;
	if (p->depth <= MAX_DEPTH) {
		ret = writer_record(&c->writer, p->o->store, p->o->pack, &e, err);
	} else {
		object_source_init(&src, c->from, &e.id, e.size);
		ret = encode_again(&c->writer, &src.base, &e, NULL, c->scratch[0], err);
	}
	if (!ret && c->stats) {
		c->stats->objects_new++;
		c->stats->raw_new += e.size;
		c->stats->stored += c->writer.at - before;
	}
	return !ret && c->writer.at >= PACK_TARGET ? writer_publish(&c->writer, err) : ret;
}

static int flush(struct copy *c, struct vv_err *err)
{
	int ret = vv_pool_run(c->to->pool, c->n_batch, verify_job, c, err);

	for (size_t i = 0; i < c->n_batch; i++) {
		if (!ret)
			ret = append(c, &c->batch[i], err);
		object_free(c->batch[i].o);
	}
	c->done += c->batch_bytes;
	c->n_batch = 0;
	c->batch_bytes = 0;
	vv_progress(c->prog, "Copying", c->done, c->done > c->total ? 0 : c->total);
	return ret;
}

/* Takes ownership of o. */
static int plan(struct copy *c, struct object *o, unsigned depth, struct vv_err *err)
{
	if (grow(&c->batch, &c->cap_batch, c->n_batch + 1, sizeof(*c->batch), err)) {
		object_free(o);
		return err->code;
	}
	c->batch[c->n_batch++] = (struct planned){o, depth};
	c->batch_bytes += o->e.size;
	return c->batch_bytes >= BATCH || c->n_batch >= BATCH_OBJECTS ? flush(c, err) : 0;
}

/* What an object is wanted for: itself, or as part of another; parts must be in the target itself. */
enum role { WHOLE, BASE, CHUNK };

/* Is it in the target, and does it stay there? */
static int find_there(struct copy *c, const struct vv_id *id, enum role role, bool *found, unsigned *depth, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	struct vv_store *where;
	struct pack *pack;
	struct entry e;
	int ret;

	*found = false;
	if (store_locate(c->to, id, ANY_DEPTH, &where, &pack, &e, &why))
		return 0;
	*depth = where == c->to ? e.depth : ELSEWHERE;
	*found = where != c->to && role == WHOLE;
	if (where != c->to)
		return 0;
	ret = store_keep(c->to, id, err);
	*found = !ret;
	/* Here, but without something that it is made of: copied anew. */
	return ret == VV_ENOTFOUND || ret == VV_ECORRUPT ? 0 : ret;
}

static int copy_one(struct copy *c, const struct vv_id *id, enum role role, unsigned *depth, struct vv_err *err);

static int copy_parts(struct copy *c, const struct object *o, unsigned *depth, struct vv_err *err)
{
	struct vv_id chunk;
	unsigned ignore;
	uint32_t len;
	int ret = 0;

	*depth = 0;
	if (o->base) {
		ret = copy_one(c, &o->base->e.id, BASE, depth, err);
		++*depth;
	}
	for (size_t i = 0; !ret && o->e.kind == KIND_CHUNKS && i < o->n_rows; i++) {
		object_chunk(o, i, &chunk, &len);
		ret = copy_one(c, &chunk, CHUNK, &ignore, err);
	}
	return ret;
}

static int copy_one(struct copy *c, const struct vv_id *id, enum role role, unsigned *depth, struct vv_err *err)
{
	struct vv_id *key = vv_arena_alloc(&c->ids, sizeof(*key));
	struct object *o = NULL;
	uint64_t *seen;
	bool added;
	int ret;

	if (!key)
		return vv_fail_nomem(err);
	*key = *id;
	seen = vv_map_put(&c->seen, vv_span(key->b, VV_ID_BYTES), 0, &added);
	if (!seen)
		return vv_fail_nomem(err);
	*depth = (unsigned)*seen;
	if (!added && !(role != WHOLE && *depth == ELSEWHERE))
		return 0;
	ret = find_there(c, id, role, &added, depth, err);
	if (!ret && !added) {
		ret = object_open(&o, c->from, id, err);
		/* Or lists of lists would not end. */
		if (!ret && role == CHUNK && o->e.kind == KIND_CHUNKS)
			ret = vv_fail(err, VV_ECORRUPT, "a chunk that is itself a list");
		if (!ret)
			ret = copy_parts(c, o, depth, err);
		if (ret)
			object_free(o);
		else
			ret = plan(c, o, *depth, err);
		if (*depth > MAX_DEPTH)
			*depth = 0;
	}
	seen = vv_map_find(&c->seen, vv_span(key->b, VV_ID_BYTES));
	if (seen)
		*seen = *depth;
	return ret;
}

static int copy_all(struct copy *c, const struct vv_id *ids, size_t n, struct vv_err *err)
{
	struct vv_err none = VV_ERR_INIT;
	struct vv_object_info info;
	unsigned depth;
	int ret = 0;

	for (size_t i = 0; i < n; i++)
		if (!vv_store_find(c->from, &ids[i], &info, &none))
			c->total += info.size;
	for (size_t i = 0; i < n && !ret; i++)
		ret = copy_one(c, &ids[i], WHOLE, &depth, err);
	if (!ret)
		ret = flush(c, err);
	return ret ? ret : writer_publish(&c->writer, err);
}

static int try_copy(struct vv_store *to, struct vv_store *from, const struct vv_id *ids, size_t n,
	struct vv_put_stats *stats, struct vv_progress *prog, struct vv_err *err)
{
	struct copy c = {.to = to, .from = from, .stats = stats, .prog = prog};
	unsigned threads = vv_pool_threads(to->pool);
	int ret = 0;

	writer_init(&c.writer, to);
	c.scratch = scratch_take_all(to, threads, err);
	if (!c.scratch)
		ret = VV_ENOMEM;
	if (!ret)
		ret = vv_store_refresh(to, err);
	if (!ret)
		ret = copy_all(&c, ids, n, err);
	for (size_t i = 0; i < c.n_batch; i++)
		object_free(c.batch[i].o);
	scratch_give_all(to, c.scratch, threads);
	writer_release(&c.writer);
	vv_map_release(&c.seen);
	vv_arena_release(&c.ids);
	free(c.batch);
	return ret;
}

int vv_store_copy(struct vv_store *to, struct vv_store *from, const struct vv_id *ids, size_t n,
	struct vv_put_stats *stats, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_lock lock = VV_LOCK_INIT;
	unsigned before;
	int ret, tries = 0;

	if (to->readonly)
		return vv_fail(err, VV_ENOTSUP, "%s: opened for reading only", to->dir);
	if (stats)
		*stats = (struct vv_put_stats){0};
	ret = store_lock(to, &lock, VV_LOCK_SHARED, err);
	if (ret)
		return ret;
	/* The other store may merge packs away under our eyes; what was copied stays copied. */
	do {
		before = store_losses(from);
		ret = try_copy(to, from, ids, n, stats, prog, err);
	} while (ret && tries++ < 3 && store_losses(from) != before);
	if (!ret)
		ret = store_settle(to, err);
	vv_unlock(&lock);
	store_revive(from);
	if (!ret && !to->mirror)
		store_merge_small(to);
	return ret;
}
