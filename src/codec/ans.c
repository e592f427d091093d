/*
 * Asymmetric numeral systems with tables (tANS): the entropy coder of tokens. Every number is coded by
 * the table of its class, whatever class the number before had; a symbol may cost a fraction of a bit.
 * Eight states take turns, so that one number need not wait for the one before.
 *
 * The bits are written from the last number to the first and read from the end down.
 */
#include "codec/ans.h"

enum { STATES = ANS_STATES, LANES = ANS_LANES, FEW = 4096 };

/* --- encoding --- */

/* Symbols of each class; returns the low bits of all numbers. */
static uint64_t count_symbols(uint32_t (*count)[256], const uint8_t *symbol, const uint8_t *class, size_t n)
{
	uint32_t *h = count[0];
	uint64_t low = 0;
	size_t i = 0;

	/* Counters side by side, since one that was just written is slow to read; not for a few. */
	unsigned lanes = n < FEW ? 1 : LANES;
	memset(h, 0, lanes * CLASSES * 256 * sizeof(*h));
	for (; lanes > 1 && i + LANES <= n; i += LANES)
		for (unsigned k = 0; k < LANES; k++)
			h[(k * CLASSES + class[i + k]) * 256 + symbol[i + k]]++;
	for (; i < n; i++)
		h[class[i] * 256 + symbol[i]]++;
	for (i = 0; i < CLASSES * 256; i++) {
		for (unsigned k = 1; k < lanes; k++)
			h[i] += h[k * CLASSES * 256 + i];
		low += (uint64_t)h[i] * token_parts[i % 256].low;
	}
	return low;
}

VV_INLINE uint64_t number_at(const void *in, unsigned width, size_t i)
{
	return width == 1 ? ((const uint8_t *)in)[i] : width == 2 ? ((const uint16_t *)in)[i] :
		width == 4 ? ((const uint32_t *)in)[i] : ((const uint64_t *)in)[i];
}

/* Bits of one number that go to the stream: its low bits, and above them its state's. */
struct piece {
	uint64_t v;
	unsigned n;
};

VV_INLINE struct piece encode_one(const struct ans_tables *t, struct bits *b, uint32_t *state, uint8_t class,
	uint8_t symbol, const void *in, size_t i, unsigned width)
{
	struct ans_step step = t->step[class][symbol];
	unsigned n = (*state + step.bits) >> 16 & 255, low = width ? step.bits >> 24 : 0;
	uint64_t over = *state & ((1u << n) - 1), number = width ? number_at(in, width, i) & (((uint64_t)1 << low) - 1) : 0;

	*state = t->next[(int32_t)(*state >> n) + step.find];
	if (width == 8 && low > 32) {
		bits_put(b, number & 0xffffffff, 32);
		number >>= 32;
		low -= 32;
	}
	return (struct piece){over << low | number, low + n};
}

VV_INLINE void encode_numbers(const struct ans_tables *t, unsigned log, struct bits *out, const uint8_t *class,
	const uint8_t *symbol, const void *in, size_t n, unsigned width)
{
	uint32_t state[STATES];
	struct bits b = *out;

	for (int j = 0; j < STATES; j++)
		state[j] = 1u << log;
	for (; n % STATES; n--) {
		struct piece p = encode_one(t, &b, &state[(n - 1) % STATES], width ? class[n - 1] : 0, symbol[n - 1], in, n - 1,
			width);
		bits_put(&b, p.v, p.n);
	}
	for (; n; n -= STATES)
		for (unsigned j = STATES; j; j -= 2) {
			size_t i = n - STATES + j - 1;
			struct piece p = encode_one(t, &b, &state[j - 1], width ? class[i] : 0, symbol[i], in, i, width);
			if (width > 2) {
				bits_put(&b, p.v, p.n);
				p = (struct piece){0};
			}
			i--;
			struct piece q = encode_one(t, &b, &state[j - 2], width ? class[i] : 0, symbol[i], in, i, width);
			bits_put(&b, q.v << p.n | p.v, q.n + p.n);
		}
	for (int j = STATES - 1; j >= 0; j--)
		bits_put(&b, state[j] - (1u << log), log);
	*out = b;
}

#define DEFINE_ENCODE(W)                                                                           \
	VV_CLONES_BITS static void encode##W(const struct ans_tables *t, unsigned log, struct bits *out, const uint8_t *class, \
		const uint8_t *symbol, const void *in, size_t n)                                   \
	{                                                                                          \
		encode_numbers(t, log, out, class, symbol, in, n, (W));                            \
	}
