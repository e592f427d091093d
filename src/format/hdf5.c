/* HDF5: the superblock, the walk over groups, what is reported, and datasets with other elements. */
#include "format/hdf5.h"
#include "format/inplace.h"
#include "format/formats.h"
#include "format/keras_config.h"
#include "format/zip.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Of names, paths included: a file can make them as long as it likes. */
enum { MAX_NAMES = 128 << 20 };
static const char magic[] = "\x89HDF\r\n\x1a\n";
enum { MAGIC = 8 };

static bool is_magic(const uint8_t *p)
{
	return !memcmp(p, magic, MAGIC);
}

/* A user block of 512 bytes, or twice that and so on, may come first; in an archive it is a member. */
static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	if (head.len >= MAGIC && is_magic(head.ptr))
		return VV_PROBE_YES;
	for (size_t at = 512; at + MAGIC <= head.len && !vv_zip_probe(head); at *= 2)
		if (is_magic(head.ptr + at))
			return VV_PROBE_MAYBE;
	return VV_PROBE_NO;
}

/* --- the superblock --- */

static int find_superblock(const struct vv_source *src, uint64_t off, uint64_t len, uint64_t *at, struct vv_err *err)
{
	uint8_t b[MAGIC];

	for (*at = 0; *at <= len && len - *at >= MAGIC; *at = *at ? *at * 2 : 512) {
		int ret = vv_source_read(src, off + *at, b, sizeof(b), err);
		if (ret || is_magic(b))
			return ret;
		if (*at > UINT64_MAX / 2)
			break;
	}
	return vv_fail(err, VV_EFORMAT, "no superblock");
}

static bool good_width(unsigned n)
{
	return n == 2 || n == 4 || n == 8;
}

/* *end: where the file ends, from the source's start as it was when the file was written. */
static int superblock_fields(struct vv_hdf5 *h, unsigned version, struct vv_cursor *c, uint64_t *root, uint64_t *base,
	uint64_t *end)
{
	uint64_t skipped;
	uint8_t o, l;

	if (version < 2) {
		if (vv_hdf5_skip(c, 4) || vv_take8(c, &o) || vv_take8(c, &l) || vv_hdf5_skip(c, version ? 13 : 9))
			return 1;
	} else if (vv_take8(c, &o) || vv_take8(c, &l) || vv_hdf5_skip(c, 1)) {
		return 1;
	}
	if (!good_width(o) || !good_width(l))
		return 1;
	h->off_width = o;
	h->len_width = l;
	if (vv_hdf5_addr(h, c, base) || vv_hdf5_addr(h, c, &skipped) || vv_hdf5_addr(h, c, end))
		return 1;
	/* Old ones have a driver's block, and a symbol for the root. */
	return (version < 2 && (vv_hdf5_addr(h, c, &skipped) || vv_hdf5_addr(h, c, &skipped))) || vv_hdf5_addr(h, c, root);
}

/* Addresses count from where the superblock is, whatever it says: a file may have been put behind others. */
static int superblock(struct vv_hdf5 *h, uint64_t *root, struct vv_err *err)
{
	uint8_t b[8 + 16 + 6 * 8 + 24] = {0};
	size_t n = (size_t)vv_min64(sizeof(b), h->len), len;
	struct vv_cursor c = vv_cursor(vv_span(b, n));
	uint64_t base = 0, end = 0;
	uint8_t version = 0;
	int ret = vv_hdf5_peek(h, 0, b, n, err);

	if (ret)
		return ret;
	if (vv_hdf5_skip(&c, MAGIC) || vv_take8(&c, &version) || version > 3 ||
		superblock_fields(h, version, &c, root, &base, &end))
		return vv_fail(err, VV_EFORMAT, "superblock of version %u, or broken", version);
	len = c.off + (version < 2 ? 0 : 4);
	if (version >= 2)
		ret = len > n ? vv_fail(err, VV_EFORMAT, "short superblock") : vv_hdf5_check(vv_span(b, len), 0, "superblock", err);
	if (!ret && (end < base || end - base > h->len))
		ret = vv_fail(err, VV_EFORMAT, "%" PRIu64 " bytes, of which %" PRIu64 " are there", end - base, h->len);
	return ret ? ret : vv_hdf5_claim(h, 0, len, false, err);
}

