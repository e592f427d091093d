/*
 * Writes a safetensors file for tests, the same bytes for the same words.
 *
 * usage: mkmodel OUT [dtype=BF16|F32] [n=TENSORS] [elems=N] [seed=S] [set=NAME:SEED]... [drop=NAME]... [meta=TEXT]
 *
 * Tensors are t0 … t<n-1>, each one row of `elems` values like trained weights, drawn from seed and
 * name. set= draws one tensor (an existing or a new name) from another seed; drop= leaves one out.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 60000 };

struct tensor {
	char name[64];
	uint64_t seed;
	int dropped;
};

static uint64_t next(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Roughly normal: the sum of twelve uniform numbers. */
static float value(uint64_t *s)
{
	double v = -6;

	for (int i = 0; i < 12; i++)
		v += (double)(next(s) >> 11) / 9007199254740992.0;
	return (float)(v * 0.02);
}

static uint64_t name_seed(const char *name, uint64_t seed)
{
	for (; *name; name++)
		seed = (seed ^ (uint8_t)*name) * 0x100000001b3u;
	return seed;
}

int main(int argc, char **argv)
{
	static struct tensor t[MAX];
	size_t n = 8, elems = 4096, count;
	uint64_t seed = 1, off = 0;
	const char *meta = NULL;
	int width = 2;
	FILE *f;

	for (int i = 2; i < argc; i++) {
		if (!strncmp(argv[i], "n=", 2))
			n = strtoul(argv[i] + 2, NULL, 10);
		else if (!strncmp(argv[i], "elems=", 6))
			elems = strtoul(argv[i] + 6, NULL, 10);
		else if (!strncmp(argv[i], "seed=", 5))
			seed = strtoul(argv[i] + 5, NULL, 10);
		else if (!strncmp(argv[i], "meta=", 5))
			meta = argv[i] + 5;
		else if (!strcmp(argv[i], "dtype=F32"))
			width = 4;
	}
	if (argc < 2 || n > MAX - 1000)
		return 2;
	for (count = 0; count < n; count++) {
		snprintf(t[count].name, sizeof(t[count].name), "t%zu", count);
		t[count].seed = name_seed(t[count].name, seed);
	}
	for (int i = 2; i < argc; i++) {
		char name[64];
		unsigned long s = 0;
		size_t k = 0;
		int drop = !strncmp(argv[i], "drop=", 5);

		if (!drop && strncmp(argv[i], "set=", 4))
			continue;
		if (drop ? sscanf(argv[i] + 5, "%63s", name) != 1 : sscanf(argv[i] + 4, "%63[^:]:%lu", name, &s) != 2)
			return 2;
		while (k < count && strcmp(t[k].name, name))
			k++;
		if (k == count)
			strcpy(t[count++].name, name);
		t[k].seed = name_seed(name, s + 1000);
		t[k].dropped = drop;
	}
	char *head = malloc(count * 160 + 4096);
	size_t len = 0;
	len += (size_t)sprintf(head + len, "{");
	if (meta)
		len += (size_t)sprintf(head + len, "\"__metadata__\":{\"note\":\"%s\"},", meta);
	for (size_t i = 0; i < count; i++) {
		if (t[i].dropped)
			continue;
		len += (size_t)sprintf(head + len, "\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[%llu,%llu]},",
			t[i].name, width == 2 ? "BF16" : "F32", elems, (unsigned long long)off,
			(unsigned long long)(off + elems * (size_t)width));
		off += elems * (size_t)width;
	}
	if (head[len - 1] == ',')
		len--;
	len += (size_t)sprintf(head + len, "}");
	while (len % 8)
		head[len++] = ' ';
	f = fopen(argv[1], "wb");
	if (!f) {
		perror(argv[1]);
		return 1;
	}
	for (int i = 0; i < 8; i++)
		fputc((int)(len >> 8 * i & 255), f);
	fwrite(head, 1, len, f);
	for (size_t i = 0; i < count; i++) {
		uint64_t s = t[i].seed;
		for (size_t k = 0; k < elems && !t[i].dropped; k++) {
			float v = value(&s);
			uint32_t u;
			memcpy(&u, &v, 4);
			if (width == 2)
				u >>= 16;
			for (int b = 0; b < width; b++)
				fputc((int)(u >> 8 * b & 255), f);
		}
	}
	free(head);
	return fclose(f) != 0;
}
