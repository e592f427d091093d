/*
 * Tables of the entropy coder: how often each symbol is among 1 << log, how that is written down, and
 * what states follow from it.
 */
#include "codec/ans.h"

/* Few numbers do not pay for large tables; every symbol needs a place in them. */
unsigned table_log(size_t n, const uint32_t (*count)[256], unsigned classes)
{
	unsigned log = bit_length((uint32_t)n) - 3, most = 0;

	for (unsigned c = 0; c < classes; c++) {
		unsigned symbols = 0;
		for (unsigned k = 0; k < 256; k++)
			symbols += count[c][k] > 0;
		most = symbols > most ? symbols : most;
	}
	log = n < 8 || log < ANS_MIN_LOG ? ANS_MIN_LOG : log;
	log = log < ANS_MAX_LOG ? log : ANS_MAX_LOG;
	while (most > 1u << log)
		log++;
	return log;
}

/* Bits by which a list grows when its symbol that occurs h times is counted q instead of q + 1 times. */
static uint64_t growth(uint32_t h, uint32_t q)
{
	return (uint64_t)h * (log2_fixed(q + 1) - log2_fixed(q));
}

void table_normalize(uint32_t h[256], uint64_t n, unsigned log)
{
	uint32_t q[256];
	int over = -(1 << log);

	for (int k = 0; k < 256; k++) {
		q[k] = (uint32_t)((((uint64_t)h[k] << log) + n / 2) / n);
		q[k] += !q[k] && h[k];
		over += (int)q[k];
	}
	/* One by one, where it costs least or gains most. */
	for (; over; over += over < 0 ? 1 : -1) {
		int best = -1;
		uint64_t least = 0, g;
		for (int k = 0; k < 256; k++) {
			if (!h[k] || (over > 0 && q[k] == 1))
				continue;
			g = over > 0 ? growth(h[k], q[k] - 1) : UINT64_MAX - growth(h[k], q[k]);
			if (best < 0 || g < least) {
				best = k;
				least = g;
			}
		}
		q[best] += over < 0 ? 1 : -1u;
	}
	memcpy(h, q, sizeof(q));
}

/* A count takes as many bits as what is left of the sum; a zero is followed by a run of more zeros. */
void table_put(struct bits *out, const uint32_t q[256], unsigned log)
{
	uint32_t left = 1u << log, run;

	for (int k = 0; left; k++) {
		bits_put(out, q[k], bit_length(left));
		left -= q[k];
		if (q[k])
			continue;
		for (run = 1; !q[k + 1]; k++)
			run++;
		unsigned len = bit_length(run) - 1;
		bits_put(out, 1u << len, len + 1);
		bits_put(out, run - (1u << len), len);
	}
}

uint32_t bits_take(struct bit_reader *r, unsigned n)
{
	size_t at = r->at / 8, len = r->in.len;
	uint32_t v = 0;

	for (size_t i = at; i < at + 3 && i < len; i++)
		v |= (uint32_t)r->in.ptr[i] << 8 * (i - at);
	v = v >> r->at % 8 & ((1u << n) - 1);
	r->at += n;
	return v;
}

int table_take(struct bit_reader *in, uint32_t q[256], unsigned log)
{
	uint32_t left = 1u << log;

	memset(q, 0, 256 * sizeof(*q));
	for (unsigned k = 0; left; k++) {
		if (k > 255 || in->at >= 8 * in->in.len)
			return 1;
		q[k] = bits_take(in, bit_length(left));
		if (q[k] > left)
			return 1;
		left -= q[k];
		if (q[k])
			continue;
		unsigned len = 0;
		while (len < 8 && !bits_take(in, 1))
			len++;
		if (len == 8)
			return 1;
		k += (1u << len) + bits_take(in, len) - 1;
	}
	return 0;
}

/* Deals the symbols out over the table, each as evenly as it goes. */
static void spread_symbols(const uint32_t q[256], unsigned log, uint8_t *symbol)
{
	uint32_t size = 1u << log, step = (5 * size >> 3) + 3, at = 0;

	for (unsigned k = 0; k < 256; k++)
		for (uint32_t i = 0; i < q[k]; i++) {
			symbol[at] = (uint8_t)k;
			at = (at + step) & (size - 1);
		}
}

/* The i-th place of a symbol stands for its count + i, whose missing bits to 1 << log are read. */
void table_decoder(struct ans_entry *entry, const uint32_t q[256], unsigned log, unsigned width)
{
	uint8_t symbol[1 << ANS_MAX_LOG];
	uint32_t next[256];

	spread_symbols(q, log, symbol);
	memcpy(next, q, sizeof(next));
	for (uint32_t i = 0; i < 1u << log; i++) {
		uint8_t k = symbol[i];
		struct token_part part = width ? token_parts[k] : (struct token_part){0, k};
		uint32_t x = next[k]++, value = width == 8 ? part.top : (uint32_t)part.top << part.low;
		unsigned n = log + 1 - bit_length(x);
		entry[i] = (struct ans_entry){value, (uint16_t)((x << n) - (1u << log)), part.low, (uint8_t)n};
	}
}

void table_encoder(struct ans_tables *t, unsigned class, const uint32_t q[256], unsigned log, unsigned width)
{
	uint8_t symbol[1 << ANS_MAX_LOG];
	uint32_t at[256], sum = class << log;

	for (unsigned k = 0; k < 256; k++) {
		at[k] = sum;
		if (!q[k])
			continue;
		/* A state of at least q << n gives n bits, a smaller one n - 1. */
		unsigned n = q[k] == 1 ? log : log + 1 - bit_length(q[k] - 1), low = width ? token_parts[k].low : 0;
		t->step[class][k] = (struct ans_step){(n << 16) - (q[k] << n) + (low << 24), (int32_t)(sum - q[k])};
		sum += q[k];
	}
	spread_symbols(q, log, symbol);
	for (uint32_t i = 0; i < 1u << log; i++)
		t->next[at[symbol[i]]++] = (uint16_t)((1u << log) + i);
}
