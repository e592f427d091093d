/*
 * Random histories of models, merged: what comes out is compared with what a few lines over maps say it should be. Histories
 * branch once or cross; models are safetensors, npz and torch files of a few tensors.
 *
 * usage: merges GOLDEN [COUNT [SEED]]
 */
#define _GNU_SOURCE
#include "blend/policy.h"
#include "model/assembly.h"
#include "model/lineup.h"
#include "os/file.h"
#include "tap.h"

#include <sys/mman.h>
#include <unistd.h>

enum { NAMES = 9, ELEMS = 4, VALUES = 4, CONFLICT = 1, COUNT = 12000 };

/* --- what is meant: models as maps --- */

struct content {
	uint8_t there, dtype, shape, value;
};
struct model {
	struct content t[NAMES];
	uint8_t meta;
};
/* What a merge should be: of conflicts ours; `from`: whose tensor it is, by its old name when it was renamed. */
struct meant {
	struct model m;
	uint8_t conflict[NAMES], meta_conflict;
	size_t conflicts;
};

static bool eq(struct content a, struct content b)
{
	return a.there == b.there && (!a.there || (a.dtype == b.dtype && a.shape == b.shape && a.value == b.value));
}

static const struct content none;

/* New names in one side for these bytes, in whatever shape: more than one, and none is the renamed one. */
static size_t new_names(const struct model *have, const struct model *b, struct content x, size_t *at)
{
	size_t n = 0;

	for (size_t i = 0; i < NAMES; i++)
		if (have->t[i].there && !b->t[i].there && have->t[i].dtype == x.dtype && have->t[i].value == x.value) {
			*at = i;
			n++;
		}
	return n;
}

static size_t lost(const struct model *base, const struct model *by, struct content x)
{
	size_t n = 0;

	for (size_t i = 0; i < NAMES; i++)
		n += base->t[i].there && !by->t[i].there && eq(base->t[i], x);
	return n;
}

/* Does one side have the base's tensor `i` by another name, that it alone has? */
static bool renamed(const struct model *base, const struct model *by, const struct model *other, size_t i, size_t *u)
{
	struct content b = base->t[i];

	return b.there && !by->t[i].there && new_names(by, base, b, u) == 1 && eq(by->t[*u], b) && lost(base, by, b) == 1 &&
		!other->t[*u].there;
}

/* `base` of no tensors is none. */
static struct meant merge(const struct model *base, const struct model *ours, const struct model *theirs)
{
	struct meant r = {.m = {.meta = ours->meta}};

	for (size_t i = 0; i < NAMES; i++) {
		struct content b = base->t[i], o = ours->t[i], t = theirs->t[i];

		r.m.t[i] = eq(o, b) ? t : o;
		r.conflict[i] = !eq(o, t) && !eq(o, b) && !eq(t, b);
	}
	for (size_t i = 0; i < NAMES; i++) {
		struct content o = ours->t[i], t = theirs->t[i];
		const struct model *side[] = {ours, theirs};
		size_t u = 0;

		for (size_t k = 0; k < 2; k++) {
			if (!renamed(base, side[k], side[!k], i, &u))
				continue;
			if (!o.there && !t.there) { /* lost on both sides, and renamed: ours, till one is taken */
				r.conflict[i] = r.conflict[u] = 1;
				r.m.t[u] = ours->t[u];
			} else if (r.conflict[i]) { /* renamed here and changed there */
				r.conflict[i] = 0;
				r.m.t[i] = none;
				r.m.t[u] = o.there ? o : t;
			}
		}
	}
	r.m.meta = ours->meta == base->meta ? theirs->meta : ours->meta;
	r.meta_conflict = ours->meta != theirs->meta && ours->meta != base->meta && theirs->meta != base->meta;
	if (r.meta_conflict)
		r.m.meta = ours->meta;
	for (size_t i = 0; i < NAMES; i++)
		r.conflicts += r.conflict[i];
	r.conflicts += r.meta_conflict;
	return r;
}

/* --- chance --- */

static uint64_t state;

static unsigned below(unsigned n)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) % n);
}

static struct content any(void)
{
	return (struct content){1, (uint8_t)below(8) % 3, (uint8_t)below(8) % 3, (uint8_t)(1 + below(VALUES))};
}

static struct model root(bool meta)
{
	struct model m = {.meta = meta ? (uint8_t)below(2) : 0};