DEFINE_ENCODE(0)
DEFINE_ENCODE(1)
DEFINE_ENCODE(2)
DEFINE_ENCODE(4)
DEFINE_ENCODE(8)

/* Makes and writes the tables of the classes that hold anything but zeros. */
static void put_tables(struct ans_tables *t, struct bits *b, unsigned log, unsigned width)
{
	bits_put(b, log, 4);
	for (unsigned k = 0; k < (width ? CLASSES : 1); k++) {
		uint32_t *h = t->count[k];
		uint64_t sum = 0;
		for (unsigned i = 0; i < 256; i++)
			sum += h[i];
		bool has = sum != h[0];
		bits_put(b, has, 1);
		if (!sum)
			continue;
		table_normalize(h, sum, log);
		table_encoder(t, k, h, log, width);
		if (has)
			table_put(b, h, log);
	}
	bits_put(b, 0, -b->n % 8);
}

size_t ans_encode(struct vv_codec *c, uint8_t *dst, size_t cap, const uint8_t *symbol, const void *words, unsigned width,
	size_t n)
{
	struct ans_tables *t = c->ans;
	unsigned classes = width ? CLASSES : 1, log;
	struct bits b = {.at = c->stream};
	uint64_t estimate = 0;

	if (width)
		estimate = count_symbols(t->count, symbol, c->class, n);
	else
		histogram(symbol, n, 1, t->count[0]);
	for (unsigned k = 0; k < classes; k++)
		estimate += entropy_bits(t->count[k]);
	if (estimate / 8 >= cap)
		return 0;
	log = table_log(n, (const uint32_t(*)[256])t->count, classes);
	put_tables(t, &b, log, width);
	if (width == 0)
		encode0(t, log, &b, c->class, symbol, words, n);
	else if (width == 1)
		encode1(t, log, &b, c->class, symbol, words, n);
	else if (width == 2)
		encode2(t, log, &b, c->class, symbol, words, n);
	else if (width == 4)
		encode4(t, log, &b, c->class, symbol, words, n);
	else
		encode8(t, log, &b, c->class, symbol, words, n);
	/* The highest bit of the last byte that is set marks the end. */
	bits_put(&b, 1, 1);
	size_t len = (size_t)(b.at - c->stream) + (b.n > 0);
	if (len > cap)
		return 0;
	copy(dst, c->stream, len);
	return len;
}

/* --- decoding --- */

static int take_tables(struct ans_tables *t, struct bit_reader *in, unsigned log, unsigned width, unsigned limit)
{
	uint32_t *q = t->count[0];

	for (unsigned k = 0; k < (width ? CLASSES : 1); k++) {
		struct ans_entry *entry = t->entry + ((size_t)k << log);
		if (!bits_take(in, 1)) {
			/* All zero: a state stays what it is. */
			for (uint32_t i = 0; i < 1u << log; i++)
				entry[i] = (struct ans_entry){.base = (uint16_t)i};
			continue;
		}
		if (table_take(in, q, log))
			return 1;
		for (unsigned i = limit; i < 256; i++)
			if (q[i])
				return 1;
		table_decoder(entry, q, log, width);
	}
	return 0;
}

/* 64 bits from bit `at`, which may lie a little before the stream; the lower 57 are right. */
VV_INLINE uint64_t window(const uint8_t *in, int64_t at)
{
	return load8(in + (at >> 3), 0) >> (at & 7);
}

int ans_open(struct ans_reader *r, struct vv_codec *c, struct vv_span in, unsigned width, unsigned limit)
{
	struct bit_reader head = {in, 0};
	unsigned log = bits_take(&head, 4);

	if (log < ANS_MIN_LOG || log > ANS_MAX_LOG || take_tables(c->ans, &head, log, width, limit))
		return 1;
	size_t at = (head.at + 7) / 8, len = in.len - at;
	if (at >= in.len || len > c->stream_cap - ANS_FRONT - PAD || !in.ptr[in.len - 1])
		return 1;
	/* States are checked a round at a time: by then, bytes before the start may have been read. */
	memset(c->stream, 0, ANS_FRONT);
	copy(c->stream + ANS_FRONT, in.ptr + at, len);
	memset(c->stream + ANS_FRONT + len, 0, PAD);
	*r = (struct ans_reader){.entry = c->ans->entry, .width = width, .log = log, .in = c->stream + ANS_FRONT};
	r->at = (int64_t)(8 * (len - 1) + bit_length(in.ptr[in.len - 1]) - 1);
	for (int j = 0; j < STATES; j++) {
		r->at -= log;
		r->state[j] = (uint32_t)window(r->in, r->at) & ((1u << log) - 1);
	}
	return r->at < 0;
}

