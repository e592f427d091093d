#include "fixture.h"
#include "golden.h"

enum { LEN = 5000 };

static uint8_t a[LEN], b[LEN];

static int reopen(struct fixture *f, unsigned flags)
{
	vv_store_free(f->store);
	f->store = NULL;
	return vv_store_open(&f->store, f->dir, flags, f->pool, &f->err);
}

static void write_format(struct fixture *f, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/format", f->dir);
	CHECK_OK(vv_write_file(path, vv_span_str(text), false, &f->err), &f->err);
}

/* Made when asked for; a newer one, or none, is said in one line. */
static void test_format(void)
{
	struct fixture f;
	struct vv_buf text = VV_BUF_INIT(100);
	char path[200];
	struct vv_id id;

	fx_init(&f);
	snprintf(path, sizeof(path), "%s/format", f.dir);
	CHECK_OK(vv_read_file(&text, path, &f.err), &f.err);
	CHECK(vv_span_is(vv_buf_view(&text), "varve store 1\n"));
	id = put(&f, a, LEN, VV_DT_F32, NULL);
	write_format(&f, "varve store 2\n");
	CHECK_INT(reopen(&f, 0), VV_ENOTSUP);
	CHECK(strstr(f.err.msg, "newer") && strstr(f.err.msg, "store 2"));
	CHECK_INT(reopen(&f, VV_STORE_READONLY), VV_ENOTSUP);
	CHECK_INT(reopen(&f, VV_STORE_CREATE), VV_ENOTSUP);
	write_format(&f, "hello\n");
	CHECK_INT(reopen(&f, VV_STORE_CREATE), VV_ECORRUPT);
	write_format(&f, "varve store 1\n");
	CHECK_OK(reopen(&f, 0), &f.err);
	CHECK_OK(get(f.store, &id, a, LEN, &f.err), &f.err);
	CHECK_OK(vv_unlink(path, &f.err), &f.err);
	CHECK_INT(reopen(&f, 0), VV_ENOTFOUND);
	CHECK(strstr(f.err.msg, f.dir) != NULL);
	vv_buf_release(&text);
	fx_release(&f);
}

/* A pack of a newer version refuses the store; one whose version is damage does not. */
static void test_newer_pack(void)
{
	struct fixture f;
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT);
	char path[300], hex[VV_ID_HEX + 1];
	struct vv_id ia, ib, name;

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_F32, NULL);
	ib = put(&f, b, LEN, VV_DT_F32, NULL);
	snprintf(path, sizeof(path), "%s", pack_of(&f, &ib));
	flip(path, 6, 3);
	CHECK_OK(reopen(&f, 0), &f.err);
	CHECK_INT(vv_store_bad_packs(f.store), 1);
	CHECK_OK(get(f.store, &ia, a, LEN, &f.err), &f.err);
	CHECK_INT(get(f.store, &ib, b, LEN, &f.err), VV_ENOTFOUND);
	CHECK_OK(vv_read_file(&bytes, path, &f.err), &f.err);
	CHECK_OK(vv_unlink(path, &f.err), &f.err);
	vv_sha256(vv_buf_view(&bytes), &name);
	snprintf(path, sizeof(path), "%s/packs/%s.pack", f.dir, vv_id_hex(&name, hex));
	CHECK_OK(vv_write_file(path, vv_buf_view(&bytes), false, &f.err), &f.err);
	CHECK_INT(reopen(&f, 0), VV_ENOTSUP);
	CHECK(strstr(f.err.msg, "newer varve (pack version 2)") != NULL);
	CHECK_INT(reopen(&f, VV_STORE_READONLY), VV_ENOTSUP);
	vv_buf_release(&bytes);
	fx_release(&f);
}

/* What is no pack is left alone; damaged packs are counted, and good copies are read. */
static void test_strangers(void)
{
	struct fixture f;
	struct vv_id ia, ib;
	char path[300];

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_F32, NULL);
	ib = put(&f, b, LEN, VV_DT_F32, NULL);
	static const char *const names[] = {"packs/hello", "packs/.varve-tmp-abcdef", "packs/0.pack",
		"packs/00000000000000000000000000000000000000000000000000000000000000zz.pack", "trash"};
	for (size_t i = 0; i < VV_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f.dir, names[i]);
		CHECK_OK(vv_write_file(path, vv_span("x", 1), false, &f.err), &f.err);
	}
	CHECK_OK(reopen(&f, 0), &f.err);
	CHECK_INT(vv_store_bad_packs(f.store), 0);
	snprintf(path, sizeof(path), "%s", pack_of(&f, &ib));
	chmod(path, 0600);
	CHECK(!truncate(path, 100));
	CHECK_OK(reopen(&f, 0), &f.err);
	CHECK_INT(vv_store_bad_packs(f.store), 1);
	CHECK_OK(get(f.store, &ia, a, LEN, &f.err), &f.err);
	CHECK_INT(get(f.store, &ib, b, LEN, &f.err), VV_ENOTFOUND);
	fx_release(&f);
}

