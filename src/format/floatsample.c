/*
 * What trained numbers have in common, and what text, tokens, pixels, sound, code and compressed bytes lack together:
 * magnitudes in a range of a few dozen binary orders, and mantissas like noise.
 */
#include "format/floatsample.h"

#include "base/le.h"

enum { FEWEST = 24, EARLY = 24, TOP = 128 };

/* A floating-point type, as it is looked at here. */
struct shape {
	unsigned width, mant; /* bytes; bits */
	unsigned low, high;   /* exponents that are plausible */
	unsigned span;        /* so many neighbouring ones hold most */
};

static const struct shape f32 = {4, 23, 127 - 64, 127 + 24, 40}, f64 = {8, 52, 1023 - 128, 1023 + 32, 64},
	bf16 = {2, 7, 127 - 40, 127 + 8, 24}, f16 = {2, 10, 0, 18, 12};

/* What elements other than 0 have. */
struct tally {
	unsigned n, zeros[2];  /* zeros at even places, at odd ones */
	unsigned plausible, negative, subnormal;
	uint16_t exponents[2048];
	uint16_t top[TOP];     /* the first seven bits of mantissas */
	uint16_t last[2][256]; /* their last byte, and the one above it */
};

/* --- counting --- */

static uint64_t element(const uint8_t *p, unsigned width)
{
	return width == 2 ? vv_get16(p) : width == 4 ? vv_get32(p) : vv_get64(p);
}

/* False: it soon turned out that there is no point in going on. */
static bool count(struct tally *t, const struct shape *s, struct vv_span bytes, size_t from)
{
	unsigned exp_bits = s->width * 8 - 1 - s->mant;

	memset(t, 0, sizeof(*t));
	for (size_t at = from, i = 0; at + s->width <= bytes.len; at += s->width, i++) {
		uint64_t v = element(bytes.ptr + at, s->width);
		unsigned exponent = (unsigned)(v >> s->mant & ((1u << exp_bits) - 1));

		if (!(v << (65 - s->width * 8))) {
			t->zeros[i % 2]++;
			continue;
		}
		t->n++;
		t->plausible += exponent >= s->low && exponent <= s->high;
		t->negative += (unsigned)(v >> (s->width * 8 - 1));
		t->subnormal += !exponent;
		t->exponents[exponent]++;
		t->top[v >> (s->mant - 7) & (TOP - 1)]++;
		t->last[0][v & 0xff]++;
		t->last[1][v >> 8 & 0xff]++;
		if (t->n == EARLY && t->plausible < EARLY / 2)
			return false;
	}
	return t->n >= FEWEST;
}

static unsigned distinct(const uint16_t *counts, unsigned kinds)
{
	unsigned n = 0;

	for (unsigned i = 0; i < kinds; i++)
		n += counts[i] != 0;
	return n;
}

/* So many of `kinds` as `n` draws of noise show on average. */
static double expected(unsigned kinds, unsigned n)
{
	double seen = 0;

	for (unsigned i = 0; i < n; i++)
		seen += 1 - seen / kinds;
	return seen;
}

static bool is_noise(const uint16_t *counts, unsigned kinds, unsigned n, double share)
{
	return distinct(counts, kinds) >= share * expected(kinds, n);
}

/* Most elements within `span` neighbouring exponents. */
static bool is_narrow(const struct tally *t, const struct shape *s)
{
	unsigned sum = 0, most = 0;

	for (unsigned e = s->low; e <= s->high; e++) {
		sum += t->exponents[e];
		if (e >= s->low + s->span)
			sum -= t->exponents[e - s->span];
		most = sum > most ? sum : most;
	}
	return most * 8 >= t->n * 7;
}

/* --- judging --- */

static bool is_float(const struct tally *t, const struct shape *s)
{
	return t->plausible * 16 >= t->n * 15 && is_narrow(t, s) && is_noise(t->top, TOP, t->n, 0.7);
}

