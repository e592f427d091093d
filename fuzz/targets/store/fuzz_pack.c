/*
 * A file as a pack in a store: opened, every object found, read and verified, checked by fsck, and,
 * when it cannot be opened, searched for records and repaired. First as it is, then with its
 * checksums made right, or nothing behind them would be reached.
 */
#define _GNU_SOURCE
#include "base/le.h"
#include "store/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 16 << 20 }; /* raw bytes that a small file may claim, before it only costs time */

static struct vv_pool *pool;
static char dir[64];

static int drop(void *arg, const char *name, struct vv_err *err)
{
	char *path = vv_join(arg, name);
	int ret = path ? vv_unlink(path, err) : vv_fail_nomem(err);

	free(path);
	return ret;
}

static void sweep(const char *sub)
{
	struct vv_err err = VV_ERR_INIT;
	char *path = vv_join(dir, sub);

	if (!path || vv_each_name(path, drop, path, &err))
		abort();
	free(path);
}

static void remove_folder(void)
{
	static const char *const names[] = {"packs", "corrupt", "format", "lock", "gc.lock", ""};

	for (size_t i = 0; i < VV_COUNT(names); i++) {
		char *path = vv_join(dir, names[i]);
		if (path)
			remove(path);
		free(path);
	}
	vv_pool_free(pool);
}

static void make_folder(void)
{
	snprintf(dir, sizeof(dir), "%s/varve-fuzz-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	pool = vv_pool_new(1);
	if (!pool || !mkdtemp(dir))
		abort();
	atexit(remove_folder);
}

struct total {
	struct vv_store *store;
	uint64_t raw;
	size_t objects;
};

static int add_up(void *arg, const struct vv_id *id VV_UNUSED, const struct vv_object_info *info, struct vv_err *err VV_UNUSED)
{
	struct total *t = arg;

	t->raw = info->size > MOST ? (uint64_t)MOST + 1 : t->raw + info->size * (info->depth + 1);
	t->objects++;
	return 0;
}

/* Whoever is told that an object is right gets bytes with that SHA-256, by every way. */
static int use(void *arg, const struct vv_id *id, const struct vv_object_info *info, struct vv_err *err VV_UNUSED)
{
	struct total *t = arg;
	struct vv_get_item item = {*id, info->size, 0};
	struct vv_err why = VV_ERR_INIT;
	uint8_t *raw = malloc((size_t)info->size + 1);
	struct vv_id have;

	if (!raw)
		return 0;
	int verified = vv_store_verify(t->store, &item, 1, NULL, &why);
	if (verified && (verified != why.code || !why.msg[0]))
		abort();
	int read = vv_store_read(t->store, id, 0, raw, (size_t)info->size, &why);
	if (!verified) {
		vv_sha256(vv_span(raw, (size_t)info->size), &have);
		if (read || !vv_id_eq(&have, id))
			abort();
	}
	if (!read && info->size > 3) {
		uint8_t part[3];
		if (vv_store_read(t->store, id, info->size / 2, part, info->size / 2 + 3 > info->size ? 1 : 3, &why) ||
			part[0] != raw[info->size / 2])
			abort();
	}
	free(raw);
	return 0;
}

static void as_pack(struct vv_span bytes)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_store *s = NULL;
	struct vv_fsck_stats st;
	struct total t = {NULL, 0, 0};
	char path[200], hex[VV_ID_HEX + 1];
	struct vv_id name;
	int ret;

	vv_sha256(bytes, &name);
	snprintf(path, sizeof(path), "%s/packs", dir);
	if (vv_mkdirs(path, &err))
		abort();
	snprintf(path, sizeof(path), "%s/packs/%s.pack", dir, vv_id_hex(&name, hex));
	if (vv_write_file(path, bytes, false, &err))
		abort();
	ret = vv_store_open(&s, dir, VV_STORE_CREATE, pool, &err);
	if (ret && ret != VV_ENOTSUP)
		abort();
	if (!ret) {
		t.store = s;
		if (vv_store_each(s, add_up, &t, &err))
			abort();
		if (t.raw <= MOST && vv_store_each(s, use, &t, &err))
			abort();
		if (t.raw <= MOST && vv_store_fsck(s, vv_store_bad_packs(s) != 0, NULL, &st, NULL, &err))
			abort();
		/* What repair made is right. */
		if (t.raw <= MOST && (vv_store_fsck(s, false, NULL, &st, NULL, &err) || vv_store_bad_packs(s)))
			abort();
	}
	vv_store_free(s);
	sweep("packs");
	sweep("corrupt");
}

/* The checksums of the index and of every record's tail that lies inside. */
static int seal(uint8_t *p, size_t size)
{
	uint64_t footer;
	uint32_t n;

	if (size < PACK_HEAD + PACK_TRAILER)
		return 1;
	memcpy(p, "VVPACK\x01\x00", 8);
	memcpy(p + size - 8, "VVPKEND\n", 8);
	footer = vv_get64(p + size - 32);
	n = vv_get32(p + size - 24);
	if (footer > size - PACK_TRAILER || n > (size - PACK_TRAILER - footer) / PACK_ENTRY)
		return 1;
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *row = p + footer + (size_t)i * PACK_ENTRY;
		uint64_t off = get48(row + 32), stored = get48(row + 38), tail = vv_get32(row + 50);
		if (off > footer || stored > footer - off || tail > stored || tail < RECORD_END)
			continue;
		uint8_t *t = p + off + stored - tail;
		vv_put64(t + tail - 8, XXH64(t, (size_t)tail - 8, 0));
	}
	vv_put64(p + size - 16, XXH64(p + footer, size - PACK_TRAILER - (size_t)footer, 0));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	if (!pool)
		make_folder();
	as_pack(vv_span(data, size));
	if (size)
		memcpy(copy, data, size);
	if (!seal(copy, size))
		as_pack(vv_span(copy, size));
	free(copy);
	return 0;
}
