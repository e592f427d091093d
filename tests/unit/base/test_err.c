#include "base/err.h"

#include "tap.h"

#include <errno.h>

int main(void)
{
	struct vv_err err = VV_ERR_INIT;
	char huge[2000];
	int wrong = 0;

	CHECK_INT(vv_fail(&err, VV_EFORMAT, "tensor '%s' at %d", "w\nx\x1b[0m\x7f", 5), VV_EFORMAT);
	/* One line, whatever a file calls its tensors. */
	CHECK_STR(err.msg, "tensor 'w?x?[0m?' at 5");
	CHECK_INT(err.code, VV_EFORMAT);
	CHECK_INT(vv_err_in(&err, "model %s", "a\tb"), VV_EFORMAT);
	CHECK_STR(err.msg, "model a?b: tensor 'w?x?[0m?' at 5");
	CHECK_INT(vv_fail_sys(&err, EIO, "read of %s", "f"), VV_EIO);
	CHECK_INT(err.sys, EIO);
	CHECK(!strncmp(err.msg, "read of f: ", 11) && strlen(err.msg) > 11);
	CHECK_INT(vv_fail_sys(&err, ENOENT, "f"), VV_ENOTFOUND);
	CHECK_INT(vv_fail_sys(&err, ENOTDIR, "f"), VV_ENOTFOUND);
	CHECK_INT(vv_fail_sys(&err, ENOMEM, "f"), VV_ENOMEM);
	CHECK_INT(vv_fail_nomem(&err), VV_ENOMEM);
	vv_err_clear(&err);
	CHECK(!err.code && !err.sys && !err.msg[0]);

	memset(huge, 'h', sizeof(huge));
	huge[sizeof(huge) - 1] = 0;
	vv_fail(&err, VV_EIO, "%s", huge);
	CHECK_INT(strlen(err.msg), sizeof(err.msg) - 1);
	vv_err_in(&err, "%s", huge);
	/* Both parts of a long message keep their beginning. */
	CHECK_INT(strlen(err.msg), 200 + 2 + 300);
	vv_fail_sys(&err, EIO, "%s", huge);
	CHECK(strlen(err.msg) > 400 && !strncmp(err.msg + 399, ": ", 2));

	for (int code = 0; code >= VV_EUNSAFE; code--)
		for (int other = 0; other > code; other--)
			wrong += !strcmp(vv_code_name(code), vv_code_name(other)) || !strcmp(vv_code_name(code), "unknown");
	CHECK_INT(wrong, 0);
	CHECK_STR(vv_code_name(VV_OK), "ok");
	CHECK_STR(vv_code_name(VV_ECORRUPT), "corrupt");
	CHECK_STR(vv_code_name(VV_EUNSAFE), "unsafe");
	CHECK_STR(vv_code_name(VV_EUNSAFE - 1), "unknown");
	CHECK_STR(vv_code_name(1), "unknown");
	return done();
}
