/*
 * How much of a file its reader reads to find the tensors, and how long that takes when it is in memory.
 * usage: bench_locate [-n RUNS] FILE...
 * For each file a line: format, tensors, bytes, bytes read, milliseconds (the median of RUNS, 5, after one).
 */
#include "format/format.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RUNS = 99 };

struct counted {
	struct vv_source base;
	int fd;
	uint64_t *bytes; /* that were asked for */
};

static int read_at(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct counted *c = (const struct counted *)self;

	*c->bytes += len;
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(c->fd, (char *)dst + done, len - done, (off_t)(off + done));
		if (n <= 0)
			return vv_fail(err, VV_EIO, "offset %" PRIu64 ": cannot be read", off);
		done += (size_t)n;
	}
	return 0;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int measure(const char *path, int runs)
{
	struct vv_err err = VV_ERR_INIT;
	double ms[MAX_RUNS];
	uint64_t bytes = 0;
	struct counted c = {.fd = open(path, O_RDONLY | O_CLOEXEC), .bytes = &bytes};
	size_t tensors = 0;
	struct vv_layout l;
	struct stat st;
	int ret = c.fd < 0 || fstat(c.fd, &st);

	if (ret) {
		fprintf(stderr, "bench_locate: %s: cannot be opened\n", path);
		return 1;
	}
	c.base = (struct vv_source){(uint64_t)st.st_size, read_at};
	for (int i = -1; i < runs && !ret; i++) {
		double begun = now_ms();
		bytes = 0;
		ret = vv_layout_locate(&l, &c.base, &err);
		if (ret)
			break;
		if (i >= 0)
			ms[i] = now_ms() - begun;
		tensors = 0;
		for (size_t k = 0; k < l.n_segs; k++)
			tensors += l.segs[k].n_views;
		if (i == runs - 1) {
			qsort(ms, (size_t)runs, sizeof(*ms), by_size);
			printf("%s %zu %" PRIu64 " %" PRIu64 " %.3f\n", l.format->name, tensors, c.base.size, bytes, ms[runs / 2]);
		}
		vv_layout_release(&l);
	}
	if (ret)
		fprintf(stderr, "bench_locate: %s: %s\n", path, err.msg);
	close(c.fd);
	return ret;
}

int main(int argc, char **argv)
{
	int runs = 5, ret = 0, opt;

	while ((opt = getopt(argc, argv, "n:")) != -1)
		runs = opt == 'n' ? (int)strtol(optarg, NULL, 10) : 0;
	if (runs < 1 || runs > MAX_RUNS || optind == argc) {
		fprintf(stderr, "usage: bench_locate [-n RUNS] FILE...\n");
		return 129;
	}
	for (; optind < argc; optind++)
		ret |= measure(argv[optind], runs) != 0;
	return ret;
}