/* Sees what others publish, and forgets what they remove. */
static void test_refresh(void)
{
	struct fixture f;
	struct vv_store *other = NULL;
	struct vv_id ia;

	fx_init(&f);
	CHECK_OK(vv_store_open(&other, f.dir, 0, f.pool, &f.err), &f.err);
	ia = put(&f, a, LEN, VV_DT_F32, NULL);
	CHECK(!vv_store_has(other, &ia));
	CHECK_OK(vv_store_refresh(other, &f.err), &f.err);
	CHECK(vv_store_has(other, &ia));
	CHECK_OK(vv_store_refresh(other, &f.err), &f.err);
	CHECK_INT(other->n_packs, 1);
	CHECK_OK(vv_unlink(pack_of(&f, &ia), &f.err), &f.err);
	CHECK_OK(vv_store_refresh(other, &f.err), &f.err);
	CHECK(!vv_store_has(other, &ia));
	CHECK_INT(other->n_gone, 1);
	vv_store_free(other);
	fx_release(&f);
}

struct count {
	size_t n;
	uint64_t size;
};

static int count_one(void *arg, const struct vv_id *id VV_UNUSED, const struct vv_object_info *info, struct vv_err *err)
{
	struct count *c = arg;

	c->n++;
	c->size += info->size;
	return c->n == 3 ? vv_fail(err, VV_ELIMIT, "enough") : 0;
}

static void test_usage(void)
{
	struct fixture f;
	struct vv_store_usage u;
	struct count c = {0, 0};
	struct vv_id ia;

	fx_init(&f);
	CHECK_OK(vv_store_usage(f.store, &u, &f.err), &f.err);
	CHECK_INT(u.packs + u.objects + u.disk, 0);
	ia = put(&f, a, LEN, VV_DT_F32, NULL);
	put(&f, b, LEN, VV_DT_F32, &ia);
	CHECK_OK(vv_store_usage(f.store, &u, &f.err), &f.err);
	CHECK_INT(u.packs, 2);
	CHECK_INT(u.objects, 2);
	CHECK_INT(u.deltas, 1);
	CHECK_INT(u.max_depth, 1);
	CHECK_INT(u.raw, 2 * LEN);
	CHECK_INT(u.trash_packs + u.corrupt_packs, 0);
	CHECK_OK(vv_store_each(f.store, count_one, &c, &f.err), &f.err);
	CHECK_INT(c.n, 2);
	CHECK_INT(c.size, 2 * LEN);
	CHECK_INT(vv_store_each(f.store, count_one, &c, &f.err), VV_ELIMIT);
	CHECK_OK(store_quarantine(f.store, f.store->packs[1]->path, f.store->packs[1], &f.err), &f.err);
	CHECK_OK(vv_store_refresh(f.store, &f.err), &f.err);
	CHECK_OK(vv_store_usage(f.store, &u, &f.err), &f.err);
	CHECK_INT(u.packs, 1);
	CHECK_INT(u.corrupt_packs, 1);
	fx_release(&f);
}

static void test_names(void)
{
	struct vv_id id;
	char name[80];

	memset(name, 'a', 64);
	strcpy(name + 64, ".pack");
	CHECK(pack_name_parse(name, &id));
	CHECK_INT(id.b[31], 0xaa);
	name[3] = 'A';
	CHECK(!pack_name_parse(name, &id));
	name[3] = 'a';
	strcpy(name + 64, ".pack ");
	CHECK(!pack_name_parse(name, &id));
	strcpy(name + 64, ".idx");
	CHECK(!pack_name_parse(name, &id));
	CHECK(!pack_name_parse("", &id));
}

/* A folder that may only be read: reading works, writing says why. */
static void test_readonly(void)
{
	struct fixture f;
	struct vv_put_item item;
	struct vv_id ia;
	char packs[200];

	if (!geteuid()) {
		printf("ok %d # SKIP root may write anywhere\n", ++tap_n);
		return;
	}
	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_F32, NULL);
	snprintf(packs, sizeof(packs), "%s/packs", f.dir);
	chmod(packs, 0555);
	chmod(f.dir, 0555);
	CHECK_OK(reopen(&f, 0), &f.err);
	CHECK_OK(get(f.store, &ia, a, LEN, &f.err), &f.err);
	CHECK_INT(try_put(f.store, b, LEN, VV_DT_F32, NULL, &item, &f.err), VV_EIO);
	CHECK(strstr(f.err.msg, f.dir) != NULL);
	struct vv_fsck_stats st;
	CHECK_OK(vv_store_fsck(f.store, false, NULL, &st, NULL, &f.err), &f.err);
	chmod(f.dir, 0755);
	chmod(packs, 0755);
	fx_release(&f);
}