VV_INLINE void put_number(void *out, unsigned width, size_t i, uint64_t v)
{
	if (width <= 1)
		((uint8_t *)out)[i] = (uint8_t)v;
	else if (width == 2)
		((uint16_t *)out)[i] = (uint16_t)v;
	else if (width == 4)
		((uint32_t *)out)[i] = (uint32_t)v;
	else
		((uint64_t *)out)[i] = v;
}

/* A number and the next state, from the bits of a window that begins with theirs. */
VV_INLINE void decode_small(const struct ans_entry *e, uint64_t w, uint32_t *state, void *out, unsigned width, size_t i)
{
	put_number(out, width, i, e->value + (width ? w & (((uint64_t)1 << e->low) - 1) : 0));
	*state = e->base + ((uint32_t)(w >> (width ? e->low : 0)) & ((1u << e->bits) - 1));
}

VV_INLINE void decode_large(const struct ans_entry *e, const uint8_t *in, int64_t at, uint32_t *state, void *out, size_t i)
{
	uint64_t number = window(in, at);

	if (e->low > 32)
		number = (number & 0xffffffff) | window(in, at + 32) << 32;
	number = ((uint64_t)e->value << e->low) + (number & (((uint64_t)1 << e->low) - 1));
	put_number(out, 8, i, number);
	*state = e->base + ((uint32_t)window(in, at + e->low) & ((1u << e->bits) - 1));
}

/* Numbers i and i + 1, whose states are `state`; short ones share a window. */
VV_INLINE int64_t decode_two(const struct ans_reader *r, const uint8_t *class, uint32_t *state, int64_t at, void *out,
	size_t i, unsigned width)
{
	const struct ans_entry *a = &r->entry[(width ? (size_t)class[i] << r->log : 0) + state[0]];
	const struct ans_entry *b = &r->entry[(width ? (size_t)class[i + 1] << r->log : 0) + state[1]];
	unsigned na = (width ? a->low : 0) + a->bits, nb = (width ? b->low : 0) + b->bits;

	at -= na + nb;
	if (width <= 2) {
		uint64_t w = window(r->in, at);
		decode_small(a, w >> nb, &state[0], out, width, i);
		decode_small(b, w, &state[1], out, width, i + 1);
	} else if (width == 4) {
		decode_small(a, window(r->in, at + nb), &state[0], out, width, i);
		decode_small(b, window(r->in, at), &state[1], out, width, i + 1);
	} else {
		decode_large(a, r->in, at + nb, &state[0], out, i);
		decode_large(b, r->in, at, &state[1], out, i + 1);
	}
	return at;
}

VV_INLINE int decode_numbers(struct ans_reader *reader, const uint8_t *class, void *out, size_t n, unsigned width)
{
	struct ans_reader r = *reader;
	size_t i = 0;

	for (; i + STATES <= n && r.at >= 0; i += STATES)
		for (unsigned j = 0; j < STATES; j += 2)
			r.at = decode_two(&r, class, &r.state[j], r.at, out, i + j, width);
	for (; i < n && r.at >= 0; i++) {
		uint32_t *state = &r.state[i % STATES];
		const struct ans_entry *e = &r.entry[(width ? (size_t)class[i] << r.log : 0) + *state];
		r.at -= (width ? e->low : 0) + e->bits;
		if (width == 8)
			decode_large(e, r.in, r.at, state, out, i);
		else
			decode_small(e, window(r.in, r.at), state, out, width, i);
	}
	*reader = r;
	return r.at < 0;
}

#define DEFINE_DECODE(W)                                                                           \
	VV_CLONES_BITS static int decode##W(struct ans_reader *r, const uint8_t *class, void *out, size_t n) \
	{                                                                                          \
		return decode_numbers(r, class, out, n, (W));                                      \
	}
DEFINE_DECODE(0)
DEFINE_DECODE(1)
DEFINE_DECODE(2)
DEFINE_DECODE(4)
DEFINE_DECODE(8)

int ans_read(struct ans_reader *r, const uint8_t *class, void *out, size_t n)
{
	switch (r->width) {
	case 0:
		return decode0(r, class, out, n);
	case 1:
		return decode1(r, class, out, n);
	case 2:
		return decode2(r, class, out, n);
	case 4:
		return decode4(r, class, out, n);
	default:
		return decode8(r, class, out, n);
	}
}

int ans_close(const struct ans_reader *r)
{
	uint32_t any = 0;

	for (int j = 0; j < STATES; j++)
		any |= r->state[j];
	return r->at != 0 || any;
}
