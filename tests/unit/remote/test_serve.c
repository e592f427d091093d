/* The far end, word by word. */
#include "remotes.h"

#include <sys/wait.h>

/* What it says to `words`, with how it ended. */
static int talk(const char *dir, bool readonly, const char *words, size_t n, char *out, size_t cap)
{
	struct vv_err err = VV_ERR_INIT;
	char path[200];
	int in[2], fd, ret;
	ssize_t k;

	snprintf(path, sizeof(path), "%s.out", dir);
	CHECK(!pipe(in));
	CHECK(write(in[1], words, n) == (ssize_t)n);
	close(in[1]);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ret = vv_remote_serve(dir, in[0], fd, readonly, &err);
	k = pread(fd, out, cap - 1, 0);
	out[k > 0 ? k : 0] = 0;
	close(in[0]);
	close(fd);
	return ret;
}

int main(void)
{
	char dir[100], out[4000], words[400], hex[65];
	struct packs p;

	packs_init(&p, 1, 40);
	snprintf(dir, sizeof(dir), "%s/store", p.root);
	vv_id_hex(&p.at[0].name, hex);
#define SAY(ro, s) talk(dir, ro, s, strlen(s), out, sizeof(out))
	CHECK_INT(SAY(false, ""), 0);
	CHECK_STR(out, "varve store 1\n");
	CHECK_INT(SAY(false, "list\n"), 0);
	CHECK(strstr(out, "\npacks ") && strstr(out, hex));
	snprintf(words, sizeof(words), "get %s 0 6\nget %s 6 0\n", hex, hex);
	CHECK_INT(SAY(true, words), 0);
	CHECK_STR(out, "varve store 1\ndata 6\nVVPACKdata 0\n");
	snprintf(words, sizeof(words), "get %s 0 999999999\nkeep %s\n", hex, hex);
	CHECK_INT(SAY(false, words), 0);
	CHECK(strstr(out, "\nno usage ") && strstr(out, "\ndone\n"));
	/* For reading only. */
	snprintf(words, sizeof(words), "put %s 10\nkeep %s\n", hex, hex);
	CHECK_INT(SAY(true, words), 0);
	CHECK_STR(out, "varve store 1\nno not-supported this store is for reading only\nno not-supported this store is for reading only\n");
	/* What it has already. */
	snprintf(words, sizeof(words), "put %s 10\n", hex);
	CHECK_INT(SAY(false, words), 0);
	CHECK_STR(out, "varve store 1\ndone\n");
	/* Bytes that are another's, bytes that end too soon. */
	hex[0] = hex[0] == 'a' ? 'b' : 'a';
	snprintf(words, sizeof(words), "put %s 10\n0123456789list\n", hex);
	CHECK_INT(SAY(false, words), 0);
	CHECK(strstr(out, "\nhave 0\nno corrupt ") && strstr(out, "\npacks "));
	snprintf(words, sizeof(words), "put %s 10\n012345", hex);
	CHECK_INT(SAY(false, words), VV_EIO);
	snprintf(words, sizeof(words), "put %s 10\n6789", hex);
	CHECK_INT(SAY(false, words), 0);
	CHECK(strstr(out, "\nhave 6\nno corrupt "));
	/* What is no request ends it, and does nothing. */
	CHECK_INT(SAY(false, "rm -rf /\n"), VV_EFORMAT);
	CHECK_INT(SAY(false, "get ../../etc/passwd 0 10\n"), VV_EFORMAT);
	CHECK_INT(SAY(false, "list \n"), VV_EFORMAT);
	CHECK_INT(SAY(false, "\n"), VV_EFORMAT);
	snprintf(words, sizeof(words), "get %s -1 10\n", hex);
	CHECK_INT(SAY(false, words), VV_EFORMAT);
	snprintf(words, sizeof(words), "put %s 999999999999999\n", hex);
	CHECK_INT(SAY(false, words), VV_EFORMAT);
	packs_release(&p);
	return done();
}
