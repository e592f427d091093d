#include "base/id.h"

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int vv_id_parse(struct vv_id *out, struct vv_span text)
{
	struct vv_id id;

	if (text.len != VV_ID_HEX)
		return 1;
	for (size_t i = 0; i < VV_ID_BYTES; i++) {
		int hi = digit(text.ptr[2 * i]), lo = digit(text.ptr[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return 1;
		id.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*out = id;
	return 0;
}

char *vv_id_hex(const struct vv_id *id, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < VV_ID_BYTES; i++) {
		hex[2 * i] = digits[id->b[i] >> 4];
		hex[2 * i + 1] = digits[id->b[i] & 15];
	}
	hex[VV_ID_HEX] = 0;
	return hex;
}
