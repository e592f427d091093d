/* The progress bar: appears when work takes longer than a second, with rate and time left. */
#include "cli/cli.h"
#include "os/sys.h"

#include <sys/ioctl.h>
#include <unistd.h>

enum { SHOW_AFTER_MS = 1000, EVERY_MS = 100, BAR = 24 };

struct bar {
	struct vv_progress base;
	const char *what;
	uint64_t start_ms, last_ms, start_done;
	bool shown;
};

static struct bar the_bar;

static void draw(struct bar *b, uint64_t done, uint64_t total, uint64_t now)
{
	double s = (double)(now - b->start_ms) / 1000, rate = s > 0 ? (double)(done - b->start_done) / s : 0;
	char a[32], t[32], r[32], line[256];
	int n;

	if (total) {
		char fill[BAR + 1];
		uint64_t full = done >= total ? BAR : (uint64_t)((double)done / (double)total * BAR);
		for (uint64_t i = 0; i < BAR; i++)
			fill[i] = i < full ? '#' : '.';
		fill[BAR] = 0;
		n = snprintf(line, sizeof(line), "%s [%s] %3.0f%% %s of %s, %s/s", b->what, fill,
			100.0 * (double)done / (double)total, vv_human(done, a), vv_human(total, t),
			vv_human((uint64_t)rate, r));
		if (rate > 0 && done < total)
			snprintf(line + n, sizeof(line) - (size_t)n, ", %.0f s left", (double)(total - done) / rate);
	} else {
		snprintf(line, sizeof(line), "%s %s, %s/s", b->what, vv_human(done, a), vv_human((uint64_t)rate, r));
	}
	fprintf(stderr, "\r%s\033[K", line);
	fflush(stderr);
	b->shown = true;
}

static void step(struct vv_progress *self, const char *what, uint64_t done, uint64_t total)
{
	struct bar *b = (struct bar *)self;
	uint64_t now = vv_monotonic_ms();

	if (b->what != what || done < b->start_done) {
		vv_progress_end();
		*b = (struct bar){{step}, what, now, now, done, false};
	}
	if (now - b->start_ms < SHOW_AFTER_MS || (now - b->last_ms < EVERY_MS && done != total))
		return;
	b->last_ms = now;
	draw(b, done, total, now);
}

struct vv_progress *vv_progress_bar(void)
{
	the_bar.base.step = step;
	return &the_bar.base;
}

void vv_progress_end(void)
{
	if (the_bar.shown)
		fputs("\r\033[K", stderr);
	the_bar.shown = false;
}
