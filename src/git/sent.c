#include "git/sent.h"

#include "base/cursor.h"
#include "os/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SENT = 200 }; /* tips: branches that are pushed in turn */

int vv_sent_read(const char *store_dir, struct vv_buf *out, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	char *path = vv_join(store_dir, "sent");
	size_t from = out->len;
	int ret = path ? 0 : vv_fail_nomem(err);

	/* A note that cannot be read is none. */
	if (!ret && vv_read_file(out, path, &why))
		out->len = from;
	free(path);
	return ret;
}

static bool has_line(struct vv_span text, struct vv_span line)
{
	struct vv_cursor c = vv_cursor(text);
	struct vv_span one;

	while (!vv_take_line(&c, &one))
		if (vv_span_eq(one, line))
			return true;
	return false;
}

int vv_sent_add(const char *store_dir, struct vv_span tips, struct vv_err *err)
{
	struct vv_buf old = VV_BUF_INIT(VV_MAX_TEXT), out = VV_BUF_INIT(VV_MAX_TEXT);
	char *path = vv_join(store_dir, "sent");
	struct vv_cursor c;
	struct vv_span line;
	int n = 0, ret = path ? vv_sent_read(store_dir, &old, err) : vv_fail_nomem(err);

	vv_buf_span(&out, tips);
	c = vv_cursor(vv_buf_view(&old));
	while (!ret && n < MAX_SENT && !vv_take_line(&c, &line))
		if (line.len && !has_line(tips, line)) {
			vv_buf_span(&out, line);
			vv_buf_char(&out, '\n');
			n++;
		}
	if (!ret)
		ret = vv_buf_check(&out, err);
	/* Not synced: losing it costs a look at history. */
	if (!ret)
		ret = vv_write_file(path, vv_buf_view(&out), false, err);
	vv_buf_release(&old);
	vv_buf_release(&out);
	free(path);
	return ret;
}

void vv_sent_clear(const char *store_dir)
{
	char *path = vv_join(store_dir, "sent");

	if (path)
		unlink(path);
	free(path);
}
