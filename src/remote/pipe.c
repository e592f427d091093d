/* The near end of a pipe: docs/format/pipe.md. Requests for parts are sent ahead of the answers. */
#define _GNU_SOURCE
#include "remote/remote.h"
#include "remote/taking.h"
#include "remote/wire.h"

#include "base/check.h"
#include "os/child.h"
#include "os/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	NOISE = 1000, /* lines that a login shell may print before the greeting */
	AHEAD = 64,   /* requests under way: together they fit into any pipe */
	PIECE = 256 << 10,
};

struct far {
	struct vv_remote base;
	struct vv_wire wire;
	struct vv_child child;
	bool dead; /* it is not known what comes next */
};

/* "no CODE MESSAGE": an answer to any request. */
static int refused(struct far *f, char *line, struct vv_err *err)
{
	char *code = line + 3, *text = strchr(code, ' ');
	int c = VV_OK;

	if (strncmp(line, "no ", 3) || !text)
		f->dead = true;
	if (f->dead)
		return vv_fail(err, VV_EFORMAT, "%s: gave '%.40s' for an answer", f->base.name, line);
	*text++ = 0;
	while (c > VV_EUNSAFE && strcmp(vv_code_name(c), code))
		c--;
	return vv_fail(err, c && !strcmp(vv_code_name(c), code) ? c : VV_EIO, "%s: %s", f->base.name, text);
}

/* A failure that is no answer: the connection cannot be used any more. */
static int ended(struct far *f, int ret)
{
	f->dead |= ret != 0;
	return ret;
}

static int alive(const struct far *f, struct vv_err *err)
{
	return f->dead ? vv_fail(err, VV_EIO, "%s: the connection has ended", f->base.name) : 0;
}

static int drop_piece(void *arg VV_UNUSED, struct vv_span bytes VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	return 0;
}

/* Reads the answers to requests that were sent ahead of one that was refused. */
static void drop_answers(struct far *f, size_t n)
{
	struct vv_err why = VV_ERR_INIT;
	uint64_t len;
	char *line;

	for (; n && !f->dead; n--) {
		if (vv_wire_line(&f->wire, &line, &why) || (!strncmp(line, "data ", 5) &&
				(vv_wire_number(line + 5, &len) || vv_wire_bytes(&f->wire, len, drop_piece, NULL, &why))))
			f->dead = true;
	}
}

/* An answer "WORD N". */
static int expect_number(struct far *f, const char *word, uint64_t *n, struct vv_err *err)
{
	size_t len = strlen(word);
	char *line;
	int ret = vv_wire_line(&f->wire, &line, err);

	if (ret)
		return ended(f, ret == VV_ENOTFOUND ? vv_fail(err, VV_EIO, "%s: the connection ended", f->base.name) : ret);
	if (strncmp(line, word, len) || line[len] != ' ' || vv_wire_number(line + len + 1, n))
		return refused(f, line, err);
	return 0;
}

static int expect_done(struct far *f, struct vv_err *err)
{
	char *line;
	int ret = vv_wire_line(&f->wire, &line, err);

	if (ret)
		return ended(f, ret == VV_ENOTFOUND ? vv_fail(err, VV_EIO, "%s: the connection ended", f->base.name) : ret);
	return strcmp(line, "done") ? refused(f, line, err) : 0;
}

/* --- the list --- */

/* Lines come in pieces that end anywhere. */
struct listing {
	struct far *far;
	int (*fn)(void *arg, const struct vv_id *pack, uint64_t size, struct vv_err *err);
	void *arg;
	char line[96];
	size_t n;
};

static int list_line(struct listing *l, struct vv_err *err)
{
	struct vv_id pack;
	uint64_t size;

	l->line[l->n] = 0;
	if (l->n < VV_ID_HEX + 2 || l->line[VV_ID_HEX] != ' ' || vv_id_parse(&pack, vv_span(l->line, VV_ID_HEX)) ||
		vv_wire_number(l->line + VV_ID_HEX + 1, &size))
		return vv_fail(err, VV_EFORMAT, "%s: '%.80s' is no pack", l->far->base.name, l->line);
	l->n = 0;
	return l->fn(l->arg, &pack, size, err);
}

