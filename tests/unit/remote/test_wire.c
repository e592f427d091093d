#include "remote/wire.h"

#include "tap.h"

#include <stdlib.h>
#include <unistd.h>

static int collect(void *arg, struct vv_span bytes, struct vv_err *err)
{
	char *to = arg;
	size_t n = strlen(to);

	(void)err;
	memcpy(to + n, bytes.ptr, bytes.len);
	to[n + bytes.len] = 0;
	return 0;
}

static void feed(int fd, const char *s, size_t n)
{
	CHECK(write(fd, s, n) == (ssize_t)n);
}

static void test_lines(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_wire w;
	char *line, got[64] = "", big[2000];
	int fd[2];

	CHECK(!pipe(fd));
	CHECK_OK(vv_wire_init(&w, fd[0], fd[1], "test", &err), &err);
	CHECK_OK(vv_wire_say(&w, &err, "one %d", 1), &err);
	CHECK_OK(vv_wire_say(&w, &err, "with a\nbreak"), &err);
	feed(fd[1], "\nabcdef\nlast", 12);
	CHECK_OK(vv_wire_line(&w, &line, &err), &err);
	CHECK_STR(line, "one 1");
	CHECK_OK(vv_wire_line(&w, &line, &err), &err);
	CHECK_STR(line, "with a break");
	CHECK_OK(vv_wire_line(&w, &line, &err), &err);
	CHECK_STR(line, "");
	CHECK_OK(vv_wire_bytes(&w, 6, collect, got, &err), &err);
	CHECK_STR(got, "abcdef");
	CHECK_OK(vv_wire_line(&w, &line, &err), &err);
	/* A line that is longer than any line, and one with a NUL. */
	memset(big, 'x', sizeof(big));
	feed(fd[1], big, sizeof(big));
	CHECK_INT(vv_wire_line(&w, &line, &err), VV_EFORMAT);
	vv_wire_release(&w);
	CHECK_OK(vv_wire_init(&w, fd[0], fd[1], "test", &err), &err);
	feed(fd[1], "a\0b\n", 4);
	CHECK_INT(vv_wire_line(&w, &line, &err), VV_EFORMAT);
	/* The end is one thing between lines, another within bytes. */
	close(fd[1]);
	vv_wire_release(&w);
	CHECK_OK(vv_wire_init(&w, fd[0], fd[1], "test", &err), &err);
	CHECK_INT(vv_wire_line(&w, &line, &err), VV_ENOTFOUND);
	CHECK_INT(vv_wire_bytes(&w, 1, collect, got, &err), VV_EIO);
	CHECK_OK(vv_wire_bytes(&w, 0, collect, got, &err), &err);
	close(fd[0]);
	vv_wire_release(&w);
}

static void test_words(void)
{
	char line[] = "get abc 1 2 3", one[] = "list", none[] = "", *w[4];
	uint64_t n;

	CHECK_INT(vv_wire_words(line, w, 4), 5);
	CHECK_STR(w[0], "get");
	CHECK_STR(w[3], "2");
	CHECK_INT(vv_wire_words(one, w, 4), 1);
	CHECK_INT(vv_wire_words(none, w, 4), 1);
	CHECK(!vv_wire_number("0", &n) && n == 0);
	CHECK(!vv_wire_number("281474976710655", &n) && n == 281474976710655u);
	CHECK(vv_wire_number("281474976710656", &n));
	CHECK(vv_wire_number("", &n));
	CHECK(vv_wire_number("-1", &n));
	CHECK(vv_wire_number("1x", &n));
	CHECK(vv_wire_number("99999999999999999999", &n));
}

int main(void)
{
	test_lines();
	test_words();
	return done();
}
