/* Shared by the files of codec/ only. The bytes are specified in docs/format/codec.md. */
#ifndef VV_CODEC_INTERNAL_H
#define VV_CODEC_INTERNAL_H

#include "codec/codec.h"

#include "base/le.h"

enum {
	UNITS = 2 * VV_BLOCK_ELEMS, /* most numbers in a block: complex elements are two each */
	CLASSES = VV_CODEC_CLASSES,
	SEGMENT = 64,               /* numbers whose all being zero is one bit of the mask */
	SEGMENTS = UNITS / SEGMENT,
	PIECE = 1024,               /* numbers worked on at once: they stay in the first-level cache */
	PAD = 64,                   /* bytes past a buffer's end that may be read or overwritten */
	ANS_STATES = 8,             /* that take turns */
	ANS_MIN_LOG = 5,            /* of a table's size */
	ANS_MAX_LOG = 10,
	ANS_FRONT = 128,            /* bytes before a stream that a round of states may read */
	SCALES = VV_BLOCK_ELEMS / 8,  /* of one scale, at most */
	PLANE = UNITS + 4 * PAD,    /* no power of two: the planes would share cache lines' places */
};

/* How the elements of a type are taken apart. */
struct shape {
	unsigned width;     /* bytes of one number */
	unsigned bits;      /* of it that are kept: 8 * width - shift */
	unsigned planes;    /* bytes that `bits` need */
	unsigned exp_shift; /* the base's number >> this, & 255, picks the class */
	bool is_float;      /* sign and magnitude: mapped to order before a difference; has classes */
	bool rotate;        /* solo: the sign goes to the end, so that the exponent is a whole byte */
};
struct shape shape_of(enum vv_dtype dt, unsigned shift);

/* A number is its token's top bits, and below them so many low bits. */
extern const struct token_part {
	uint8_t low, top;
} token_parts[256];

struct ans_tables;
struct ans_reader;

struct vv_codec {
	void *cctx, *dctx; /* ZSTD_CCtx, ZSTD_DCtx */
	int level;         /* that cctx is set to */
	uint8_t *memory;   /* all that follow lie in it */
	struct ans_tables *ans;
	uint8_t *plane;    /* 8 planes, PLANE bytes apart; in a delta, words */
	uint8_t *token, *class; /* UNITS each */
	uint8_t *mask;     /* SEGMENTS / 8 */
	uint8_t *runs;     /* 7 lists, SCALES apart */
	uint8_t *predicted; /* VV_BLOCK_ELEMS: a base, quantised */
	uint8_t *stream;   /* a zstd frame or bits on their way */
	size_t stream_cap;
};

/* Numbers in memory are little-endian on every machine. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LE2(v) __builtin_bswap16(v)
#define LE4(v) __builtin_bswap32(v)
#define LE8(v) __builtin_bswap64(v)
#else
#define LE2(v) (v)
#define LE4(v) (v)
#define LE8(v) (v)
#endif
#define LE1(v) (v)
#define DEFINE_LOAD(W, T)                                                                          \
	static inline T load##W(const uint8_t *p, size_t i)                                        \
	{                                                                                          \
		T v;                                                                               \
		memcpy(&v, p + i * (W), (W));                                                      \
		return LE##W(v);                                                                   \
	}                                                                                          \
	static inline void store##W(uint8_t *p, size_t i, T v)                                     \
	{                                                                                          \
		v = LE##W(v);                                                                      \
		memcpy(p + i * (W), &v, (W));                                                      \
	}
DEFINE_LOAD(1, uint8_t)
DEFINE_LOAD(2, uint16_t)
DEFINE_LOAD(4, uint32_t)
DEFINE_LOAD(8, uint64_t)

/* Runs BODY(W, T) for the width of `s`. */
#define BY_WIDTH(s, BODY)                                                                          \
	do {                                                                                       \
		if ((s)->width == 1) {                                                             \
			BODY(1, uint8_t)                                                           \
		} else if ((s)->width == 2) {                                                      \
			BODY(2, uint16_t)                                                          \
		} else if ((s)->width == 4) {                                                      \
			BODY(4, uint32_t)                                                          \
		} else {                                                                           \
			BODY(8, uint64_t)                                                          \
		}                                                                                  \
	} while (0)

/*
 * Copies to an odd address. For long strings the C library takes one instruction, which some machines
 * carry out at a tenth of their speed when the target is not aligned.
 */
static inline void copy(uint8_t *dst, const uint8_t *src, size_t n)
{
	for (; n > PIECE; n -= PIECE, dst += PIECE, src += PIECE)
		memcpy(dst, src, PIECE);
	memcpy(dst, src, n);
}

/* Bits on their way out, lowest first; up to 8 bytes past `at` are overwritten. */
struct bits {
	uint8_t *at;
	uint64_t held;
	unsigned n;
};

/* n <= 56, v < 1 << n */
static inline void bits_put(struct bits *b, uint64_t v, unsigned n)
{
	b->held |= v << b->n;
	b->n += n;
	store8(b->at, 0, b->held);
	b->at += b->n / 8;
	b->held >>= b->n / 8 * 8;
	b->n %= 8;
}