	for (size_t i = 0; i < NAMES; i++)
		if (below(3))
			m.t[i] = any();
	m.t[0] = any();
	return m;
}

/* One change; of names in `mine` only (bits). */
static void edit(struct model *m, unsigned mine, bool meta)
{
	size_t i = below(NAMES), k = below(NAMES);

	while (!(mine >> i & 1))
		i = (i + 1) % NAMES;
	while (!(mine >> k & 1))
		k = (k + 1) % NAMES;
	switch (below(meta ? 8 : 7)) {
	case 0:
	case 1:
		m->t[i] = any(); /* changed or added */
		break;
	case 2:
		m->t[i] = none;
		break;
	case 3:
	case 4: /* renamed */
		if (m->t[i].there && !m->t[k].there) {
			m->t[k] = m->t[i];
			m->t[i] = none;
		}
		break;
	case 5:
		m->t[i].shape = (uint8_t)below(3);
		break;
	case 6:
		m->t[i].dtype = (uint8_t)below(3);
		break;
	default:
		m->meta = (uint8_t)below(4);
	}
}

static void edits(struct model *m, unsigned mine, bool meta)
{
	for (unsigned n = below(10); n; n--)
		edit(m, mine, meta);
}

/* --- real files of them --- */

struct made {
	struct vv_buf bytes;
	struct vv_source_mem src;
	struct vv_manifest m;
	struct vv_version v;
};

static struct vv_pool *pool;
static struct vv_err err;
static int fd;

static void must(int ret)
{
	if (!ret)
		return;
	printf("Bail out! %s\n", err.msg);
	exit(1);
}

static void locate(struct made *f)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);

	vv_source_mem_init(&f->src, vv_buf_view(&f->bytes));
	must(vv_model_hash(pool, &f->src.base, &text, &f->m, NULL, &err));
	f->v = (struct vv_version){&f->m, &f->src.base};
	vv_buf_release(&text);
}

static void drop(struct made *f)
{
	vv_manifest_release(&f->m);
	vv_buf_release(&f->bytes);
}

static const char *const dtypes[] = {"F32", "F16", "I32"}, *const shapes[] = {"[4]", "[2,2]", "[1,4]"};
static const char *const of_manifest[] = {"f32", "f16", "i32"};

static size_t elements(struct content c, uint8_t *out)
{
	static const uint16_t half[] = {0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500};
	size_t width = c.dtype == 1 ? 2 : 4;

	for (size_t i = 0; i < ELEMS; i++) {
		float f = c.value;
		int32_t n = c.value;
		memcpy(out + i * width, c.dtype == 0 ? (void *)&f : c.dtype == 1 ? (void *)&half[c.value] : (void *)&n, width);
	}
	return ELEMS * width;
}

static void make_st(struct made *f, const struct model *m)
{
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT), data = VV_BUF_INIT(VV_MAX_TEXT);

	vv_buf_fmt(&head, "{\"__metadata__\":{\"step\":\"%d\"}", m->meta);
	for (int i = 0; i < NAMES; i++)
		if (m->t[i].there) {
			uint8_t bytes[16];
			size_t n = elements(m->t[i], bytes);
			vv_buf_fmt(&head, ",\"t%d\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}", i, dtypes[m->t[i].dtype],
				shapes[m->t[i].shape], data.len, data.len + n);
			vv_buf_add(&data, bytes, n);
		}
	vv_buf_char(&head, '}');
	while (head.len % 8)
		vv_buf_char(&head, ' ');
	memset(f, 0, sizeof(*f));
	vv_buf_init(&f->bytes, VV_MAX_TEXT);
	vv_buf_le(&f->bytes, head.len, 8);
	vv_buf_span(&f->bytes, vv_buf_view(&head));
	vv_buf_span(&f->bytes, vv_buf_view(&data));
	vv_buf_release(&head);
	vv_buf_release(&data);
	locate(f);
}

struct into {
	struct vv_sink base;
	struct vv_buf *to;
};

static int add(struct vv_sink *self, struct vv_span data, struct vv_err *e VV_UNUSED)
{
	vv_buf_span(((struct into *)self)->to, data);
	return 0;
}

