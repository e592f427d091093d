#include "cli/gitlines.h"
#include "tap.h"

static void unquotes(const char *quoted, const char *want)
{
	char text[64];

	snprintf(text, sizeof(text), "%s", quoted);
	vv_git_unquote(text);
	CHECK_STR(text, want);
}

static void names(void)
{
	unquotes("plain name", "plain name");
	unquotes("\"a\\tb\"", "a\tb");
	unquotes("\"a\\\"b\\\\c\"", "a\"b\\c");
	unquotes("\"\\303\\274\\377\"", "\303\274\377");
	unquotes("\"\\1x\"", "\001x");
	unquotes("\"open", "open");
	unquotes("\"end\\", "end\\");
	unquotes("", "");
}

static void records(void)
{
	const char *words[] = {"hash-object", "--stdin-paths", NULL}, *rec = NULL;
	struct vv_lines l = VV_LINES_INIT;
	struct vv_args a = {0};
	struct vv_err err = VV_ERR_INIT;

	vv_args_add(&a, "version");
	CHECK_OK(vv_lines_open(&l, &a, &err), &err);
	CHECK_OK(vv_lines_next(&l, '\n', &rec, &err), &err);
	CHECK(rec && !strncmp(rec, "git version ", 12));
	CHECK_INT(vv_lines_next(&l, '\n', &rec, &err), 1);
	CHECK_OK(vv_lines_close(&l, &err), &err);
	vv_lines_release(&l);
	vv_args_release(&a);

	/* git's own words are the message, in one line. */
	vv_args_all(&a, words);
	vv_args_add(&a, "--no-such-option");
	CHECK_OK(vv_lines_open(&l, &a, &err), &err);
	CHECK_INT(vv_lines_next(&l, '\n', &rec, &err), 1);
	CHECK_INT(vv_lines_close(&l, &err), VV_EGIT);
	CHECK(!strncmp(err.msg, "git hash-object: ", 17) && !strchr(err.msg, '\n'));
	vv_args_release(&a);
}

int main(void)
{
	names();
	records();
	return done();
}
