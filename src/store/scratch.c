/* Scratch memory of one thread: some 16 MB, so a store keeps what is not in use. */
#include "store/internal.h"

#include <stdlib.h>

static struct scratch *scratch_new(void)
{
	struct scratch *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->block = SIZE_MAX;
	s->coded_cap = vv_block_bound(MAX_BLOCK);
	s->codec = vv_codec_new();
	s->coded = malloc(s->coded_cap);
	s->base[0] = malloc(MAX_BLOCK);
	s->base[1] = malloc(MAX_BLOCK);
	s->raw = malloc(MAX_BLOCK);
	s->held = malloc(MAX_BLOCK);
	s->samples = malloc((size_t)2 * SAMPLES * SAMPLE_ELEMS * 16);
	if (s->codec && s->coded && s->base[0] && s->base[1] && s->raw && s->held && s->samples)
		return s;
	scratch_free(s);
	return NULL;
}

void scratch_forget(struct scratch *s)
{
	object_free(s->list);
	object_free(s->o);
	s->list = s->o = NULL;
	s->block = SIZE_MAX;
}

void scratch_free(struct scratch *s)
{
	if (!s)
		return;
	scratch_forget(s);
	vv_codec_free(s->codec);
	free(s->coded);
	free(s->base[0]);
	free(s->base[1]);
	free(s->raw);
	free(s->held);
	free(s->samples);
	free(s);
}

static bool remembers(const struct scratch *s, const struct vv_id *id)
{
	return (s->o && vv_id_eq(&s->o->e.id, id)) || (s->list && vv_id_eq(&s->list->e.id, id));
}

/* With `id`, what it remembers is kept; it may be of that object. Without, it is forgotten. */
struct scratch *scratch_take(struct vv_store *s, const struct vv_id *id, struct vv_err *err)
{
	struct scratch *got = NULL;
	size_t at;

	if (s) {
		pthread_mutex_lock(&s->lock);
		at = s->n_idle ? s->n_idle - 1 : 0;
		for (size_t i = 0; id && i < s->n_idle; i++)
			if (remembers(s->idle[i], id))
				at = i;
		if (s->n_idle) {
			got = s->idle[at];
			s->idle[at] = s->idle[--s->n_idle];
		}
		pthread_mutex_unlock(&s->lock);
	}
	if (got && !id)
		scratch_forget(got);
	if (!got && !(got = scratch_new()))
		vv_fail_nomem(err);
	return got;
}

void scratch_give(struct vv_store *s, struct scratch *scratch)
{
	if (!scratch)
		return;
	if (s) {
		pthread_mutex_lock(&s->lock);
		if (s->n_idle < VV_COUNT(s->idle)) {
			s->idle[s->n_idle++] = scratch;
			scratch = NULL;
		}
		pthread_mutex_unlock(&s->lock);
	}
	scratch_free(scratch);
}

struct scratch **scratch_take_all(struct vv_store *s, unsigned n, struct vv_err *err)
{
	struct scratch **all = calloc(n, sizeof(struct scratch *));

	for (unsigned i = 0; all && i < n; i++)
		if (!(all[i] = scratch_take(s, NULL, err))) {
			scratch_give_all(s, all, n);
			return NULL;
		}
	if (!all)
		vv_fail_nomem(err);
	return all;
}

void scratch_give_all(struct vv_store *s, struct scratch **all, unsigned n)
{
	for (unsigned i = 0; all && i < n; i++)
		scratch_give(s, all[i]);
	free(all);
}