/* The same in the format of `like`; 0, or why that cannot be. */
static int make_like(struct made *f, const struct model *m, const struct made *like)
{
	struct vv_pick picks[NAMES];
	struct made st;
	struct into sink = {{add}, &f->bytes};
	size_t n = 0;
	int ret;

	make_st(&st, m);
	for (size_t i = 0; i < st.m.n_segs; i++)
		if (st.m.segs[i].seg.n_views)
			picks[n++] = (struct vv_pick){&st.v, i, 0, NULL};
	memset(f, 0, sizeof(*f));
	vv_buf_init(&f->bytes, VV_MAX_TEXT);
	ret = vv_assemble_picks(&like->v, picks, n, &sink.base, &err);
	if (!ret)
		locate(f);
	drop(&st);
	return ret;
}

/* --- compared --- */

/* The id that a tensor of this content has. */
static void id_of(struct content c, struct vv_id *id)
{
	uint8_t bytes[16];

	vv_sha256(vv_span(bytes, elements(c, bytes)), id);
}

/* "" or what is wrong with the file. */
static const char *differs(const struct made *f, const struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < f->m.n_segs; i++)
		n += f->m.segs[i].seg.n_views;
	for (int i = 0; i < NAMES; i++) {
		char name[8];
		size_t seg, view;
		struct vv_id id;
		uint64_t first[] = {4, 2, 1};

		snprintf(name, sizeof(name), "t%d", i);
		if (vv_manifest_find(&f->m, name, &seg, &view) != m->t[i].there)
			return "another set of tensors";
		if (!m->t[i].there)
			continue;
		n--;
		id_of(m->t[i], &id);
		if (strcmp(vv_dtype_info(f->m.segs[seg].seg.dtype)->name, of_manifest[m->t[i].dtype]) ||
			f->m.segs[seg].seg.views[view].shape[0] != first[m->t[i].shape] || !vv_id_eq(&f->m.segs[seg].id, &id))
			return "another tensor";
	}
	return n ? "tensors too many" : "";
}

static const char *meta_differs(const struct made *f, uint8_t meta)
{
	char want[32];

	snprintf(want, sizeof(want), "{\"step\":\"%d\"}", meta);
	return memmem(f->bytes.ptr, f->bytes.len, want, strlen(want)) ? "" : "other metadata";
}

static const char *conflicts_differ(const struct vv_merge *m, const struct meant *w)
{
	if (m->n_conflicts != w->conflicts)
		return "another number of conflicts";
	if ((m->frame.reason != VV_MERGE_CLEAN) != w->meta_conflict)
		return "the metadata";
	for (size_t i = 0; i < m->n; i++)
		if ((m->items[i].reason != VV_MERGE_CLEAN) != w->conflict[atoi(m->items[i].name + 1)])
			return "another conflict";
	return "";
}

/* Writes what the plan is by now. */
static void write_merge(struct made *out, const struct vv_merge *m)
{
	enum vv_merge_result outcome = vv_merge_outcome(m);
	const struct vv_version *side = m->sides[outcome == VV_MERGE_IS_THEIRS ? VV_MERGE_THEIRS : VV_MERGE_OURS];

	memset(out, 0, sizeof(*out));
	vv_buf_init(&out->bytes, VV_MAX_TEXT);
	if (outcome == VV_MERGE_ASSEMBLED) {
		if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
			must(vv_fail(&err, VV_EIO, "truncate"));
		must(vv_merge_write_ours(m, fd, "merged", NULL, &err));
		must(vv_read_fd(&out->bytes, fd, "merged", &err));
	} else {
		void *to = vv_buf_reserve(&out->bytes, (size_t)side->bytes->size);
		must(vv_source_read(side->bytes, 0, to, (size_t)side->bytes->size, &err));
		out->bytes.len = (size_t)side->bytes->size;
	}
	locate(out);
}

static const struct vv_version *version(const struct made *f)
{
	return f->m.n_segs ? &f->v : NULL;
}

/* The merge of the files is the merge of the maps; its file is left in `out`. */
static const char *check(struct made *out, const struct made *f[3], const struct model *m[3], bool meta)
{
	struct meant w = merge(m[2], m[0], m[1]);
	struct vv_merge plan;
	const char *wrong;

	must(vv_merge_plan(&plan, version(f[2]), &f[0]->v, &f[1]->v, &err));
	wrong = conflicts_differ(&plan, &w);
	write_merge(out, &plan);
	if (!*wrong)
		wrong = differs(out, &w.m);
	if (!*wrong && meta)
		wrong = meta_differs(out, w.m.meta);
	vv_merge_release(&plan);
	return wrong;
}

/* --- the properties --- */

