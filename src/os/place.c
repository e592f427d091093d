#define _GNU_SOURCE
#include "os/place.h"

#include "base/quote.h"
#include "os/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

/* Code points that HFS+ ignores in names. */
static bool ignored(uint32_t c)
{
	return (c >= 0x200c && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) || (c >= 0x206a && c <= 0x206f) ||
		c == 0xfeff;
}

bool vv_is_dotgit(const char *name, size_t len)
{
	char s[8];
	size_t n = 0;
	struct vv_span in = vv_span(name, len);

	while (in.len) {
		uint32_t c = 0;
		size_t k = vv_utf8(in, &c);
		if (!k) {
			k = 1;
			c = 0xfffd;
		}
		if (c == ':')
			break; /* an NTFS stream */
		if (!ignored(c)) {
			if (n + 1 >= sizeof(s) && c != '.' && c != ' ')
				return false;
			if (n + 1 < sizeof(s))
				s[n++] = c < 0x80 ? (char)c : '?';
		}
		in.ptr += k;
		in.len -= k;
	}
	while (n && (s[n - 1] == '.' || s[n - 1] == ' '))
		n--;
	s[n] = 0;
	return !strcasecmp(s, ".git") || !strcasecmp(s, "git~1");
}

int vv_place_open(struct vv_place *p, int root, const char *path, struct vv_err *err)
{
	int dir = fcntl(root, F_DUPFD_CLOEXEC, 0), ret;
	const char *part = path;

	if (dir < 0)
		return vv_fail_sys(err, errno, "%s", path);
	for (;;) {
		size_t len = strcspn(part, "/");
		char name[256];
		int next;

		if (!len || len > 255 || (len == 1 && part[0] == '.') || (len == 2 && !memcmp(part, "..", 2)) ||
			vv_is_dotgit(part, len)) {
			ret = vv_fail(err, VV_EUNSAFE, "%s: not a path that varve will write to", path);
			break;
		}
		if (!part[len]) {
			*p = (struct vv_place){dir, part};
			return 0;
		}
		memcpy(name, part, len);
		name[len] = 0;
		next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0) {
			struct stat st;
			/* A symbolic link to a folder answers ENOTDIR; to anything, ELOOP. */
			if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISLNK(st.st_mode))
				ret = vv_fail(err, VV_EUNSAFE, "%s: a folder on the way is a symbolic link", path);
			else
				ret = vv_fail_sys(err, errno, "%s", path);
			break;
		}
		close(dir);
		dir = next;
		part += len + 1;
	}
	close(dir);
	return ret;
}

void vv_place_release(struct vv_place *p)
{
	if (p->dirfd >= 0 && p->name)
		close(p->dirfd);
	*p = (struct vv_place)VV_PLACE_INIT;
}

int vv_place_temp(const struct vv_place *p, char *name, int *fd, struct vv_err *err)
{
	for (int i = 0; i < 100; i++) {
		snprintf(name, 40, ".varve-tmp-%016" PRIx64, vv_random64());
		*fd = openat(p->dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (*fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return vv_fail_sys(err, errno, "cannot make a temporary file beside %s", p->name);
}