/* Wide elements may have been made from narrow ones: then their last bytes are 0. Else no two of 16 bits are one. */
static bool is_wide_float(const struct tally *t, const struct shape *s)
{
	return is_float(t, s) && (t->last[0][0] * 16u >= t->n * 15u ||
		(is_noise(t->last[0], 256, t->n, 0.6) && is_noise(t->last[1], 256, t->n, 0.6)));
}

/* Of elements of twice the width, whose lower halves are 0, half would be 0. */
static bool is_every_other(const struct tally *t)
{
	unsigned more = t->zeros[0] > t->zeros[1] ? t->zeros[0] : t->zeros[1], all = t->n + t->zeros[0] + t->zeros[1];

	return more * 2 + 4 >= all && (t->zeros[0] + t->zeros[1] - more) * 4 < more;
}

/* Both signs: 16 bits of sound, of pictures or of tokens lack one, or have neither a zero in the middle. */
static bool is_half_float(const struct tally *t, const struct shape *s)
{
	return is_float(t, s) && t->negative * 16 >= t->n && (t->n - t->negative) * 16 >= t->n &&
		t->subnormal * 4 <= t->n && !is_every_other(t);
}

/* The three bits below bfloat16's exponent's top are like noise in the one type only. */
static bool looks_f16(const struct tally *t)
{
	unsigned most = 0;

	for (unsigned i = 0; i < TOP; i += TOP / 8) {
		unsigned sum = 0;
		for (unsigned k = i; k < i + TOP / 8; k++)
			sum += t->top[k];
		most = sum > most ? sum : most;
	}
	return most * 100 <= t->n * 23;
}

static bool judge_half(struct vv_span bytes, size_t from, struct vv_sample_votes *votes)
{
	struct tally t;
	bool half = count(&t, &bf16, bytes, from) && is_half_float(&t, &bf16), other;

	other = count(&t, &f16, bytes, from) && is_half_float(&t, &f16);
	if (!half && !other)
		return false;
	if (other && (!half || looks_f16(&t)))
		votes->f16++;
	else
		votes->bf16++;
	return true;
}

static bool judge(enum vv_sample_kind kind, struct vv_span bytes, size_t from, struct vv_sample_votes *votes)
{
	const struct shape *s = kind == VV_SAMPLE_F32 ? &f32 : &f64;
	struct tally t;

	if (kind == VV_SAMPLE_HALF)
		return judge_half(bytes, from, votes);
	return count(&t, s, bytes, from) && is_wide_float(&t, s);
}

/* Zeros and little else, or the same eight bytes over and over. */
static bool is_plain(struct vv_span bytes)
{
	size_t zeros = 0, same = 0;

	for (size_t i = 0; i < bytes.len; i++) {
		zeros += !bytes.ptr[i];
		same += i >= 8 && bytes.ptr[i] == bytes.ptr[i - 8];
	}
	return zeros * 10 >= bytes.len * 9 || same * 10 >= (bytes.len - 8) * 9;
}

struct vv_sample vv_sample_judge(
	struct vv_span bytes, uint64_t off, struct vv_sample hint, struct vv_sample_votes *votes)
{
	/* Narrow first: two of them together look like one that is wider. */
	static const struct {
		uint8_t kind, width;
	} all[] = {{VV_SAMPLE_HALF, 2}, {VV_SAMPLE_F32, 4}, {VV_SAMPLE_F64, 8}};

	if (bytes.len < 64 || is_plain(bytes))
		return (struct vv_sample){VV_SAMPLE_PLAIN, 0};
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < all[i].width; k++) {
			/* The phase that was right before is likely so again. */
			unsigned phase = (k + (hint.kind == all[i].kind ? hint.phase : 0)) % all[i].width;
			size_t from = (size_t)((phase + all[i].width - off % all[i].width) % all[i].width);
			if (judge((enum vv_sample_kind)all[i].kind, bytes, from, votes))
				return (struct vv_sample){all[i].kind, (uint8_t)phase};
		}
	return (struct vv_sample){VV_SAMPLE_OTHER, 0};
}
