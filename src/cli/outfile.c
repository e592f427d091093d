#define _GNU_SOURCE
#include "cli/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

int vv_outfile_open(struct vv_outfile *o, const char *path, struct vv_err *err)
{
	const char *slash;
	struct stat st;
	char *dir;
	int ret;

	*o = (struct vv_outfile){.fd = STDOUT_FILENO, .name = "standard output", .temp = VV_TEMP_INIT};
	if (!path || !strcmp(path, "-"))
		return 0;
	o->name = path;
	if (!lstat(path, &st) && !S_ISREG(st.st_mode)) {
		o->fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		return o->fd < 0 ? vv_fail_sys(err, errno, "%s", path) : 0;
	}
	slash = strrchr(path, '/');
	dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	ret = dir ? vv_temp_open(&o->temp, dir, err) : vv_fail_nomem(err);
	free(dir);
	if (ret)
		return ret;
	o->path = path;
	o->fd = o->temp.fd;
	return 0;
}

int vv_outfile_commit(struct vv_outfile *o, struct vv_err *err)
{
	int ret = 0;

	if (o->path)
		return vv_temp_publish(&o->temp, o->path, false, err);
	if (o->fd != STDOUT_FILENO) {
		ret = close(o->fd) ? vv_fail_sys(err, errno, "%s", o->name) : 0;
		o->fd = STDOUT_FILENO;
	}
	return ret;
}

void vv_outfile_release(struct vv_outfile *o)
{
	if (o->path)
		vv_temp_release(&o->temp);
	else if (o->fd > STDERR_FILENO)
		close(o->fd);
	o->path = NULL;
	o->fd = -1;
}

const struct vv_format *vv_outfile_format(const char *path)
{
	static const struct {
		const char *ending, *format;
	} endings[] = {{".safetensors", "safetensors"}, {".npz", "npz"}, {".pt", "torch"}, {".pth", "torch"}, {".bin", "torch"},
		{".gguf", "gguf"}, {".onnx", "onnx"}, {".h5", "hdf5"}, {".hdf5", "hdf5"}, {".msgpack", "msgpack"}};
	size_t n = strlen(path);

	for (size_t i = 0; i < VV_COUNT(endings); i++) {
		size_t k = strlen(endings[i].ending);
		if (n > k && !strcasecmp(path + n - k, endings[i].ending))
			return vv_format_find(vv_span_str(endings[i].format));
	}
	return NULL;
}