/* Every store that was ever written can be read, and is what it was. */
static void golden_version(const char *version, size_t objects)
{
	struct fixture f;
	char cmd[700], *dir = golden_dir(__FILE__, "store"), *at = vv_join(dir, version), *list = vv_join(at, "objects");
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	size_t n = 0, wrong = 0;
	struct vv_fsck_stats st;

	fx_init(&f);
	snprintf(cmd, sizeof(cmd), "rm -rf %s && cp -r %s/varve %s", f.dir, at, f.dir);
	CHECK(!system(cmd));
	CHECK_OK(reopen(&f, 0), &f.err);
	CHECK_OK(vv_read_file(&text, list, &f.err), &f.err);
	for (char *line = strtok((char *)text.ptr, "\n"); line; line = strtok(NULL, "\n"), n++) {
		char hex[65], type[32], kind[16], what[64];
		unsigned long len;
		unsigned depth;
		struct vv_object_info info;
		struct vv_get_item item = {.len = 0};
		if (sscanf(line, "%64s %lu %31s %u %15s %63s", hex, &len, type, &depth, kind, what) != 6 ||
			vv_id_parse(&item.id, vv_span_str(hex)) || vv_store_find(f.store, &item.id, &info, &f.err) ||
			info.size != len || strcmp(vv_dtype_info(info.dtype)->name, type) || info.depth != depth ||
			info.chunked != !strcmp(kind, "list") ||
			(item.len = len, vv_store_verify(f.store, &item, 1, NULL, &f.err))) {
			wrong++;
			printf("# %s: %s\n", line, f.err.msg);
		}
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(n, objects);
	CHECK_OK(vv_store_fsck(f.store, false, NULL, &st, NULL, &f.err), &f.err);
	CHECK_INT(st.bad_packs + st.bad_objects + st.dependents, 0);
	vv_buf_release(&text);
	free(dir);
	free(at);
	free(list);
	fx_release(&f);
}

static int verify_one(void *arg, const struct vv_id *id, const struct vv_object_info *info, struct vv_err *err)
{
	struct vv_get_item item = {*id, info->size, 0};

	return vv_store_verify(arg, &item, 1, NULL, err);
}

static int bad_pack(void *arg, const char *file, struct vv_err *err)
{
	struct vv_buf bytes = VV_BUF_INIT(VV_MAX_TEXT);
	char want[32], hex[VV_ID_HEX + 1], to[400], *from = vv_join(arg, file);
	struct vv_fsck_stats st = {0};
	struct fixture f;
	struct vv_id name;
	int ret;

	snprintf(want, sizeof(want), "%.*s", (int)strcspn(file, "-"), file);
	if (!strcmp(want, "notsup"))
		strcpy(want, vv_code_name(VV_ENOTSUP));
	fx_init(&f);
	CHECK_OK(vv_read_file(&bytes, from, err), err);
	vv_sha256(vv_buf_view(&bytes), &name);
	snprintf(to, sizeof(to), "%s/packs/%s.pack", f.dir, vv_id_hex(&name, hex));
	CHECK_OK(vv_write_file(to, vv_buf_view(&bytes), false, err), err);
	vv_err_clear(&f.err);
	ret = reopen(&f, 0);
	if (!ret && vv_store_bad_packs(f.store))
		ret = VV_ECORRUPT;
	if (!ret)
		ret = vv_store_each(f.store, verify_one, f.store, &f.err);
	tap_ok(!strcmp(vv_code_name(ret), want), file, __FILE__, __LINE__);
	/* fsck sees it too, also under the right name. */
	if (ret == VV_ECORRUPT && !vv_store_fsck(f.store, false, NULL, &st, NULL, &f.err))
		tap_ok(st.bad_packs || st.bad_objects || st.dependents, file, __FILE__, __LINE__);
	vv_buf_release(&bytes);
	free(from);
	fx_release(&f);
	return 0;
}

static void test_golden(void)
{
	char *dir = golden_dir(__FILE__, "store"), *bad = vv_join(dir, "bad");
	struct vv_err err = VV_ERR_INIT;

	golden_version("1", 65);
	golden_version("1-cast", 5);
	golden_version("1-quantized", 8);
	CHECK_OK(vv_each_name(bad, bad_pack, bad, &err), &err);
	free(dir);
	free(bad);
}

int main(void)
{
	fill_weights(a, LEN, 4, 1);
	memcpy(b, a, LEN);
	nudge(b, LEN, 4, 2, 20);
	test_format();
	test_newer_pack();
	test_strangers();
	test_refresh();
	test_usage();
	test_names();
	test_readonly();
	test_golden();
	return done();
}
