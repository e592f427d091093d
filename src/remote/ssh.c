/* Git's ssh URLs, and the command line for them. */
#define _GNU_SOURCE
#include "remote/remote.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

struct target {
	char *host, *port, *path; /* port: NULL, or digits */
};

static void target_release(struct target *t)
{
	free(t->host);
	free(t->port);
	free(t->path);
}

/* ssh://[user@]host[:port]/path; a path that begins with /~ is one from somebody's home. */
static bool parse_long(struct target *t, const char *p)
{
	const char *slash = strchr(p, '/'), *colon = NULL, *bracket = *p == '[' ? strchr(p, ']') : NULL;
	const char *at = slash ? memchr(p, '@', (size_t)(slash - p)) : NULL;

	if (at && at[1] == '[')
		bracket = strchr(at, ']');
	if (!slash || slash == p)
		return false;
	for (const char *c = bracket && bracket < slash ? bracket : p; c < slash; c++)
		if (*c == ':')
			colon = c;
	t->host = strndup(p, (size_t)((colon ? colon : slash) - p));
	t->port = colon && slash > colon + 1 ? strndup(colon + 1, (size_t)(slash - colon - 1)) : NULL;
	t->path = strdup(slash[1] == '~' ? slash + 1 : slash);
	return true;
}

/* [user@]host:path, unless a slash comes before the colon; "helper::address" names a program of git's. */
static bool parse_short(struct target *t, const char *url)
{
	const char *open = url[0] == '[' ? url : strstr(url, "@["), *colon = open ? strstr(open, "]:") : strchr(url, ':');

	if (colon && open)
		colon++;
	if (!colon || colon == url || strcspn(url, "/") < (size_t)(colon - url) || !colon[1] || colon[1] == ':')
		return false;
	t->host = strndup(url, (size_t)(colon - url));
	t->path = strdup(colon + 1);
	return true;
}

/* %XX in a URL with a scheme, as git reads it; what is none stays. */
static void decode(char *s)
{
	char *to = s;

	for (; s && *s; s++) {
		unsigned v;
		if (*s == '%' && strspn(s + 1, "0123456789abcdefABCDEF") >= 2 && sscanf(s + 1, "%2x", &v) == 1 && v) {
			*to++ = (char)v;
			s += 2;
		} else {
			*to++ = *s;
		}
	}
	if (s)
		*to = 0;
}

static bool parse(struct target *t, const char *url)
{
	static const char *const schemes[] = {"ssh://", "git+ssh://", "ssh+git://"};

	*t = (struct target){NULL, NULL, NULL};
	for (size_t i = 0; i < VV_COUNT(schemes); i++)
		if (!strncmp(url, schemes[i], strlen(schemes[i]))) {
			bool is = parse_long(t, url + strlen(schemes[i]));
			decode(t->host);
			decode(t->path);
			return is;
		}
	return !strstr(url, "://") && parse_short(t, url);
}

bool vv_is_ssh_url(const char *url)
{
	struct target t;
	bool yes = parse(&t, url);

	target_release(&t);
	return yes;
}

/* [::1] without its brackets, for ssh. */
static void bare_host(char *host)
{
	char *open = strchr(host, '['), *end = open ? strchr(open, ']') : NULL;

	if (end && !end[1] && (open == host || open[-1] == '@')) {
		*end = 0;
		memmove(open, open + 1, strlen(open));
	}
}

/* One word for the shell at the other side. */
static void quote(struct vv_buf *out, const char *word)
{
	vv_buf_char(out, '\'');
	for (const char *p = word; *p; p++)
		if (*p == '\'' || *p == '!')
			vv_buf_fmt(out, "'\\%c'", *p);
		else
			vv_buf_char(out, *p);
	vv_buf_char(out, '\'');
}

/* In no host or path that anybody means. */
static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

int vv_remote_ssh(struct vv_remote **out, const char *url, const char *command, struct vv_err *err)
{
	struct vv_buf far = VV_BUF_INIT(VV_MAX_TEXT), shell = VV_BUF_INIT(VV_MAX_TEXT);
	const char *argv[12], *own = getenv("GIT_SSH_COMMAND"), *program = getenv("GIT_SSH");
	struct target t;
	size_t n = 0;
	int ret = parse(&t, url) ? 0 : vv_fail(err, VV_ENOTSUP, "%s: no ssh URL", url);

	if (!ret && (!t.host || !t.path))
		ret = vv_fail_nomem(err);
	/* ssh would take these for options; so would what runs at the other side. */
	if (!ret && (t.host[0] == '-' || !t.host[0] || t.path[0] == '-' || has_control(t.host) || has_control(t.path) ||
			    (t.port && strspn(t.port, "0123456789") != strlen(t.port))))
		ret = vv_fail(err, VV_EUNSAFE, "%s: a strange host, port or path", url);
	if (ret)
		goto out;
	bare_host(t.host);
	vv_buf_str(&far, "varve serve-store --stdio ");
	quote(&far, t.path);
	vv_buf_char(&far, 0);
	if (own || (!program && command)) {
		/* The user's own words, which git gives to a shell too. */
		vv_buf_fmt(&shell, "%s \"$@\"", own ? own : command);
		vv_buf_char(&shell, 0);
		argv[n++] = "sh";
		argv[n++] = "-c";
		argv[n++] = (char *)shell.ptr;
	}
	argv[n++] = program && !own ? program : "ssh";
	if (t.port) {
		argv[n++] = "-p";
		argv[n++] = t.port;
	}
	argv[n++] = t.host;
	argv[n++] = (char *)far.ptr;
	argv[n] = NULL;
	ret = vv_buf_check(&far, err);
	if (!ret)
		ret = vv_buf_check(&shell, err);
	if (!ret)
		ret = vv_remote_pipe(out, url, argv, t.host, err);
out:
	vv_buf_release(&far);
	vv_buf_release(&shell);
	target_release(&t);
	return ret;
}
