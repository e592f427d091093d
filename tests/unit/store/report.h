/* What fsck says, collected; what `recover` can offer. For test_fsck.c and test_repair.c. */
#ifndef VV_TESTS_STORE_REPORT_H
#define VV_TESTS_STORE_REPORT_H

#include "fixture.h"

struct offer {
	struct vv_id id;
	const uint8_t *raw;
	size_t len;
};

struct said {
	char text[100][1024];
	struct vv_id id[100];
	bool named[100], repaired[100];
	size_t n, asked;
	struct offer offers[8];
	size_t n_offers;
};

static inline void note(void *arg, const struct vv_id *id, const char *text, bool repaired)
{
	struct said *s = arg;

	if (s->n == VV_COUNT(s->text))
		return;
	snprintf(s->text[s->n], sizeof(s->text[0]), "%s", text);
	s->named[s->n] = id != NULL;
	if (id)
		s->id[s->n] = *id;
	s->repaired[s->n++] = repaired;
}

/* A wrong offer is one whose bytes do not have the id. */
static inline int offer(void *arg, const struct vv_id *id, uint64_t size, struct vv_buf *out, const char **where,
	struct vv_err *err)
{
	struct said *s = arg;

	*where = "somebody had it";
	s->asked++;
	for (size_t i = 0; i < s->n_offers; i++)
		if (vv_id_eq(&s->offers[i].id, id)) {
			vv_buf_add(out, s->offers[i].raw, s->offers[i].len);
			return size == s->offers[i].len ? vv_buf_check(out, err) : 0;
		}
	return vv_fail(err, VV_ENOTFOUND, "not here");
}

static inline struct vv_fsck_stats fsck(struct fixture *f, bool repair, struct said *said)
{
	struct vv_fsck_report report = {note, offer, said};
	struct vv_fsck_stats st = {0};

	said->n = said->asked = 0;
	CHECK_OK(vv_store_fsck(f->store, repair, &report, &st, NULL, &f->err), &f->err);
	return st;
}

/* Is there a line about this object that has these words? */
static inline bool said_of(const struct said *s, const struct vv_id *id, const char *words)
{
	for (size_t i = 0; i < s->n; i++)
		if ((id ? s->named[i] && vv_id_eq(&s->id[i], id) : !s->named[i]) && strstr(s->text[i], words))
			return true;
	return false;
}

static inline bool all_live(void *arg VV_UNUSED, const struct vv_id *id VV_UNUSED)
{
	return true;
}

/* All into one pack; its path. */
static inline void into_one(struct fixture *f, char *path, size_t cap)
{
	struct vv_gc_options opt = {.grace_s = 0};
	struct vv_gc_stats st;

	CHECK_OK(vv_store_gc(f->store, all_live, NULL, &opt, &st, NULL, &f->err), &f->err);
	CHECK_INT(f->store->n_packs, 1);
	snprintf(path, cap, "%s", f->store->packs[0]->path);
}

#endif