/* --- the walk --- */

struct name {
	const char *s;
	struct name *next;
};

struct dataset {
	struct vv_hdf5_object o;
	uint64_t addr; /* of its header */
	struct name *names;
	size_t n_names;
};

/* A link that is to be followed. */
struct link {
	uint64_t addr;
	const char *path;
};

struct walk {
	struct vv_hdf5 h;
	struct vv_layout_build *build; /* NULL: nothing is reported */
	struct vv_map objects;         /* address → index in sets, plus 1; 0: no dataset */
	struct dataset *sets;
	size_t n_sets, cap_sets;
	struct link *links;            /* in the order in which they are come upon */
	size_t n_links, cap_links;
	const char *group;             /* path of the group that is read */
	uint64_t group_addr;
	uint64_t name_bytes;
};

/* The items with room for one more of `size` bytes, moved perhaps; NULL when memory is gone. */
static void *grow(void *items, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *p = items;

	if (n == *cap && (p = realloc(items, more * size)))
		*cap = more;
	return p;
}

static int join(struct walk *w, struct vv_span name, char **out, struct vv_err *err)
{
	size_t n = strlen(w->group);
	char *p;

	if (!name.len || memchr(name.ptr, 0, name.len) || memchr(name.ptr, '/', name.len))
		return vv_fail(err, VV_EFORMAT, "a link without a name, or with an odd one, in group '%s'", w->group);
	if (n + 1 + name.len > VV_MAX_NAME)
		return vv_fail(err, VV_ELIMIT, "a name of more than %d bytes", VV_MAX_NAME);
	w->name_bytes += n + 2 + name.len;
	if (w->name_bytes > MAX_NAMES)
		return vv_fail(err, VV_ELIMIT, "more than %d bytes of names", MAX_NAMES);
	p = *out = vv_arena_alloc(w->h.arena, n + 2 + name.len);
	if (!p)
		return vv_fail_nomem(err);
	if (n) {
		memcpy(p, w->group, n);
		p[n++] = '/';
	}
	memcpy(p + n, name.ptr, name.len);
	return 0;
}

static int on_link(void *ctx, const struct vv_hdf5_link *l, struct vv_err *err)
{
	struct walk *w = ctx;
	char *path;
	int ret;

	if (l->kind == VV_HDF5_SOFT || l->kind == VV_HDF5_USER)
		return 0;
	ret = join(w, l->name, &path, err);
	if (ret)
		return ret;
	if (l->kind == VV_HDF5_OUTSIDE) {
		if (w->build)
			vv_layout_finding(w->build, "external-path", w->group_addr, "'%s' is in another file, '%.*s'", path,
				(int)vv_min64(l->target.len, 200), (const char *)l->target.ptr);
		return 0;
	}
	struct link *links = grow(w->links, w->n_links, &w->cap_links, sizeof(*links));
	if (!links)
		return vv_fail_nomem(err);
	w->links = links;
	w->links[w->n_links++] = (struct link){l->addr, path};
	return 0;
}

static int on_body(void *ctx, struct vv_span body, struct vv_err *err)
{
	struct walk *w = ctx;
	struct vv_hdf5_link link;

	if (vv_hdf5_link_parse(&w->h, body, &link))
		return vv_fail(err, VV_EFORMAT, "a broken link in group '%s'", w->group);
	return on_link(w, &link, err);
}

static int add_name(struct walk *w, struct dataset *d, const char *path, struct vv_err *err)
{
	struct name *n = vv_arena_alloc(w->h.arena, sizeof(*n));

	if (!n)
		return vv_fail_nomem(err);
	*n = (struct name){path, d->names};
	d->names = n;
	d->n_names++;
	return 0;
}

