#include "remotes.h"

static struct vv_remote *open_memory(void *arg)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_remote *r = NULL;
	int *times = arg;

	/* It forgets all when it is closed. */
	if (!(*times)++)
		CHECK_OK(vv_remote_memory(&r, &err), &err);
	return r;
}

int main(void)
{
	int times = 0;

	remote_conforms(open_memory, &times);
	return done();
}