static int list_piece(void *arg, struct vv_span bytes, struct vv_err *err)
{
	struct listing *l = arg;

	for (size_t i = 0; i < bytes.len; i++) {
		if (bytes.ptr[i] == '\n') {
			if (list_line(l, err))
				return err->code;
		} else if (l->n + 1 >= sizeof(l->line)) {
			return vv_fail(err, VV_EFORMAT, "%s: a list with a line that is too long", l->far->base.name);
		} else {
			l->line[l->n++] = (char)bytes.ptr[i];
		}
	}
	return 0;
}

static int list(struct vv_remote *r, int (*fn)(void *, const struct vv_id *, uint64_t, struct vv_err *), void *arg,
	struct vv_err *err)
{
	struct far *f = (struct far *)r;
	struct listing l = {.far = f, .fn = fn, .arg = arg};
	uint64_t n;
	int ret = alive(f, err);

	if (!ret)
		ret = ended(f, vv_wire_say(&f->wire, err, "list"));
	if (!ret)
		ret = expect_number(f, "packs", &n, err);
	if (!ret && n > VV_MAX_TEXT)
		ret = ended(f, vv_fail(err, VV_EFORMAT, "%s: a list of %" PRIu64 " bytes", r->name, n));
	if (!ret)
		ret = ended(f, vv_wire_bytes(&f->wire, n, list_piece, &l, err));
	return !ret && l.n ? vv_fail(err, VV_EFORMAT, "%s: a list whose last line has no end", r->name) : ret;
}

/* --- parts --- */

static int ask(struct far *f, const struct vv_extent *p, struct vv_err *err)
{
	char hex[VV_ID_HEX + 1];

	return vv_wire_say(&f->wire, err, "get %s %" PRIu64 " %" PRIu64, vv_id_hex(&p->pack, hex), p->off, p->len);
}

static int get(struct vv_remote *r, const struct vv_extent *parts, size_t n,
	int (*take)(void *, size_t, uint64_t, struct vv_span, struct vv_err *), void *arg, struct vv_err *err)
{
	struct far *f = (struct far *)r;
	size_t asked = 0;
	uint64_t len;
	int ret = alive(f, err);

	for (size_t i = 0; i < n && !ret; i++) {
		struct vv_taking t = {take, arg, i, parts[i].off};

		while (asked < n && asked < i + AHEAD && !ret)
			ret = ended(f, ask(f, &parts[asked++], err));
		if (!ret && (ret = expect_number(f, "data", &len, err)) != 0)
			drop_answers(f, asked - i - 1);
		if (!ret && len != parts[i].len)
			ret = ended(f, vv_fail(err, VV_EFORMAT, "%s: sends %" PRIu64 " bytes where %" PRIu64 " were asked for", r->name,
				len, parts[i].len));
		if (!ret)
			ret = ended(f, vv_wire_bytes(&f->wire, len, vv_take_piece, &t, err));
	}
	return ret;
}

/* --- packs --- */

static int send_file(struct far *f, const struct vv_file *file, uint64_t from, struct vv_progress *prog, struct vv_err *err)
{
	uint64_t size = (uint64_t)file->st.st_size;
	uint8_t *buf = malloc(PIECE);
	int ret = buf ? 0 : vv_fail_nomem(err);

	while (!ret && from < size) {
		size_t n = (size_t)vv_min64(PIECE, size - from);
		ret = vv_source_read(&file->base, from, buf, n, err);
		if (!ret)
			ret = vv_wire_write(&f->wire, vv_span(buf, n), err);
		from += n;
		vv_progress(prog, "Sending", from, size);
	}
	free(buf);
	return ret;
}

static int put(
	struct vv_remote *r, const struct vv_id *pack, const char *path, struct vv_progress *prog, struct vv_err *err)
{
	struct far *f = (struct far *)r;
	struct vv_file file = {.fd = -1};
	char hex[VV_ID_HEX + 1], *line;
	uint64_t have, size = 0;
	int ret = alive(f, err);

	if (!ret)
		ret = vv_file_open(&file, path, err);
	if (!ret) {
		size = (uint64_t)file.st.st_size;
		ret = ended(f, vv_wire_say(&f->wire, err, "put %s %" PRIu64, vv_id_hex(pack, hex), size));
		if (!ret)
			ret = ended(f, vv_wire_line(&f->wire, &line, err));
	}
	if (!ret && !strcmp(line, "done"))
		goto out;
	if (!ret && (strncmp(line, "have ", 5) || vv_wire_number(line + 5, &have) || have > size))
		ret = refused(f, line, err);
	if (!ret)
		ret = ended(f, send_file(f, &file, have, prog, err));
	if (!ret)
		ret = expect_done(f, err);
out:
	if (file.fd >= 0)
		vv_file_close(&file);
	return ret;
}