/* An object that was not come upon before. */
static int enter(struct walk *w, const struct link *l, uint64_t *index, struct vv_err *err)
{
	struct vv_hdf5_object o;
	int ret;

	w->group = l->path;
	w->group_addr = w->h.at + vv_min64(l->addr, w->h.len);
	ret = vv_hdf5_object(&w->h, l->addr, &o, on_body, w, err);
	if (!ret && o.tree != VV_HDF5_NONE)
		ret = vv_hdf5_symbols(&w->h, o.tree, o.heap, on_link, w, err);
	if (!ret && o.links != VV_HDF5_NONE)
		ret = vv_hdf5_dense(&w->h, o.links, o.index, on_link, w, err);
	if (ret || o.is_group || !o.has_space || !o.has_type || !o.has_layout)
		return ret;
	struct dataset *sets = grow(w->sets, w->n_sets, &w->cap_sets, sizeof(*sets));
	if (!sets)
		return vv_fail_nomem(err);
	w->sets = sets;
	w->sets[w->n_sets++] = (struct dataset){.o = o, .addr = l->addr};
	*index = w->n_sets;
	return 0;
}

/* Of several paths to one group the first is taken; of those to one dataset each. */
static int follow(struct walk *w, const struct link *l, struct vv_err *err)
{
	uint8_t *key = vv_arena_alloc(w->h.arena, 8);
	uint64_t *at, index = 0;
	bool added;
	int ret = 0;

	if (!key)
		return vv_fail_nomem(err);
	vv_put64(key, l->addr);
	at = vv_map_put(&w->objects, vv_span(key, 8), 0, &added);
	if (!at)
		return vv_fail_nomem(err);
	if (added) {
		ret = enter(w, l, &index, err);
		*at = index;
	}
	return ret || !*at ? ret : add_name(w, &w->sets[*at - 1], l->path, err);
}

int vv_hdf5_open(struct vv_hdf5 *h, const struct vv_source *src, uint64_t off, uint64_t len, struct vv_arena *arena,
	uint64_t *root, struct vv_err *err)
{
	uint64_t at;
	int ret = find_superblock(src, off, len, &at, err);

	if (ret)
		return ret;
	vv_hdf5_init(h, src, off + at, len - at, arena);
	return superblock(h, root, err);
}

static int walk(struct walk *w, const struct vv_source *src, uint64_t off, uint64_t len, struct vv_arena *arena,
	struct vv_err *err)
{
	struct link root = {0, ""};
	int ret = vv_hdf5_open(&w->h, src, off, len, arena, &root.addr, err);

	if (!ret)
		ret = follow(w, &root, err);
	for (size_t i = 0; i < w->n_links && !ret; i++) {
		struct link l = w->links[i];
		ret = follow(w, &l, err);
	}
	return ret;
}

static void walk_release(struct walk *w)
{
	vv_hdf5_release(&w->h);
	vv_map_release(&w->objects);
	free(w->sets);
	free(w->links);
}

/* --- the report --- */

static const struct {
	const char *code, *says;
} whys[VV_HDF5_WHY_COUNT] = {
	[VV_HDF5_BIG_ENDIAN] = {"big-endian", "have numbers in big-endian order"},
	[VV_HDF5_TYPE] = {"unknown-dtype", "have elements that are no numbers of a known type"},
	[VV_HDF5_DIMS] = {"limit", "have too many dimensions"},
	[VV_HDF5_CHUNKED] = {"chunked", "are in chunks, through filters or in an order that is not read"},
	[VV_HDF5_LAYOUT] = {"unread", "are laid out or described in a way that is not read"},
	[VV_HDF5_EXTERNAL] = {"external-path", "have their elements in other files, which are not opened"},
};

/* Not in the order of their hashes, which new groups have. */
static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct vv_view *)a)->name, ((const struct vv_view *)b)->name);
}

/* The dataset's names, each with `suffix` behind it, as views that share a shape. Owned by the arena. */
static int views_of(struct walk *w, const struct dataset *d, const uint64_t *shape, const char *suffix,
	struct vv_view **out, struct vv_err *err)
{
	struct vv_view *views = vv_arena_array(w->h.arena, d->n_names, sizeof(*views));
	size_t i = 0;

