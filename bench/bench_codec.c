/*
 * Ratio and speed of the codec on one core, beside memcpy and SHA-256 in the same run.
 * usage: bench_codec [-n RUNS] FILE.safetensors... | FOLDER
 * Each file is coded alone and against the one before it whose name ends alike ("-bf16.safetensors");
 * a folder stands for its files in the order of their names. Times are medians of RUNS (5).
 */
#define _GNU_SOURCE
#include "base/le.h"
#include "codec/codec.h"
#include "hash/sha256.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_RUNS = 99, MAX_FILES = 256 };

struct model {
	const char *path;
	uint8_t *data;
	size_t len, at;
	json_t *head;
};

/* One direction of one mode, and what to do it with. */
struct job {
	struct vv_codec *codec;
	const struct model *m, *base;
	uint8_t *coded, *raw;
	size_t coded_len;
	double guess; /* what the samples promised */
};

static double now(void)
{
	struct timespec t;

	/* Of this process alone: others may run on the same core. */
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int load(struct model *m, const char *path)
{
	FILE *f = fopen(path, "rb");

	if (!f)
		return 1;
	m->path = path;
	fseek(f, 0, SEEK_END);
	m->len = (size_t)ftell(f);
	rewind(f);
	m->data = malloc(m->len);
	if (!m->data || fread(m->data, 1, m->len, f) != m->len || m->len < 8)
		return 1;
	fclose(f);
	m->at = 8 + (size_t)vv_get64(m->data);
	m->head = m->at <= m->len ? json_loadb((char *)m->data + 8, m->at - 8, 0, NULL) : NULL;
	return !m->head;
}

static const uint8_t *tensor(const struct model *m, const char *name, size_t *len, enum vv_dtype *dt)
{
	json_t *t = json_object_get(m->head, name), *o = json_object_get(t, "data_offsets");
	const char *d = json_string_value(json_object_get(t, "dtype"));
	size_t a = (size_t)json_integer_value(json_array_get(o, 0)), b = (size_t)json_integer_value(json_array_get(o, 1));

	if (!d)
		return NULL;
	*dt = !strcmp(d, "BF16") ? VV_DT_BF16 : !strcmp(d, "F16") ? VV_DT_F16 : !strcmp(d, "F32") ? VV_DT_F32 : VV_DT_U8;
	*len = b - a;
	return m->data + m->at + a;
}

/* Samples as the store takes them: 8 stretches of 4096 elements. */
static void plan(struct job *j, struct vv_codec_params *p, enum vv_dtype dt, const uint8_t *raw, const uint8_t *base,
	size_t len)
{
	size_t width = vv_dtype_width(dt), elems = len / width, lens[8], n = 0;
	const uint8_t *a[8], *b[8];

	for (size_t i = 0, at = 0; i < 8; i++) {
		size_t from = elems * i / 8, take = elems - from < 4096 ? elems - from : 4096;
		if (from < at || !take)
			continue;
		a[n] = raw + from * width;
		b[n] = base ? base + from * width : NULL;
		lens[n++] = take * width;
		at = from + take;
	}
	vv_codec_plan(j->codec, p, dt, a, base ? b : NULL, lens, n);
	unsigned dead = vv_block_dead_bits(dt, vv_span(raw, len));
	if (base) {
		unsigned d = vv_block_dead_bits(dt, vv_span(base, len));
		dead = d < dead ? d : dead;
	}
	p->shift = p->shift < dead ? p->shift : (uint8_t)dead;
	size_t cost = 0, of = 0;
	for (size_t i = 0; i < n; i++) {
		cost += vv_codec_cost(j->codec, p, vv_span(a[i], lens[i]), b[i]);
		of += lens[i];
	}
	j->guess += of ? (double)cost / (double)of * (double)len : 0;
}

/* Runs over all tensors: plans and encodes, or decodes what was encoded. */
static double code(struct job *j, bool decode)
{
	size_t len, base_len, at = 0;
	double took = 0, t;
	const char *name;
	json_t *value;
	struct vv_err err;
	static struct vv_codec_params params[65536];
	size_t k = 0;

	json_object_foreach(j->m->head, name, value)
	{
		enum vv_dtype dt, base_dt;
		const uint8_t *raw = tensor(j->m, name, &len, &dt), *base = NULL;
		struct vv_codec_params *p = &params[k++ % 65536];

		if (!raw)
			continue;
		if (j->base) {
			base = tensor(j->base, name, &base_len, &base_dt);
			if (!base || base_len != len || base_dt != dt)
				base = NULL;
		}
		if (!decode)
			plan(j, p, dt, raw, base, len);
		t = now();
		for (size_t off = 0, block = vv_block_bytes(dt); off < len; off += block) {
			size_t n = len - off < block ? len - off : block;
			uint8_t *row = j->coded + at;
			const uint8_t *b = base ? base + off : NULL;
			if (!decode)
				vv_put32(row, (uint32_t)vv_block_encode(j->codec, p, row + 4, vv_span(raw + off, n), b));
			else if (vv_block_decode(j->codec, p, j->raw + (size_t)(raw - j->m->data) + off, n,
					 vv_span(row + 4, vv_get32(row)), b, &err))
				exit(fprintf(stderr, "%s: %s\n", name, err.msg));
			at += 4 + vv_get32(row);
		}
		took += now() - t;
	}
	j->coded_len = at;
	return took;
}

static int up(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *t, int n)
{
	qsort(t, (size_t)n, sizeof(*t), up);
	return t[n / 2];
}

static void measure(struct job *j, int runs)
{
	double enc[MAX_RUNS], dec[MAX_RUNS], copy[MAX_RUNS], hash[MAX_RUNS];
	double gb = 1e-9 * (double)(j->m->len - j->m->at), t;
	const char *slash = strrchr(j->m->path, '/');
	struct vv_id id;

	for (int i = 0; i < runs; i++) {
		j->guess = 0;
		enc[i] = code(j, false);
		memset(j->raw, 0, j->m->len);
		dec[i] = code(j, true);
		if (memcmp(j->raw + j->m->at, j->m->data + j->m->at, j->m->len - j->m->at))
			exit(fprintf(stderr, "%s does not come back\n", j->m->path));
		t = now();
		memcpy(j->raw, j->m->data, j->m->len);
		copy[i] = now() - t;
		t = now();
		vv_sha256(vv_span(j->m->data, j->m->len), &id);
		hash[i] = now() - t;
	}
	printf("%-36s %-5s %7.4f %7.4f %8.2f %8.2f %8.2f %8.2f\n", slash ? slash + 1 : j->m->path,
		j->base ? "delta" : "solo", 1e-9 * (double)j->coded_len / gb, 1e-9 * j->guess / gb,
		gb / median(enc, runs), gb / median(dec, runs), gb / median(copy, runs), gb / median(hash, runs));
}

/* What follows the last '-' of a name: "bf16.safetensors". */
static const char *kind(const char *path)
{
	const char *dash = strrchr(path, '-');

	return dash ? dash : "";
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct model *)a)->path, ((const struct model *)b)->path);
}