static void make(struct made *f, const struct model *m, const struct made *like)
{
	if (like)
		must(make_like(f, m, like));
	else
		make_st(f, m);
}

/* Two branches, merged both ways. Changes of different tensors never conflict. */
static const char *branches(const struct made *like, size_t *clean)
{
	bool disjoint = below(3) == 0, based = below(8) != 0;
	unsigned all = (1u << NAMES) - 1, mine = disjoint ? 1 + below(all - 1) : all;
	struct model m[3] = {root(!like), {.meta = 0}, {.meta = 0}}, nothing = {.meta = 99};
	struct made f[3], out = {.m = {.format = NULL}}, back = out;
	const struct model *there[3] = {&m[1], &m[2], &m[0]}, *turned[3] = {&m[2], &m[1], &m[0]};
	const struct made *files[3] = {&f[1], &f[2], &f[0]}, *files_turned[3] = {&f[2], &f[1], &f[0]};
	struct meant w;
	const char *wrong;

	m[1] = m[2] = m[0];
	edits(&m[1], mine, !like && !disjoint);
	edits(&m[2], disjoint ? all & ~mine : all, !like);
	m[1].t[0] = m[1].t[0].there ? m[1].t[0] : m[0].t[0];
	m[2].t[0] = m[2].t[0].there ? m[2].t[0] : m[0].t[0];
	for (size_t i = 0; i < 3; i++)
		make(&f[i], &m[i], like);
	if (!based) {
		drop(&f[0]);
		memset(&f[0], 0, sizeof(f[0]));
		there[2] = turned[2] = &nothing;
	}
	w = merge(there[2], there[0], there[1]);
	*clean += !w.conflicts;
	/* Whole names are disjoint, but one may be moved to the other's: those are told apart above. */
	wrong = disjoint && based && w.conflicts ? "disjoint changes are said to conflict" : check(&out, files, there, !like);
	if (!*wrong)
		wrong = check(&back, files_turned, turned, !like);
	for (int i = 0; i < NAMES && !*wrong && !w.conflicts; i++) {
		struct model same = merge(turned[2], turned[0], turned[1]).m;
		wrong = eq(same.t[i], w.m.t[i]) ? "" : "merge(A,B) is not merge(B,A)";
	}
	for (size_t i = 0; i < 3; i++)
		drop(&f[i]);
	drop(&out);
	drop(&back);
	return wrong;
}

/* The base of two bases: of conflicts the older base. */
static struct model virtual_base(const struct model *base, const struct model *a, const struct model *b)
{
	struct meant w = merge(base, a, b);

	for (size_t i = 0; i < NAMES; i++)
		if (w.conflict[i])
			w.m.t[i] = base->t[i];
	w.m.meta = w.meta_conflict ? base->meta : w.m.meta;
	return w.m;
}

/* Both branches merged the other, each in its own way, and went on. */
static const char *crossed(size_t *clean)
{
	struct model o = root(true), a = o, b = o, m[3];
	struct made fo, fa, fb, f[3], out = {.m = {.format = NULL}};
	const struct model *there[3] = {&m[0], &m[1], &m[2]};
	const struct made *files[3] = {&f[0], &f[1], &f[2]};
	struct vv_merge plan;
	const char *wrong;
	size_t n;

	edits(&a, (1u << NAMES) - 1, true);
	edits(&b, (1u << NAMES) - 1, true);
	m[0] = merge(&o, &a, &b).m;
	m[1] = merge(&o, &b, &a).m;
	edits(&m[0], (1u << NAMES) - 1, true);
	edits(&m[1], (1u << NAMES) - 1, true);
	m[2] = virtual_base(&o, &a, &b);
	make_st(&fo, &o);
	make_st(&fa, &a);
	make_st(&fb, &b);
	make_st(&f[0], &m[0]);
	make_st(&f[1], &m[1]);
	must(vv_merge_plan(&plan, &fo.v, &fa.v, &fb.v, &err));
	must(vv_merge_settle(&plan, NULL, VV_MERGE_BASE, &n, &err));
	write_merge(&f[2], &plan);
	vv_merge_release(&plan);
	wrong = differs(&f[2], &m[2]);
	if (!*wrong)
		wrong = check(&out, files, there, true);
	*clean += !merge(&m[2], &m[0], &m[1]).conflicts;
	drop(&fo);
	drop(&fa);
	drop(&fb);
	for (size_t i = 0; i < 3; i++)
		drop(&f[i]);
	drop(&out);
	return wrong;
}