	if (!views)
		return vv_fail_nomem(err);
	for (const struct name *n = d->names; n; n = n->next) {
		size_t len = strlen(n->s), more = strlen(suffix);
		char *s = more ? vv_arena_alloc(w->h.arena, len + more + 1) : NULL;

		if (more && !s)
			return vv_fail_nomem(err);
		if (more) {
			memcpy(s, n->s, len);
			memcpy(s + len, suffix, more);
			w->name_bytes += len + more + 1;
		}
		if (len + more > VV_MAX_NAME || w->name_bytes > MAX_NAMES)
			return vv_fail(err, VV_ELIMIT, "names too long, of the chunks of dataset '%s'", n->s);
		views[i++] = (struct vv_view){more ? s : n->s, d->o.ndim, shape, NULL, 0};
	}
	qsort(views, i, sizeof(*views), by_name);
	*out = views;
	return 0;
}

static int shape_of(struct walk *w, const uint64_t *from, unsigned ndim, uint64_t **out, struct vv_err *err)
{
	*out = vv_arena_array(w->h.arena, VV_MAX_DIMS, sizeof(**out));
	if (!*out)
		return vv_fail_nomem(err);
	memcpy(*out, from, ndim * sizeof(**out));
	return 0;
}

/* --- chunks --- */

struct chunked {
	struct walk *w;
	const struct dataset *d;
	uint64_t *shape; /* of a chunk */
	uint64_t bytes;
};

/* "[0,128]": where it begins. Nothing for one that is the whole dataset. */
static void suffix_of(char *out, size_t room, const struct vv_hdf5_object *o, const struct vv_hdf5_chunk *chunk)
{
	size_t n = 0;

	*out = 0;
	if (!memcmp(o->chunk, o->shape, o->ndim * sizeof(*o->shape)))
		return;
	for (unsigned i = 0; i < o->ndim; i++)
		n += (size_t)snprintf(out + n, room - n, "%c%" PRIu64, i ? ',' : '[', chunk->at[i]);
	snprintf(out + n, room - n, "]");
}

/* At an edge a chunk is as large as any. Its size is known to be one. */
static uint64_t padding_of(const struct vv_hdf5_object *o, const struct vv_hdf5_chunk *chunk)
{
	uint64_t all = 1, real = 1;

	for (unsigned i = 0; i < o->ndim; i++) {
		all *= o->chunk[i];
		real *= vv_min64(o->chunk[i], o->shape[i] - chunk->at[i]);
	}
	return all - real;
}

static int report_chunk(void *ctx, const struct vv_hdf5_chunk *chunk, struct vv_err *err)
{
	const struct chunked *x = ctx;
	const struct vv_hdf5_object *o = &x->d->o;
	struct vv_segment s = {.off = x->w->h.at + chunk->addr, .len = chunk->len, .dtype = o->dtype, .n_views = x->d->n_names};
	char suffix[VV_MAX_DIMS * 21 + 2];
	struct vv_view *views;
	int ret = vv_hdf5_claim(&x->w->h, chunk->addr, chunk->len, true, err);

	for (unsigned i = 0; i < o->n_filters; i++)
		if (!(chunk->mask >> i & 1))
			s.coding |= o->filters[i];
	if (!ret && !s.coding && chunk->len != x->bytes)
		ret = vv_fail(err, VV_EFORMAT, "a chunk of %" PRIu64 " bytes, address %" PRIu64, chunk->len, chunk->addr);
	if (ret)
		return ret;
	suffix_of(suffix, sizeof(suffix), o, chunk);
	ret = views_of(x->w, x->d, x->shape, suffix, &views, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < s.n_views; i++)
		views[i].padding = padding_of(o, chunk);
	s.views = views;
	return s.coding ? vv_layout_packed(x->w->build, &s, err)
			: vv_layout_tensor(x->w->build, s.off, s.len, s.dtype, views, s.n_views, err);
}

