/* Bytes of many kinds, the same for the same seed: numbers of each type, and what is none. */
#ifndef VV_TESTS_MKFLOATS_H
#define VV_TESTS_MKFLOATS_H

#include "base/buf.h"
#include "base/le.h"

#include <math.h>

static inline uint64_t draw(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline double uniform(uint64_t *s)
{
	return (double)(draw(s) >> 11) / 9007199254740992.0;
}

/* Like a trained layer's. */
static inline double weight(uint64_t *s)
{
	double v = -6;

	for (int i = 0; i < 12; i++)
		v += uniform(s);
	return v * 0.03;
}

static inline uint32_t f32_bits(double v)
{
	float f = (float)v;
	uint32_t u;

	memcpy(&u, &f, 4);
	return u;
}

/* Rounded towards 0; subnormals are 0. */
static inline uint16_t f16_bits(double v)
{
	uint32_t u = f32_bits(v);
	int e = (int)(u >> 23 & 255) - 112;

	return (uint16_t)(u >> 16 & 0x8000) | (uint16_t)(e <= 0 ? 0 : (uint32_t)e << 10 | (u >> 13 & 1023));
}

static inline void put_f64(struct vv_buf *b, double v)
{
	uint64_t u;

	memcpy(&u, &v, 8);
	vv_buf_le(b, u, 8);
}

/* A token of a text: small ones are common. */
static inline uint64_t token(uint64_t *s)
{
	return (uint64_t)exp(uniform(s) * log(50000));
}

enum made_kind { MADE_F32, MADE_F16, MADE_BF16, MADE_F64, MADE_F32_OF_BF16, MADE_F64_OF_F32, MADE_SQUARES, MADE_SPARSE,
	MADE_LARGE_F16, MADE_FLOAT_SOUND, MADE_ZEROS, MADE_ONES, MADE_NOISE, MADE_TEXT, MADE_DIGITS, MADE_BASE64, MADE_UTF16,
	MADE_CYRILLIC, MADE_TOKENS32, MADE_TOKENS64, MADE_TOKENS16, MADE_PCM16, MADE_LOUD16, MADE_RGB, MADE_GREY16, MADE_INT8,
	MADE_UINT8, MADE_INT4, MADE_E4M3, MADE_E5M2, MADE_TIMES, MADE_Q8, MADE_KINDS };

static inline void make_text(struct vv_buf *b, uint64_t *s, enum made_kind kind)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char *const words[] = {"the ", "model ", "of ", "a ", "layer, ", "weights ", "is ", "trained.\n", "Epoch ",
		"and ", "loss ", "\"name\": ", "return ", "if (x) {\n\t", "gradient ", "0.5 "};

	if (kind == MADE_TEXT)
		vv_buf_str(b, words[draw(s) % 16]);
	else if (kind == MADE_DIGITS)
		vv_buf_fmt(b, "%.6f,", weight(s));
	else if (kind == MADE_BASE64)
		vv_buf_char(b, set[draw(s) % 64]);
	else if (kind == MADE_UTF16)
		vv_buf_le(b, (uint64_t)words[draw(s) % 16][0], 2);
	else if (draw(s) % 6)
		vv_buf_le(b, 0xb0d0 + (draw(s) % 16 << 8), 2);
	else
		vv_buf_char(b, ' ');
}

