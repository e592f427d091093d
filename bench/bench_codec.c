/*
 * Ratio and speed of the codec on one core.
 * usage: bench_codec FILE.safetensors...   each file is coded alone and against the one before.
 */
#include "codec/codec.h"
#include "base/le.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct model {
	uint8_t *data;
	size_t len, at;
	json_t *head;
};

static int load(struct model *m, const char *path)
{
	FILE *f = fopen(path, "rb");

	if (!f)
		return 1;
	fseek(f, 0, SEEK_END);
	m->len = (size_t)ftell(f);
	rewind(f);
	m->data = malloc(m->len);
	if (!m->data || fread(m->data, 1, m->len, f) != m->len || m->len < 8)
		return 1;
	fclose(f);
	m->at = 8 + (size_t)vv_get64(m->data);
	m->head = json_loadb((char *)m->data + 8, m->at - 8, 0, NULL);
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

/* Codes every tensor of `m`; the coded size, and seconds by direction. */
static size_t code(struct vv_codec *c, const struct model *m, const struct model *base, double *enc, double *dec)
{
	size_t total = 0, len, blen;
	const char *name;
	json_t *value;
	uint8_t *out = malloc(vv_block_bound(VV_BLOCK_ELEMS * 8)), *back = malloc(VV_BLOCK_ELEMS * 8);
	struct vv_err err;

	json_object_foreach(m->head, name, value)
	{
		enum vv_dtype dt, bdt;
		const uint8_t *raw = tensor(m, name, &len, &dt), *old = NULL;
		struct vv_codec_params p;
		size_t sample, block;

		if (!raw)
			continue;
		if (base && (!(old = tensor(base, name, &blen, &bdt)) || blen != len || bdt != dt))
			continue;
		block = vv_block_bytes(dt);
		sample = len < 65536 ? len : 65536;
		vv_codec_plan(c, &p, dt, &raw, base ? &old : NULL, &sample, 1);
		unsigned dead = vv_block_dead_bits(dt, vv_span(raw, len));
		p.shift = p.shift < dead ? p.shift : (uint8_t)dead;
		for (size_t at = 0; at < len; at += block) {
			size_t n = len - at < block ? len - at : block, k;
			double t = now();
			k = vv_block_encode(c, &p, out, vv_span(raw + at, n), base ? old + at : NULL);
			*enc += now() - t;
			t = now();
			if (vv_block_decode(c, &p, back, n, vv_span(out, k), base ? old + at : NULL, &err) ||
				memcmp(back, raw + at, n)) {
				fprintf(stderr, "%s does not come back\n", name);
				exit(1);
			}
			*dec += now() - t;
			total += k;
		}
	}
	free(out);
	free(back);
	return total;
}

int main(int argc, char **argv)
{
	struct vv_codec *c = vv_codec_new();
	struct model m = {0}, before = {0};

	printf("%-44s %-6s %8s %8s %8s\n", "file", "mode", "ratio", "enc GB/s", "dec GB/s");
	for (int i = 1; i < argc; i++) {
		if (load(&m, argv[i])) {
			fprintf(stderr, "cannot read %s\n", argv[i]);
			return 1;
		}
		for (int delta = 0; delta < 2; delta++) {
			double enc = 0, dec = 0;
			size_t raw = m.len - m.at, n = 0;
			if (delta && !before.data)
				continue;
			for (int k = 0; k < 5; k++)
				n = code(c, &m, delta ? &before : NULL, &enc, &dec);
			printf("%-44s %-6s %8.4f %8.2f %8.2f\n", strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i],
				delta ? "delta" : "solo", (double)n / (double)raw, 5e-9 * (double)raw / enc,
				5e-9 * (double)raw / dec);
		}
		free(before.data);
		json_decref(before.head);
		before = m;
		m = (struct model){0};
	}
	free(before.data);
	json_decref(before.head);
	vv_codec_free(c);
	return 0;
}
