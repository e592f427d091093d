#include "base/id.h"

#include "tap.h"

int main(void)
{
	static const char text[] = "00ff0123456789abcdef00000000000000000000000000000000000000000042";
	static const char *const bad[] = {"", "00", "../../x"};
	struct vv_id id, other;
	char hex[VV_ID_HEX + 1], spoiled[VV_ID_HEX + 2];
	int wrong = 0;

	CHECK(!vv_id_parse(&id, vv_span_str(text)));
	CHECK_INT(id.b[1], 0xff);
	CHECK_INT(id.b[31], 0x42);
	CHECK_STR(vv_id_hex(&id, hex), text);
	other = id;
	CHECK(vv_id_eq(&id, &other) && !vv_id_cmp(&id, &other));
	other.b[31] = 0x41;
	CHECK(!vv_id_eq(&id, &other) && vv_id_cmp(&id, &other) > 0 && vv_id_cmp(&other, &id) < 0);
	for (size_t i = 0; i < VV_COUNT(bad); i++)
		CHECK(vv_id_parse(&other, vv_span_str(bad[i])));
	CHECK(vv_id_parse(&other, vv_span(text, 63)));
	snprintf(spoiled, sizeof(spoiled), "%s0", text);
	CHECK(vv_id_parse(&other, vv_span_str(spoiled)));
	/* Any one byte that is no lower-case digit, anywhere. */
	for (int i = 0; i < VV_ID_HEX; i++)
		for (int c = 0; c < 256; c++) {
			bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
			memcpy(spoiled, text, VV_ID_HEX);
			spoiled[i] = (char)c;
			wrong += vv_id_parse(&other, vv_span(spoiled, VV_ID_HEX)) == digit;
		}
	CHECK_INT(wrong, 0);
	CHECK_INT(other.b[31], 0x4f); /* the last that was taken: a failure leaves it alone */
	return done();
}