static int report_chunks(struct walk *w, const struct dataset *d, struct vv_err *err)
{
	struct chunked x = {.w = w, .d = d};
	uint64_t numel;
	int ret = shape_of(w, d->o.chunk, d->o.ndim, &x.shape, err);

	if (!ret && vv_dtype_bytes(d->o.dtype, x.shape, d->o.ndim, &numel, &x.bytes))
		ret = vv_fail(err, VV_EFORMAT, "chunks of any size");
	if (!ret)
		ret = vv_hdf5_chunks(&w->h, &d->o, report_chunk, &x, err);
	return ret ? vv_err_in(err, "dataset '%s'", d->names->s) : 0;
}

static int report(struct walk *w, const struct dataset *d, struct vv_err *err)
{
	const struct vv_hdf5_object *o = &d->o;
	const char *path = d->names->s;
	uint64_t numel, bytes, *shape;
	struct vv_view *views;
	int ret;

	if (o->null || o->addr == VV_HDF5_NONE)
		return 0;
	if (o->n_chunk)
		return report_chunks(w, d, err);
	if (vv_dtype_bytes(o->dtype, o->shape, o->ndim, &numel, &bytes) || bytes != o->len)
		return vv_fail(err, VV_EFORMAT, "dataset '%s': its shape and its %" PRIu64 " bytes do not agree, address %" PRIu64,
			path, o->len, d->addr);
	if (!bytes)
		return 0;
	ret = o->compact ? 0 : vv_hdf5_claim(&w->h, o->addr, bytes, true, err);
	if (ret)
		return vv_err_in(err, "dataset '%s'", path);
	ret = shape_of(w, o->shape, o->ndim, &shape, err);
	if (!ret)
		ret = views_of(w, d, shape, "", &views, err);
	return ret ? ret : vv_layout_tensor(w->build, w->h.at + o->addr, bytes, o->dtype, views, d->n_names, err);
}

static int report_all(struct walk *w, struct vv_err *err)
{
	const struct dataset *first[VV_HDF5_WHY_COUNT] = {NULL};
	size_t n[VV_HDF5_WHY_COUNT] = {0};
	int ret = 0;

	for (size_t i = 0; i < w->n_sets && !ret; i++) {
		const struct dataset *d = &w->sets[i];
		if (!n[d->o.why]++)
			first[d->o.why] = d;
		if (!d->o.why)
			ret = report(w, d, err);
	}
	for (size_t y = VV_HDF5_OK + 1; y < VV_HDF5_WHY_COUNT && !ret; y++)
		if (n[y])
			vv_layout_finding(w->build, whys[y].code, w->h.at + first[y]->addr, "%zu datasets, '%s' first, %s", n[y],
				first[y]->names->s, whys[y].says);
	return ret ? ret : vv_hdf5_disjoint(&w->h, err);
}

int vv_hdf5_locate(
	struct vv_layout_build *b, const struct vv_source *src, uint64_t off, uint64_t len, struct vv_err *err)
{
	struct walk w = {.build = b};
	int ret = walk(&w, src, off, len, vv_layout_arena(b), err);

	if (!ret)
		ret = report_all(&w, err);
	walk_release(&w);
	return ret;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	int ret = vv_hdf5_locate(b, src, 0, src->size, err);

	return ret ? ret : vv_keras_h5_report(b, src, err);
}

/* --- other elements --- */

struct vv_hdf5_patch {
	uint64_t off, len;             /* in the old source */
	const struct vv_source *bytes; /* NULL: `sum` */
	uint8_t sum[4];
};

static int by_place(const void *a, const void *b)
{
	uint64_t x = ((const struct vv_hdf5_patch *)a)->off, y = ((const struct vv_hdf5_patch *)b)->off;

	return x < y ? -1 : x > y;
}

