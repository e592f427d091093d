#define _GNU_SOURCE
#include "git/marks.h"

#include "os/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const names[] = {"again", "smudged", "wanted"};

int vv_mark_set(const struct vv_repo *r, enum vv_mark m, struct vv_err *err)
{
	char *path = vv_join(r->state_dir, names[m]);
	int ret = path ? vv_write_file(path, vv_span(NULL, 0), false, err) : vv_fail_nomem(err);

	free(path);
	return ret;
}

void vv_mark_clear(const struct vv_repo *r, enum vv_mark m)
{
	char *path = vv_join(r->state_dir, names[m]);

	if (path)
		unlink(path);
	free(path);
}

bool vv_mark_is_set(const struct vv_repo *r, enum vv_mark m)
{
	char *path = vv_join(r->state_dir, names[m]);
	bool yes = path && vv_exists(path);

	free(path);
	return yes;
}

/* "<git dir>/varve/<name>" as a hook or filter sees it; NULL when memory is gone. */
static char *here(const char *name)
{
	const char *dir = getenv("GIT_DIR");
	char *path = NULL;

	return asprintf(&path, "%s/varve/%s", dir ? dir : ".git", name) < 0 ? NULL : path;
}

bool vv_mark_smudged_here(const char *path)
{
	char *mark = here(names[VV_MARK_SMUDGED]);
	/* One write of all: filters may run side by side. */
	int fd = mark ? open(mark, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
	bool done = fd >= 0 && write(fd, path, strlen(path) + 1) == (ssize_t)strlen(path) + 1;

	if (fd >= 0)
		close(fd);
	free(mark);
	return done;
}

int vv_mark_take_smudged(const struct vv_repo *r, struct vv_buf *paths, struct vv_err *err)
{
	char *mark = vv_join(r->state_dir, names[VV_MARK_SMUDGED]), *taken = vv_join(r->state_dir, "smudged.taken");
	struct vv_err why = VV_ERR_INIT;
	int ret = mark && taken ? 0 : vv_fail_nomem(err);

	/* Under another name first: what a filter adds meanwhile is a new mark. */
	if (!ret && !vv_rename(mark, taken, &why) && !vv_read_file(paths, taken, &why) && paths->len &&
		paths->ptr[paths->len - 1])
		vv_buf_add(paths, "", 1);
	if (!ret)
		unlink(taken);
	free(mark);
	free(taken);
	return ret ? ret : vv_buf_check(paths, err);
}

/* The identity of an index file; "" when there is none. */
static void describe(const char *path, char *out, size_t cap)
{
	struct stat st;

	out[0] = 0;
	if (!stat(path, &st))
		snprintf(out, cap, "%" PRIu64 " %" PRIu64 " %" PRId64 ".%09ld\n", (uint64_t)st.st_ino, (uint64_t)st.st_size,
			(int64_t)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec);
}

void vv_mark_in_step(const struct vv_repo *r)
{
	char *path = vv_join(r->state_dir, "in-step"), *index = vv_join(r->git_dir, "index"), text[128];
	struct vv_err ignore = VV_ERR_INIT;

	if (path && index) {
		describe(index, text, sizeof(text));
		/* Without the note the next hook looks for itself. */
		if (vv_write_file(path, vv_span_str(text), false, &ignore))
			vv_err_clear(&ignore);
	}
	free(path);
	free(index);
}

bool vv_is_in_step_here(void)
{
	struct vv_buf noted = VV_BUF_INIT(256);
	struct vv_err ignore = VV_ERR_INIT;
	char *file = here("in-step"), *smudged = here(names[VV_MARK_SMUDGED]), *index = here("../index"), text[128];
	const char *other = getenv("GIT_INDEX_FILE");
	bool same = false;

	if (file && smudged && index && !vv_exists(smudged) && !vv_read_file(&noted, file, &ignore)) {
		describe(other ? other : index, text, sizeof(text));
		same = text[0] && vv_span_is(vv_buf_view(&noted), text);
	}
	free(file);
	free(smudged);
	free(index);
	vv_buf_release(&noted);
	return same;
}
