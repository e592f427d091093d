#define _GNU_SOURCE
#include "os/job.h"

#include "base/check.h"
#include "os/child.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
/* A handler can be told nothing else than what is global. */
static volatile sig_atomic_t caught, target; /* as kill takes it; 0: nobody */
static struct sigaction before[VV_COUNT(signals)];

static void on_signal(int sig)
{
	int sys = errno;

	if (target)
		kill((pid_t)target, caught ? SIGKILL : sig);
	caught = sig;
	errno = sys;
}

void vv_job_begin(void)
{
	struct sigaction now = {.sa_handler = on_signal};

	caught = target = 0;
	sigemptyset(&now.sa_mask);
	for (size_t i = 0; i < VV_COUNT(signals); i++)
		/* What is ignored, as nohup does it, stays so. */
		if (!sigaction(signals[i], NULL, &before[i]) && before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &now, NULL);
}

int vv_job_caught(void)
{
	return caught;
}

int vv_job_run(const char *const *argv, const char *const *env, unsigned flags, int *status, struct vv_err *err)
{
	struct vv_child c = VV_CHILD_INIT;
	bool apart = !(flags & VV_CHILD_INHERIT) || !isatty(STDIN_FILENO);
	int ret = vv_child_start(&c, argv, env, flags | VV_CHILD_TALK | (apart ? VV_CHILD_GROUP : 0), err);

	if (ret)
		return ret;
	target = apart ? -c.pid : c.pid;
	if (caught) /* before there was a job */
		kill((pid_t)target, caught);
	ret = vv_child_wait(&c, status, err);
	if (caught && apart)
		kill((pid_t)target, SIGKILL);
	target = 0;
	return ret;
}

void vv_job_end(void)
{
	int sig = caught;

	for (size_t i = 0; i < VV_COUNT(signals); i++)
		sigaction(signals[i], &before[i], NULL);
	caught = 0;
	if (sig)
		raise(sig);
}
