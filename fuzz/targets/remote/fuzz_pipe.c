/*
 * Both ends of a pipe against nonsense. Byte 0: which end. (a) The far end is asked for what the input says: it answers,
 * refuses or ends, and nothing but packs that are what they are called gets into its store. (b) The near end gets the
 * input for an answer: an error, or packs and bytes that were asked for.
 */
#define _GNU_SOURCE
#include "base/le.h"
#include "hash/sha256.h"
#include "os/file.h"
#include "os/tempdir.h"
#include "remote/remote.h"
#include "remote/wire.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int filled(const uint8_t *data, size_t size)
{
	int fd = memfd_create("in", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		abort();
	return fd;
}

static int is_what_it_says(void *arg, const char *name, struct vv_err *err)
{
	char *path = vv_join(arg, name);
	struct vv_file f;
	struct vv_id id, said;

	if (vv_id_parse(&said, vv_span(name, VV_ID_HEX)) || vv_file_open(&f, path, err) ||
		vv_sha256_source(&f.base, &id, err) || !vv_id_eq(&id, &said))
		abort();
	vv_file_close(&f);
	free(path);
	return 0;
}

static void far_end(const uint8_t *data, size_t size)
{
	struct vv_err err = VV_ERR_INIT;
	char *dir = NULL, *packs;
	int in = filled(data, size), out = memfd_create("out", MFD_CLOEXEC), ret;

	if (vv_tempdir_make(&dir, "/tmp", &err))
		abort();
	ret = vv_remote_serve(dir, in, out, false, &err);
	if (ret && !err.msg[0])
		abort();
	packs = vv_join(dir, "packs");
	vv_err_clear(&err);
	if (vv_each_name(packs, is_what_it_says, packs, &err))
		abort();
	vv_tempdir_remove(dir);
	free(packs);
	free(dir);
	close(in);
	close(out);
}

static int list_one(void *arg, const struct vv_id *pack, uint64_t size, struct vv_err *err)
{
	(void)pack;
	(void)err;
	if (size >> 48)
		abort();
	++*(size_t *)arg;
	return 0;
}

static int take(void *arg, size_t i, uint64_t off, struct vv_span bytes, struct vv_err *err)
{
	uint64_t *left = arg;

	(void)err;
	if (i > 1 || bytes.len > left[i] || off != 100 - left[i])
		abort();
	left[i] -= bytes.len;
	return 0;
}

static void near_end(const uint8_t *data, size_t size)
{
	static const struct vv_extent parts[2] = {{{{1}}, 0, 100}, {{{2}}, 0, 100}};
	struct vv_err err = VV_ERR_INIT;
	struct vv_remote *r = NULL;
	uint64_t left[2] = {100, 100};
	size_t n = 0;
	int in = filled(data + 1, size - 1), out = open("/dev/null", O_WRONLY | O_CLOEXEC), ret;

	ret = vv_remote_wired(&r, "fuzz", in, out, &err);
	if (ret) {
		if (!err.msg[0])
			abort();
		return;
	}
	if (data[0] & 1)
		ret = r->ops->list(r, list_one, &n, &err);
	else if (data[0] & 2)
		ret = r->ops->keep(r, &parts[0].pack, 1, &err);
	else
		ret = r->ops->get(r, parts, 2, take, left, &err);
	if (ret ? !err.msg[0] : !(data[0] & 3) && (left[0] || left[1]))
		abort();
	vv_remote_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 0x80)
		near_end(data, size);
	else
		far_end(data + 1, size - 1);
	return 0;
}