/* --- plane.c: numbers alone, as byte planes at c->plane, top byte first --- */
/*
 * Splits n numbers less their `shift` low bits. Segments of zeros are left out: c->mask says which
 * stay. Returns how many numbers stay.
 */
size_t split_solo(struct vv_codec *c, const struct shape *s, unsigned shift, const uint8_t *raw, size_t n);
void merge_solo(const struct vv_codec *c, const struct shape *s, unsigned shift, uint8_t *raw, size_t n);

/* --- token.c: differences from a base --- */
/*
 * Fills c->mask and, for the numbers that stay, the words at c->plane, c->token and c->class; returns
 * how many those are.
 */
size_t split_delta(struct vv_codec *c, const struct shape *s, const struct vv_codec_params *p, const uint8_t *raw,
	const uint8_t *base, size_t n);
/* The inverse; c->mask is filled, the words are read one after another. 1 when they end too soon. */
int merge_delta(struct vv_codec *c, const struct shape *s, const struct vv_codec_params *p, struct ans_reader *r,
	const uint8_t *base, size_t n, uint8_t *raw);
/* The exponent byte of each number, which picks its class. */
void exponents(const struct shape *s, const uint8_t *raw, size_t n, uint8_t *out);
/* Tokens of a difference of this shape are below this. */
unsigned token_limit(const struct shape *s);

/* --- quantize.c: a base of n <= VV_BLOCK_ELEMS f32 elements, scaled --- */
/* Finds runs of one scale and fills c->predicted; returns how many runs there are, 0 when they would not pay. */
size_t scaled_find(struct vv_codec *c, const uint8_t *raw, const uint8_t *base, size_t n);
/* Writes the runs that were found. */
size_t scaled_encode(struct vv_codec *c, uint8_t *dst, size_t runs);
/* Reads runs at *in and fills c->predicted; 1 when they are broken. */
int scaled_decode(struct vv_codec *c, const uint8_t **in, const uint8_t *end, const uint8_t *base, size_t n);

/* --- mask.c: segments that are left out; `at`: a whole number of segments into the block --- */
/* Sets the bits of the segments of n words that hold anything but zeros. */
void mask_find(uint8_t *mask, size_t at, const void *words, unsigned width, size_t n);
/* How many of n words stay. */
size_t mask_count(const uint8_t *mask, size_t at, size_t n);
/* Whether no bit past the last segment of n words is set. */
bool mask_fits(const uint8_t *mask, size_t n);
/* Closes the gaps among n words of `width` bytes; returns how many stay. */
size_t mask_squeeze(const uint8_t *mask, size_t at, void *words, unsigned width, size_t n);
/* The inverse, in place: n words, zero where they were left out. */
void mask_spread(const uint8_t *mask, size_t at, void *words, unsigned width, size_t n);

/* --- ans.c: bytes, or numbers by the class of each, with as few bits as their counts allow --- */
struct ans_entry;
struct ans_reader {
	const struct ans_entry *entry;
	const uint8_t *in;
	int64_t at; /* bit */
	unsigned width, log;
	uint32_t state[ANS_STATES];
};
/*
 * Codes n > 0 tokens, each with the low bits of its word (`width` bytes each) and by c->class; with a
 * width of 0, bytes that are all of class 0. Returns the length, 0 when it would be more than cap.
 */
size_t ans_encode(struct vv_codec *c, uint8_t *dst, size_t cap, const uint8_t *token, const void *words, unsigned width,
	size_t n);
/* 1 when `in` is broken or has a token of `limit` or above. Borrows memory of c until ans_close. */
int ans_open(struct ans_reader *r, struct vv_codec *c, struct vv_span in, unsigned width, unsigned limit);
/* Reads n words (bytes: width 0), a multiple of ANS_STATES unless they are the last. 1 when there are no more. */
int ans_read(struct ans_reader *r, const uint8_t *class, void *out, size_t n);
/* 1 when something is left. */
int ans_close(const struct ans_reader *r);

/* --- entropy.c: one list of bytes --- */
void entropy_init(struct vv_codec *c);
/* log2(v) * 65536, the same on every machine; v > 0. */
uint32_t log2_fixed(uint32_t v);
/* Counts every step-th byte. */
void histogram(const uint8_t *s, size_t n, size_t step, uint32_t h[256]);
/* Order-0 bits of a list with that histogram, or whose sample has it. */
uint64_t entropy_bits(const uint32_t h[256]);
/* Writes the coded list to dst (room for n + 16) and returns its length. `matches`: look for them. */
size_t list_encode(struct vv_codec *c, uint8_t *dst, const uint8_t *s, size_t n, bool matches);
/* Reads a coded list of n <= UNITS bytes at *in; returns 1 when it is none. */
int list_decode(struct vv_codec *c, uint8_t *dst, size_t n, const uint8_t **in, const uint8_t *end);
/* General compression of text and the like; 0 when it does not pay. */
size_t text_encode(struct vv_codec *c, uint8_t *dst, size_t cap, struct vv_span raw);
int text_decode(struct vv_codec *c, uint8_t *dst, size_t n, struct vv_span coded);

#endif