/* The first patch that ends past `off`. */
static size_t patch_at(const struct vv_hdf5_patched *p, uint64_t off)
{
	size_t from = 0, to = p->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (p->patches[mid].off + p->patches[mid].len <= off)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static int read_at(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_hdf5_patched *p = (const struct vv_hdf5_patched *)self;
	uint64_t from = p->off + off, to = from + len;
	int ret = vv_source_read(p->old, from, dst, len, err);

	for (size_t i = patch_at(p, from); i < p->n && p->patches[i].off < to && !ret; i++) {
		const struct vv_hdf5_patch *x = &p->patches[i];
		uint64_t a = x->off > from ? x->off : from, b = vv_min64(x->off + x->len, to);
		uint8_t *at = (uint8_t *)dst + (size_t)(a - from);

		if (x->bytes)
			ret = vv_source_read(x->bytes, a - x->off, at, (size_t)(b - a), err);
		else
			memcpy(at, x->sum + (size_t)(a - x->off), (size_t)(b - a));
	}
	return ret;
}

/* Checksums are made of the elements that are already in place. */
static int renew_sums(struct vv_hdf5_patched *p, struct walk *w, struct vv_err *err)
{
	struct vv_buf chunk = VV_BUF_INIT(VV_MAX_TEXT);
	size_t n = p->n;
	int ret = 0;

	for (size_t i = 0; i < w->n_sets && !ret; i++) {
		const struct vv_hdf5_object *o = &w->sets[i].o;
		struct vv_hdf5_patch x = {.off = w->h.at + o->sum_at, .len = 4};
		size_t len = (size_t)(o->sum_at - o->sum_from);
		uint8_t *at;

		if (!o->compact || !len)
			continue;
		vv_buf_clear(&chunk);
		at = vv_buf_reserve(&chunk, len);
		ret = at ? vv_source_read(&p->base, w->h.at - p->off + o->sum_from, at, len, err) : vv_buf_check(&chunk, err);
		if (ret)
			break;
		vv_put32(x.sum, vv_hdf5_checksum(vv_span(at, len)));
		p->patches[n++] = x;
	}
	p->n = n;
	qsort(p->patches, n, sizeof(*p->patches), by_place);
	vv_buf_release(&chunk);
	return ret;
}

int vv_hdf5_patch(
	struct vv_hdf5_patched *p, const struct vv_assembly *a, uint64_t off, uint64_t len, struct vv_err *err)
{
	const struct vv_part **of = malloc((a->layout->n_segs + 1) * sizeof(struct vv_part *));
	struct vv_arena arena = {0};
	struct walk w = {.build = NULL};
	int ret;

	*p = (struct vv_hdf5_patched){.base = {len, read_at}, .old = a->source, .off = off};
	ret = of ? walk(&w, a->source, off, len, &arena, err) : vv_fail_nomem(err);
	if (!ret && !(p->patches = calloc(a->n_parts + w.n_sets + 1, sizeof(*p->patches))))
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_inplace_match(a, of, err);
	for (size_t i = 0; i < a->layout->n_segs && !ret; i++)
		if (of[i])
			p->patches[p->n++] = (struct vv_hdf5_patch){
				.off = a->layout->segs[i].off, .len = a->layout->segs[i].len, .bytes = of[i]->bytes};
	if (!ret)
		ret = renew_sums(p, &w, err);
	walk_release(&w);
	vv_arena_release(&arena);
	free(of);
	return ret;
}

void vv_hdf5_patched_release(struct vv_hdf5_patched *p)
{
	free(p->patches);
	p->patches = NULL;
}

/* Other elements in their places; in files of our own also other tensors. */
static int assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	struct vv_hdf5_patched p;
	int ret = vv_hdf5_patch(&p, a, 0, a->source->size, err);

	if (!ret)
		ret = vv_source_copy(&p.base, 0, p.base.size, out, err);
	vv_hdf5_patched_release(&p);
	if (ret != VV_ENOTSUP)
		return ret;
	int own = vv_hdf5_rewrite(a, out, &why);
	if (own < 0)
		*err = why;
	return own == 1 ? ret : own;
}

const struct vv_format vv_format_hdf5 = {.name = "hdf5", .probe = probe, .locate = locate, .assemble = assemble,
	.sets = "the same names and shapes, any in files that varve made",
	.empty = vv_hdf5_empty, .graph = vv_keras_h5_graph};