static int no_weights(struct vv_sink *self, struct vv_span data, struct vv_err *e VV_UNUSED)
{
	return add(self, data, e);
}

/* What a symmetric method makes of both does not depend on who merges whom. */
static const char *mixed(size_t *clean)
{
	struct model m[3] = {root(true), {.meta = 0}, {.meta = 0}};
	struct made f[3];
	struct vv_buf out[2];
	struct vv_policy p = {.n = 0};
	size_t left[2];

	m[1] = m[2] = m[0];
	edits(&m[1], (1u << NAMES) - 1, false);
	edits(&m[2], (1u << NAMES) - 1, false);
	for (size_t i = 0; i < 3; i++)
		make_st(&f[i], &m[i]);
	must(vv_policy_add_line(&p, vv_span_str(below(2) ? "* linear" : "* ties density=0.5"), &err));
	for (size_t i = 0; i < 2; i++) {
		struct into sink = {{no_weights}, &out[i]};
		struct vv_merge plan;

		vv_buf_init(&out[i], VV_MAX_TEXT);
		must(vv_merge_plan(&plan, &f[0].v, &f[1 + i].v, &f[2 - i].v, &err));
		must(vv_policy_apply(&p, "m", &plan, &left[i], &err));
		left[i] = plan.n_conflicts;
		/* In the order of names: that of a plan is ours'. */
		for (size_t k = 0; k + 1 < plan.n; k++)
			for (size_t j = k + 1; j < plan.n; j++)
				if (strcmp(plan.items[k].name, plan.items[j].name) > 0) {
					struct vv_merge_item it = plan.items[k];
					struct vv_lineup_row row = plan.lineup->rows[k];
					plan.items[k] = plan.items[j];
					plan.items[j] = it;
					plan.lineup->rows[k] = plan.lineup->rows[j];
					plan.lineup->rows[j] = row;
				}
		must(vv_policy_mix(&p, &plan, pool, &sink.base, &err));
		vv_merge_release(&plan);
	}
	*clean += !left[0];
	for (size_t i = 0; i < 3; i++)
		drop(&f[i]);
	vv_policy_release(&p);
	left[0] = left[0] != left[1] || !vv_span_eq(vv_buf_view(&out[0]), vv_buf_view(&out[1]));
	vv_buf_release(&out[0]);
	vv_buf_release(&out[1]);
	return left[0] ? "a symmetric method, and two results" : "";
}

static void open_golden(struct made *f, const char *dir, const char *file)
{
	char *path = vv_join(dir, file);

	memset(f, 0, sizeof(*f));
	vv_buf_init(&f->bytes, VV_MAX_TEXT);
	must(vv_read_file(&f->bytes, path, &err));
	locate(f);
	free(path);
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = {"safetensors", "npz", "torch", "crossed", "mixed"};
	size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : COUNT, n[5] = {0}, clean[5] = {0}, bad = 0;
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	struct made npz, torch;

	pool = vv_pool_new(1);
	fd = memfd_create("merged", MFD_CLOEXEC);
	open_golden(&npz, argv[1], "numpy/model.npz");
	open_golden(&torch, argv[1], "torch/2.13.0/state.pt");
	printf("# seed %llu, %zu cases\n", (unsigned long long)seed, count);
	for (size_t i = 0; i < count; i++) {
		unsigned kind;
		const char *wrong;

		state = (seed << 32) + i;
		kind = below(10);
		kind = kind < 4 ? 0 : kind < 6 ? 1 : kind < 8 ? 2 : kind == 8 ? 3 : 4;
		wrong = kind == 3 ? crossed(&clean[3]) : kind == 4 ? mixed(&clean[4])
			: branches(kind == 0 ? NULL : kind == 1 ? &npz : &torch, &clean[kind]);
		n[kind]++;
		if (*wrong && bad++ < 10)
			printf("# case %zu (%s): %s\n", i, kinds[kind], wrong);
	}
	for (size_t k = 0; k < 5; k++) {
		printf("# %s: %zu cases, %zu without a conflict\n", kinds[k], n[k], clean[k]);
		CHECK(count < 1000 || (clean[k] > n[k] / 20 && clean[k] < n[k]));
	}
	CHECK_INT(bad, 0);
	drop(&npz);
	drop(&torch);
	vv_pool_free(pool);
	return done();
}
