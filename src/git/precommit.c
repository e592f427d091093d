/*
 * Before a commit: a manifest that was put together from lines of two versions (`git add -p`) names no
 * file that ever was, and could never be restored. git asks no filter then, so this is where it is seen.
 */
#include "git/precommit.h"

#include "base/cursor.h"
#include "git/repo.h"
#include "model/manifest.h"

#include <stdio.h>
#include <string.h>

/* One change: ":<modes> <old> <new> <letter>\0<path>\0". 1: no more. */
static int next_change(struct vv_span *raw, char *oid, size_t cap, const char **path)
{
	const char *p = (const char *)raw->ptr, *end = p + raw->len, *word;
	size_t head = raw->len ? strnlen(p, raw->len) : 0, n;

	if (!raw->len || head >= raw->len)
		return 1;
	*path = p + head + 1;
	n = strnlen(*path, (size_t)(end - *path));
	*raw = vv_span((const uint8_t *)*path + n, (size_t)(end - *path) - n);
	if (raw->len)
		*raw = vv_span(raw->ptr + 1, raw->len - 1);
	/* The fourth word. */
	word = p;
	for (int i = 0; i < 3 && word; i++)
		word = strchr(word, ' ') ? strchr(word, ' ') + 1 : NULL;
	oid[0] = 0;
	if (word && strcspn(word, " ") < cap)
		snprintf(oid, cap, "%.*s", (int)strcspn(word, " "), word);
	return 0;
}

struct checking {
	struct vv_repo *r;
	struct vv_span raw;
	struct vv_blobs blobs;
	bool open;
};

/* The changes come in the order in which they were asked for. */
static int check_one(void *arg, const char *path, const char *format, struct vv_err *err)
{
	struct checking *c = arg;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err why = VV_ERR_INIT;
	char oid[VV_OID_HEX_MAX + 1];
	struct vv_manifest m;
	const char *same;
	int ret = 0;

	if (next_change(&c->raw, oid, sizeof(oid), &same) || strcmp(same, path))
		return vv_fail(err, VV_EGIT, "git diff-index ended early");
	if (!format || !oid[0] || !oid[strspn(oid, "0")])
		return 0;
	if (!c->open) {
		ret = vv_blobs_open(&c->blobs, c->r, err);
		c->open = !ret;
	}
	if (ret || vv_blobs_get(&c->blobs, oid, &text, &why))
		goto out; /* too large for a manifest, or git's own trouble */
	if (vv_manifest_detect(vv_buf_view(&text)) == VV_TEXT_OTHER)
		goto out;
	ret = vv_manifest_parse(&m, vv_buf_view(&text), &why);
	if (!ret)
		vv_manifest_release(&m);
	else if (ret == VV_ENOTSUP)
		ret = 0; /* a newer varve's */
	else
		ret = vv_fail(err, ret, "%s: what is staged is no version of it (%s); 'git add' takes it whole", path, why.msg);
out:
	vv_buf_release(&text);
	return ret;
}

int vv_precommit(struct vv_repo *r, struct vv_err *err)
{
	static const char *const args[] = {"diff-index", "--cached", "--raw", "--no-renames", "--no-abbrev", "-z", "HEAD", NULL};
	struct checking c = {.r = r, .blobs = VV_BLOBS_INIT};
	struct vv_buf raw = VV_BUF_INIT(VV_MAX_MANIFEST), paths = VV_BUF_INIT(VV_MAX_MANIFEST);
	char oid[VV_OID_HEX_MAX + 1];
	struct vv_span rest;
	const char *path;
	int status = 0, ret = vv_git_status(r, args, NULL, vv_span(NULL, 0), &raw, &status, err);

	/* Before the first commit there is nothing that lines could be mixed with. */
	if (ret || status)
		goto out;
	c.raw = rest = vv_buf_view(&raw);
	while (!next_change(&rest, oid, sizeof(oid), &path))
		vv_buf_add(&paths, path, strlen(path) + 1);
	ret = vv_buf_check(&paths, err);
	if (!ret)
		ret = vv_kept_each(r, vv_buf_view(&paths), check_one, &c, err);
out:
	if (c.open)
		vv_blobs_close(&c.blobs);
	vv_buf_release(&raw);
	vv_buf_release(&paths);
	return ret;
}
