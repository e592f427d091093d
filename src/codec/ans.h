/* The entropy coder's inside: shared by ans.c and anstable.c. */
#ifndef VV_CODEC_ANS_H
#define VV_CODEC_ANS_H

#include "codec/internal.h"

enum { ANS_LANES = 4 /* of counters */ };

/* What a symbol does to a state of the encoder. */
struct ans_step {
	uint32_t bits;  /* (state + this) >> 16 & 255: bits that the state gives; this >> 24: low bits of the number */
	int32_t find;   /* what is left of the state + this: the next state's place in `next` */
};

/* What a state of the decoder says. */
struct ans_entry {
	uint32_t value; /* of the number without its low bits (width 8: not yet shifted by them) */
	uint16_t base;  /* the next state without its bits */
	uint8_t low, bits;
};

struct ans_tables {
	uint32_t count[ANS_LANES * CLASSES][256];
	struct ans_step step[CLASSES][256];
	uint16_t next[CLASSES << ANS_MAX_LOG];
	struct ans_entry entry[CLASSES << ANS_MAX_LOG];
};

static inline unsigned bit_length(uint32_t v)
{
	return v ? 32 - (unsigned)__builtin_clz(v) : 0;
}

/* Lowest bits first; zeros after the end. */
struct bit_reader {
	struct vv_span in;
	size_t at; /* bit */
};
/* n <= 16 */
uint32_t bits_take(struct bit_reader *r, unsigned n);

/* The size of the tables, as its logarithm, for n numbers that are counted. */
unsigned table_log(size_t n, const uint32_t (*count)[256], unsigned classes);
/* Makes the counts, whose sum is n > 0, sum to 1 << log; what occurs keeps at least one. */
void table_normalize(uint32_t h[256], uint64_t n, unsigned log);
void table_put(struct bits *out, const uint32_t q[256], unsigned log);
/* 1 when these bits are no table. */
int table_take(struct bit_reader *in, uint32_t q[256], unsigned log);
/* From normalized counts. Width 0: the symbols are bytes, otherwise tokens. */
void table_decoder(struct ans_entry *entry, const uint32_t q[256], unsigned log, unsigned width);
void table_encoder(struct ans_tables *t, unsigned class, const uint32_t q[256], unsigned log, unsigned width);

#endif
