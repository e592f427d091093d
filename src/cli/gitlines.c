#define _GNU_SOURCE
#include "cli/gitlines.h"

#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { SAID_MAX = 1 << 20 };

void vv_args_add(struct vv_args *a, const char *word)
{
	const char **v = realloc(a->v, (a->n + 2) * sizeof(*v));

	if (!v) {
		a->failed = true;
		return;
	}
	a->v = v;
	a->v[a->n++] = word;
	a->v[a->n] = NULL;
}

void vv_args_all(struct vv_args *a, const char *const *words)
{
	while (words && *words)
		vv_args_add(a, *words++);
}

void vv_args_release(struct vv_args *a)
{
	free(a->v);
	*a = (struct vv_args){0};
}

int vv_lines_open(struct vv_lines *l, const struct vv_args *args, struct vv_err *err)
{
	/* Settings of the user's that would change an answer. */
	static const char *const first[] = {"git", "-c", "core.quotePath=false", "-c", "log.showRoot=true", NULL};
	struct vv_args all = {0};
	int ret;

	*l = (struct vv_lines)VV_LINES_INIT;
	vv_args_all(&all, first);
	vv_args_all(&all, args->v);
	ret = all.failed || args->failed ? vv_fail_nomem(err)
					 : vv_child_start(&l->child, all.v, NULL, VV_CHILD_OUT | VV_CHILD_ERR, err);
	vv_args_release(&all);
	if (ret)
		return ret;
	l->what = args->v[0];
	/* What it says is read at its end only: room for all of it. */
	(void)fcntl(l->child.err, F_SETPIPE_SZ, SAID_MAX);
	l->from = fdopen(l->child.out, "r");
	if (!l->from) {
		ret = vv_fail_nomem(err);
		vv_lines_release(l);
		return ret;
	}
	l->child.out = -1;
	return 0;
}

int vv_lines_next(struct vv_lines *l, char end, const char **rec, struct vv_err *err)
{
	ssize_t n = getdelim(&l->rec, &l->cap, end, l->from);

	if (n <= 0) {
		if (ferror(l->from))
			return vv_fail_sys(err, errno, "git %s", l->what);
		l->ended = true;
		return 1;
	}
	if (l->rec[n - 1] == end)
		l->rec[n - 1] = 0;
	*rec = l->rec;
	return 0;
}

/* The last line it said, without "fatal: ". */
static const char *last_words(struct vv_buf *said)
{
	char *s, *nl;

	while (said->len && said->ptr[said->len - 1] == '\n')
		said->ptr[--said->len] = 0;
	s = said->len ? (char *)said->ptr : (char *)(uintptr_t)"failed";
	nl = strrchr(s, '\n');
	s = nl ? nl + 1 : s;
	return !strncmp(s, "fatal: ", 7) || !strncmp(s, "error: ", 7) ? s + 7 : s;
}

int vv_lines_close(struct vv_lines *l, struct vv_err *err)
{
	struct vv_buf said = VV_BUF_INIT(SAID_MAX);
	int status = 0, ret;
	bool ended = l->ended;

	if (!l->from)
		return 0;
	fclose(l->from);
	l->from = NULL;
	ret = vv_read_fd(&said, l->child.err, l->what, err);
	if (!ret)
		ret = vv_child_wait(&l->child, &status, err);
	if (!ret && status && (ended || status < 128))
		ret = vv_fail(err, VV_EGIT, "git %s: %s", l->what, last_words(&said));
	vv_buf_release(&said);
	vv_lines_release(l);
	return ret;
}

void vv_lines_release(struct vv_lines *l)
{
	struct vv_err ignore = VV_ERR_INIT;
	int status;

	if (l->from)
		fclose(l->from);
	l->from = NULL;
	if (l->child.pid > 0 && vv_child_wait(&l->child, &status, &ignore))
		status = 0;
	free(l->rec);
	*l = (struct vv_lines)VV_LINES_INIT;
}

int vv_lines_all(const struct vv_args *args, struct vv_buf *out, struct vv_err *err)
{
	struct vv_lines lines = VV_LINES_INIT;
	const char *rec;
	int ret = vv_lines_open(&lines, args, err);

	while (!ret && !(ret = vv_lines_next(&lines, 0, &rec, err)))
		vv_buf_add(out, rec, strlen(rec) + 1);
	if (ret >= 0)
		ret = vv_lines_close(&lines, err);
	vv_lines_release(&lines);
	return ret ? ret : vv_buf_check(out, err);
}

int vv_untracked(char *const *words, bool ignored, struct vv_buf *out, struct vv_err *err)
{
	static const char *const first[] = {"ls-files", "-z", "-o", "--full-name", NULL};
	struct vv_args args = {0};
	int ret;

	vv_args_all(&args, first);
	if (!ignored)
		vv_args_add(&args, "--exclude-standard");
	vv_args_add(&args, "--");
	if (words && *words)
		vv_args_all(&args, (const char *const *)words);
	else
		vv_args_add(&args, ":/");
	ret = vv_lines_all(&args, out, err);
	vv_args_release(&args);
	return ret;
}

void vv_git_unquote(char *path)
{
	static const char letters[] = "abtnvfr\"\\", bytes[] = "\a\b\t\n\v\f\r\"\\";
	const char *from = path + 1;
	char *to = path;

	if (path[0] != '"')
		return;
	while (*from && *from != '"') {
		const char *at;
		if (*from != '\\' || !from[1]) {
			*to++ = *from++;
		} else if ((at = strchr(letters, from[1]))) {
			*to++ = bytes[at - letters];
			from += 2;
		} else {
			unsigned v = 0, n = 1;
			for (; n < 4 && from[n] >= '0' && from[n] <= '7'; n++)
				v = v * 8 + (unsigned)(from[n] - '0');
			*to++ = (char)v;
			from += n;
		}
	}
	*to = 0;
}