static int keep(struct vv_remote *r, const struct vv_id *packs, size_t n, struct vv_err *err)
{
	struct far *f = (struct far *)r;
	char hex[VV_ID_HEX + 1];
	size_t asked = 0;
	int ret = alive(f, err);

	for (size_t i = 0; i < n && !ret; i++) {
		while (asked < n && asked < i + AHEAD && !ret)
			ret = ended(f, vv_wire_say(&f->wire, err, "keep %s", vv_id_hex(&packs[asked++], hex)));
		if (!ret && (ret = expect_done(f, err)) != 0)
			drop_answers(f, asked - i - 1);
	}
	return ret;
}

/* --- beginning and end --- */

static void close_far(struct vv_remote *r)
{
	struct far *f = (struct far *)r;
	struct vv_err ignore = VV_ERR_INIT;
	int status;

	if (f->child.pid > 0 && vv_child_wait(&f->child, &status, &ignore))
		vv_err_clear(&ignore);
	if (f->child.in >= 0)
		close(f->child.in);
	if (f->child.out >= 0)
		close(f->child.out);
	vv_wire_release(&f->wire);
	free(f->base.name);
	free(f);
}

/* What comes before the greeting is a login's chatter. */
static int greet(struct far *f, struct vv_err *err)
{
	char *line;
	int ret = 0;

	for (int i = 0; i < NOISE && !ret; i++) {
		ret = vv_wire_line(&f->wire, &line, err);
		if (!ret && !strcmp(line, VV_WIRE_GREETING))
			return 0;
		if (!ret && !strncmp(line, "varve store ", 12))
			return vv_fail(err, VV_ENOTSUP, "%s: speaks a newer language than this varve ('%.40s')", f->base.name, line);
	}
	return ret ? ret : vv_fail(err, VV_EFORMAT, "%s: says much, and not what a varve would", f->base.name);
}

static struct far *far_new(const char *name)
{
	static const struct vv_remote_ops ops = {list, get, put, keep, close_far};
	struct far *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->base = (struct vv_remote){&ops, strdup(name)};
	f->child = (struct vv_child)VV_CHILD_INIT;
	if (f->base.name)
		return f;
	free(f);
	return NULL;
}

static int begin(struct far *f, struct vv_err *err)
{
	int ret = vv_wire_init(&f->wire, f->child.out, f->child.in, f->base.name, err);

	return ret ? ret : greet(f, err);
}

int vv_remote_wired(struct vv_remote **out, const char *name, int in, int out_fd, struct vv_err *err)
{
	struct far *f = far_new(name);
	int ret = f ? 0 : vv_fail_nomem(err);

	if (!f) {
		close(in);
		close(out_fd);
		return ret;
	}
	f->child.out = in;
	f->child.in = out_fd;
	ret = begin(f, err);
	if (ret)
		close_far(&f->base);
	else
		*out = &f->base;
	return ret;
}

int vv_remote_pipe(
	struct vv_remote **out, const char *name, const char *const *argv, const char *what, struct vv_err *err)
{
	struct far *f = far_new(name);
	int status = 0, ret = f ? vv_child_start(&f->child, argv, NULL, VV_CHILD_IN | VV_CHILD_OUT, err) : vv_fail_nomem(err);

	if (!ret)
		ret = begin(f, err);
	if (!ret) {
		*out = &f->base;
		return 0;
	}
	if (f && f->child.pid > 0 && ret == VV_ENOTFOUND) {
		struct vv_err why = VV_ERR_INIT;
		/* It ended without a word: 255 is ssh's own failure, 127 the shell's that knows no varve. */
		if (!vv_child_wait(&f->child, &status, &why) && status == 127)
			ret = vv_fail(err, VV_ENOTSUP, "%s: there is no varve on %s", name, what);
		else if (status && status < 255)
			ret = vv_fail(err, VV_ENOTSUP, "%s: %s has no varve, or no such repository (exit status %d)", name, what, status);
		else
			ret = vv_fail(err, VV_EIO, "%s: %s did not answer (exit status %d)", name, what, status);
		f->child.pid = -1;
	}
	if (f)
		close_far(&f->base);
	return ret;
}
