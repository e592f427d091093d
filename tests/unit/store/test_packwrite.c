#include "fixture.h"

#include <signal.h>
#include <sys/resource.h>

static struct entry an_entry(uint8_t first, uint8_t depth)
{
	struct entry e = {.depth = depth, .dtype = VV_DT_U8};

	e.id.b[0] = first;
	if (depth)
		e.base.b[0] = 0xee;
	return e;
}

/* Appends a record of zero bytes. */
static void add(struct pack_writer *w, struct fixture *f, struct entry e, size_t coded)
{
	struct vv_codec_params params = {.dtype = VV_DT_U8};
	struct vv_buf tail = VV_BUF_INIT(VV_MAX_TEXT);
	uint8_t *zeros = calloc(1, coded + 1);

	CHECK_OK(writer_begin(w, &f->err), &f->err);
	e.off = w->at;
	tail_emit(&tail, &e, coded, &params, NULL, 0);
	CHECK_OK(writer_bytes(w, vv_span(zeros, coded), &f->err), &f->err);
	CHECK_OK(writer_bytes(w, vv_buf_view(&tail), &f->err), &f->err);
	CHECK_OK(writer_entry(w, &e, &f->err), &f->err);
	vv_buf_release(&tail);
	free(zeros);
}

static void test_names(void)
{
	struct fixture f;
	struct pack_writer w;
	struct pack *p = NULL, *again = NULL;
	struct stat st;
	struct entry e;

	fx_init(&f);
	writer_init(&w, f.store);
	CHECK_OK(writer_finish(&w, &p, &f.err), &f.err);
	CHECK(!p);
	/* Small and large writes keep their order; ids are sorted, bases are listed once. */
	add(&w, &f, an_entry(9, 2), 10);
	add(&w, &f, an_entry(3, 0), 3 << 20);
	add(&w, &f, an_entry(5, 1), 0);
	add(&w, &f, an_entry(9, 1), 7); /* the same object, a shorter chain: that one stays */
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	CHECK_OK(writer_finish(&w, &p, &f.err), &f.err);
	CHECK_INT(p->n, 3);
	CHECK_INT(p->n_bases, 1);
	pack_entry(p, 0, &e);
	CHECK_INT(e.id.b[0], 3);
	CHECK_INT(e.stored, (3 << 20) + 29);
	pack_entry(p, 2, &e);
	CHECK_INT(e.depth, 1);
	CHECK_OK(pack_verify(p->path, &p->name, &f.err), &f.err);
	CHECK(!stat(p->path, &st) && (st.st_mode & 0777) == 0444);
	CHECK_INT(count_names(&f, "packs", NULL), 1); /* no temporary file */
	/* The same bytes again are the same file. */
	add(&w, &f, an_entry(9, 2), 10);
	add(&w, &f, an_entry(3, 0), 3 << 20);
	add(&w, &f, an_entry(5, 1), 0);
	add(&w, &f, an_entry(9, 1), 7);
	CHECK_OK(writer_finish(&w, &again, &f.err), &f.err);
	CHECK(vv_id_eq(&p->name, &again->name));
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	/* Unless the file was damaged: then it makes way. */
	flip(p->path, 100, 1);
	add(&w, &f, an_entry(9, 2), 10);
	add(&w, &f, an_entry(3, 0), 3 << 20);
	add(&w, &f, an_entry(5, 1), 0);
	add(&w, &f, an_entry(9, 1), 7);
	CHECK_OK(writer_publish(&w, &f.err), &f.err);
	CHECK_OK(pack_verify(p->path, &p->name, &f.err), &f.err);
	CHECK_INT(count_names(&f, "corrupt", NULL), 1);
	CHECK_INT(count_names(&f, "packs", NULL), 1);
	pack_free(p);
	pack_free(again);
	writer_release(&w);
	fx_release(&f);
}

/* The example of docs/format/store.md. */
static void test_example(void)
{
	struct fixture f;

	fx_init(&f);
	put(&f, "varve", 5, VV_DT_BYTES, NULL);
	CHECK_STR(f.store->packs[0]->hex, "5784b7e8ac2947609dbac082c6dde065294a8a230670308de0850abfe9ef8e84");
	fx_release(&f);
}

static void test_abandoned(void)
{
	struct fixture f;
	struct pack_writer w;

	fx_init(&f);
	writer_init(&w, f.store);
	add(&w, &f, an_entry(1, 0), 100);
	writer_release(&w);
	writer_release(&w);
	CHECK_INT(count_names(&f, "packs", NULL), 0);
	fx_release(&f);
}

static void test_record(void)
{
	enum { LEN = 700000 };
	struct fixture f, g;
	struct pack_writer w;
	uint8_t *raw = malloc(LEN);
	struct vv_store *where;
	struct vv_id id;
	struct pack *p;
	struct entry e;

	fill_noise(raw, LEN, 3);
	fx_init(&f);
	fx_init(&g);
	id = put(&f, raw, LEN, VV_DT_F32, NULL);
	CHECK_OK(store_locate(f.store, &id, ANY_DEPTH, &where, &p, &e, &f.err), &f.err);
	writer_init(&w, g.store);
	CHECK_OK(writer_record(&w, f.store, p, &e, &g.err), &g.err);
	CHECK_OK(writer_publish(&w, &g.err), &g.err);
	CHECK_OK(get(g.store, &id, raw, LEN, &g.err), &g.err);
	writer_release(&w);
	fx_release(&f);
	fx_release(&g);
	free(raw);
}

/* No more room: the call fails, names the file, and leaves nothing. */
static void test_full(void)
{
	struct fixture f;
	struct rlimit old, small;
	static uint8_t raw[2 << 20];
	struct vv_put_item item;
	int ret;

	fill_noise(raw, sizeof(raw), 9);
	fx_init(&f);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	for (rlim_t limit = 1000; limit < sizeof(raw); limit *= 7) {
		small = old;
		small.rlim_cur = limit;
		setrlimit(RLIMIT_FSIZE, &small);
		ret = try_put(f.store, raw, sizeof(raw), VV_DT_F32, NULL, &item, &f.err);
		setrlimit(RLIMIT_FSIZE, &old);
		CHECK_INT(ret, VV_EIO);
		CHECK(strstr(f.err.msg, f.dir) != NULL);
		CHECK_INT(count_names(&f, "packs", NULL), 0);
	}
	CHECK_OK(try_put(f.store, raw, sizeof(raw), VV_DT_F32, NULL, &item, &f.err), &f.err);
	CHECK_OK(get(f.store, &item.id, raw, sizeof(raw), &f.err), &f.err);
	fx_release(&f);
}

int main(void)
{
	test_names();
	test_example();
	test_abandoned();
	test_record();
	test_full();
	return done();
}
