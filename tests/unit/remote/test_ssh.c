/* What is a URL of ssh's, and the words that ssh then gets. The far end is a script that says what it was told. */
#include "remote/remote.h"

#include "tap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_urls(void)
{
	static const struct {
		const char *url;
		bool yes;
	} t[] = {
		{"ssh://host/path", true},
		{"ssh://me@host:2222/path/to/repo.git", true},
		{"git+ssh://host/path", true},
		{"host:path", true},
		{"me@host:path/to/repo.git", true},
		{"me@[::1]:repo", true},
		{"/a/path", false},
		{"./host:path", false},
		{"dir/host:path", false},
		{"file:///a/path", false},
		{"https://host/path", false},
		{"ssh://host", false},
		{"ssh:///path", false},
		{"host:", false},
		{":path", false},
		{"", false},
		{"ext::sh -c true", false},
	};

	for (size_t i = 0; i < VV_COUNT(t); i++) {
		if (vv_is_ssh_url(t[i].url) != t[i].yes)
			printf("# %s\n", t[i].url);
		CHECK(vv_is_ssh_url(t[i].url) == t[i].yes);
	}
}

/* The words of the ssh command, one a line. */
static void words(const char *root, const char *url, const char *command, const char *want)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_remote *r = NULL;
	char path[200], got[1000] = "";
	FILE *f;
	size_t n;

	CHECK_OK(vv_remote_ssh(&r, url, command, &err), &err);
	vv_remote_close(r);
	snprintf(path, sizeof(path), "%s/words", root);
	f = fopen(path, "r");
	n = f ? fread(got, 1, sizeof(got) - 1, f) : 0;
	got[n] = 0;
	if (f)
		fclose(f);
	CHECK_STR(got, want);
}

int main(void)
{
	char root[] = "/tmp/varve-test-XXXXXX", script[100], cmd[300], own[200];
	struct vv_err err = VV_ERR_INIT;
	struct vv_remote *r = NULL;
	FILE *f;

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(root))
		return 1;
	test_urls();
	snprintf(script, sizeof(script), "%s/my-ssh", root);
	f = fopen(script, "w");
	fprintf(f, "#!/bin/sh\nfor w; do echo \"$w\"; done >%s/words\necho varve store 1\ncat >/dev/null\n", root);
	fclose(f);
	chmod(script, 0755);
	unsetenv("GIT_SSH_COMMAND");
	setenv("GIT_SSH", script, 1);
	words(root, "ssh://me@host:2222/path/a b.git", NULL, "-p\n2222\nme@host\nvarve serve-store --stdio '/path/a b.git'\n");
	words(root, "host:it's", "not asked", "host\nvarve serve-store --stdio 'it'\\''s'\n");
	words(root, "ssh://host/~me/x", NULL, "host\nvarve serve-store --stdio '~me/x'\n");
	words(root, "git+ssh://me@[::1]:22/x", NULL, "-p\n22\nme@::1\nvarve serve-store --stdio '/x'\n");
	words(root, "git+ssh://a%40b@host/my%20repo%2", NULL, "a@b@host\nvarve serve-store --stdio '/my repo%2'\n");
	words(root, "[::1]:x", NULL, "::1\nvarve serve-store --stdio 'x'\n");
	/* A command of several words, from the environment before that of the configuration. */
	unsetenv("GIT_SSH");
	snprintf(own, sizeof(own), "%s -i 'a key'", script);
	words(root, "host:x", own, "-i\na key\nhost\nvarve serve-store --stdio 'x'\n");
	setenv("GIT_SSH_COMMAND", own, 1);
	words(root, "host:x", "false", "-i\na key\nhost\nvarve serve-store --stdio 'x'\n");
	/* What ssh, or what runs there, would take for an option. */
	CHECK_INT(vv_remote_ssh(&r, "-oProxyCommand=x:y", NULL, &err), VV_EUNSAFE);
	CHECK_INT(vv_remote_ssh(&r, "git+ssh://-oProxyCommand=x/y", NULL, &err), VV_EUNSAFE);
	CHECK_INT(vv_remote_ssh(&r, "host:-x", NULL, &err), VV_EUNSAFE);
	CHECK_INT(vv_remote_ssh(&r, "ssh://host:2x/y", NULL, &err), VV_EUNSAFE);
	CHECK_INT(vv_remote_ssh(&r, "host:a\nb", NULL, &err), VV_EUNSAFE);
	CHECK_INT(vv_remote_ssh(&r, "git+ssh://host\r/y", NULL, &err), VV_EUNSAFE);
	CHECK_INT(vv_remote_ssh(&r, "git+ssh://host/a%0ab", NULL, &err), VV_EUNSAFE);
	CHECK_INT(vv_remote_ssh(&r, "ext::sh -c true", NULL, &err), VV_ENOTSUP);
	CHECK_INT(vv_remote_ssh(&r, "https://host/y", NULL, &err), VV_ENOTSUP);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	return system(cmd) ? 1 : done();
}
