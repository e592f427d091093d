/* Input is a checkpoint, or what follows the magic number of one. */
#include "check.h"

static const uint8_t magic[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.',
	0x80, 2, 'M', 0xe9, 3, '.'};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool whole = size >= sizeof(magic) && !memcmp(data, magic, sizeof(magic));
	struct vv_buf b = VV_BUF_INIT(SIZE_MAX / 2);
	struct located l;

	if (!whole)
		vv_buf_add(&b, magic, sizeof(magic));
	vv_buf_add(&b, data, size);
	locate_soundly(&l, vv_buf_view(&b));
	check_assemble(&l, false);
	located_release(&l);
	vv_buf_release(&b);
	return 0;
}