static inline void make_numbers(struct vv_buf *b, uint64_t *s, enum made_kind kind, uint64_t i)
{
	double w = weight(s), t = (double)i;

	switch (kind) {
	case MADE_F16: vv_buf_le(b, f16_bits(w), 2); break;
	case MADE_LARGE_F16: vv_buf_le(b, f16_bits(w * 40), 2); break;
	case MADE_BF16: vv_buf_le(b, f32_bits(w) >> 16, 2); break;
	case MADE_F64: put_f64(b, w + w * uniform(s) * 1e-9); break;
	case MADE_F32_OF_BF16: vv_buf_le(b, f32_bits(w) & 0xffff0000u, 4); break;
	case MADE_F64_OF_F32: put_f64(b, (double)(float)w); break;
	case MADE_SQUARES: vv_buf_le(b, f32_bits(w * w * 1e-4), 4); break;
	case MADE_SPARSE: vv_buf_le(b, draw(s) % 3 ? 0 : f32_bits(w), 4); break;
	case MADE_FLOAT_SOUND: vv_buf_le(b, f32_bits(sin(t * 0.05) * sin(t * 0.0007) * 0.8 + w * 0.1), 4); break;
	case MADE_TOKENS32: vv_buf_le(b, token(s), 4); break;
	case MADE_TOKENS64: vv_buf_le(b, token(s), 8); break;
	case MADE_TOKENS16: vv_buf_le(b, token(s), 2); break;
	case MADE_PCM16: vv_buf_le(b, (uint64_t)(int64_t)(sin(t * 0.05) * sin(t * 0.0007) * 9000 + w * 2000), 2); break;
	case MADE_LOUD16: vv_buf_le(b, (uint64_t)(int64_t)(sin(t * 0.05) * 30000 + w * 2000), 2); break;
	case MADE_GREY16: vv_buf_le(b, (uint64_t)(9000 + 3000 * sin(t * 0.001) + w * 5000), 2); break;
	case MADE_TIMES: vv_buf_le(b, 1700000000 + i * 30 + draw(s) % 30, 4); break;
	default: vv_buf_le(b, f32_bits(w), 4);
	}
}

static inline unsigned nibble(double w)
{
	return (unsigned)(int)(8 + w * 80) & 15;
}

static inline void make_bytes(struct vv_buf *b, uint64_t *s, enum made_kind kind, uint64_t i)
{
	double w = weight(s), t = (double)i;
	uint32_t f = f32_bits(w * 100);
	int e = (int)(f >> 23 & 255) - 127;

	switch (kind) {
	case MADE_RGB: vv_buf_char(b, (char)(int)(90 + 40 * sin(t * 0.0003) + 15 * (double)(i % 3) + w * 50)); break;
	case MADE_INT8: vv_buf_char(b, (char)(int)(w * 1200)); break;
	case MADE_UINT8: vv_buf_char(b, (char)(int)(128 + w * 900)); break;
	case MADE_INT4: vv_buf_char(b, (char)(nibble(w) | nibble(weight(s)) << 4)); break;
	case MADE_E4M3: vv_buf_char(b, (char)((f >> 24 & 128) | (e < -6 ? 0 : (uint32_t)(e + 7) << 3 | (f >> 20 & 7)))); break;
	case MADE_E5M2: vv_buf_char(b, (char)((f >> 24 & 128) | (e < -14 ? 0 : (uint32_t)(e + 15) << 2 | (f >> 21 & 3)))); break;
	case MADE_ZEROS: vv_buf_char(b, 0); break;
	case MADE_ONES: vv_buf_le(b, 0x3f800000, 4); break;
	default: vv_buf_char(b, (char)draw(s));
	}
}

/* Adds `n` bytes. */
static inline void make_kind(struct vv_buf *b, enum made_kind kind, size_t n, uint64_t seed)
{
	size_t end = b->len + n;

	for (uint64_t i = 0; b->len < end; i++)
		if (kind >= MADE_TEXT && kind <= MADE_CYRILLIC)
			make_text(b, &seed, kind);
		else if (kind == MADE_Q8 && i % 17 == 0)
			vv_buf_le(b, f16_bits(0.001 + 0.001 * uniform(&seed)), 2);
		else if (kind == MADE_Q8)
			make_bytes(b, &seed, MADE_INT8, i), make_bytes(b, &seed, MADE_INT8, i);
		else if (kind <= MADE_FLOAT_SOUND || (kind >= MADE_TOKENS32 && kind <= MADE_LOUD16) || kind == MADE_GREY16 ||
			kind == MADE_TIMES)
			make_numbers(b, &seed, kind, i);
		else
			make_bytes(b, &seed, kind, i);
	b->len = end;
}

#endif