/* A file, or the safetensors of a folder in the order of their names. */
static int add(struct model *models, int n, const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char *name;
	int first = n;

	if (!d)
		return n < MAX_FILES && !load(&models[n], path) ? n + 1 : -1;
	while ((e = readdir(d)) && n >= 0) {
		size_t l = strlen(e->d_name);
		if (l > 12 && !strcmp(e->d_name + l - 12, ".safetensors"))
			n = asprintf(&name, "%s/%s", path, e->d_name) > 0 ? add(models, n, name) : -1;
	}
	closedir(d);
	if (n > first)
		qsort(models + first, (size_t)(n - first), sizeof(*models), by_name);
	return n;
}

int main(int argc, char **argv)
{
	struct job j = {.codec = vv_codec_new()};
	static struct model models[MAX_FILES];
	unsigned long runs = 5;
	int n = 0, first = 1;

	if (argc > 2 && !strcmp(argv[1], "-n")) {
		runs = strtoul(argv[2], NULL, 10); /* 0 when it is no number */
		first = 3;
	}
	if (runs < 1 || runs > MAX_RUNS || first >= argc)
		return fprintf(stderr, "usage: bench_codec [-n RUNS] FILE.safetensors... | FOLDER\n"), 2;
	for (int i = first; i < argc; i++)
		if ((n = add(models, n, argv[i])) < 0)
			return fprintf(stderr, "cannot read %s\n", argv[i]), 1;
	printf("%-36s %-5s %7s %7s %8s %8s %8s %8s\n", "file; GB/s", "mode", "ratio", "guess", "encode", "decode", "memcpy",
		"sha256");
	for (int i = 0; i < n; i++) {
		j.m = &models[i];
		j.raw = malloc(j.m->len);
		j.coded = malloc(j.m->len + j.m->len / 8 + (1 << 20));
		if (!j.codec || !j.raw || !j.coded)
			return 1;
		j.base = NULL;
		measure(&j, (int)runs);
		for (int k = i - 1; k >= 0 && !j.base; k--)
			if (!strcmp(kind(models[k].path), kind(models[i].path)))
				j.base = &models[k];
		if (j.base)
			measure(&j, (int)runs);
		free(j.raw);
		free(j.coded);
	}
	vv_codec_free(j.codec);
	return 0;
}
