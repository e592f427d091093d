#include "diff/dirdiff.h"

#include "base/map.h"

#include <stdlib.h>

static bool same(const struct vv_manifest_file *a, const struct vv_manifest_file *b)
{
	return a->mode == b->mode && a->size == b->size && vv_id_eq(&a->sha256, &b->sha256);
}

static struct vv_span key(const struct vv_manifest_file *f)
{
	return vv_span(f->sha256.b, VV_ID_BYTES);
}

/* Joins removed files with added ones of the same bytes: the first with the first. */
static int join_renamed(struct vv_dirdiff *d, const struct vv_manifest *a, const struct vv_manifest *b, struct vv_err *err)
{
	struct vv_map gone = {0};
	size_t kept = 0;
	int ret = 0;

	for (size_t i = 0; i < d->n && !ret; i++)
		if (d->v[i].b == SIZE_MAX && a->files[d->v[i].a].size && !vv_map_put(&gone, key(&a->files[d->v[i].a]), i, NULL))
			ret = vv_fail_nomem(err);
	for (size_t i = 0; i < d->n && !ret; i++) {
		uint64_t *at = d->v[i].a == SIZE_MAX ? vv_map_find(&gone, key(&b->files[d->v[i].b])) : NULL;
		if (!at || *at == SIZE_MAX)
			continue;
		d->v[i].a = d->v[*at].a;
		d->v[*at] = (struct vv_dirdiff_item){SIZE_MAX, SIZE_MAX};
		*at = SIZE_MAX;
	}
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].a != SIZE_MAX || d->v[i].b != SIZE_MAX)
			d->v[kept++] = d->v[i];
	d->n = kept;
	vv_map_release(&gone);
	return ret;
}

int vv_dirdiff_make(struct vv_dirdiff *d, const struct vv_manifest *a, const struct vv_manifest *b, struct vv_err *err)
{
	size_t n_a = a ? a->n_files : 0, n_b = b ? b->n_files : 0, i = 0, k = 0;
	int ret;

	*d = (struct vv_dirdiff){.v = calloc(n_a + n_b + 1, sizeof(*d->v))};
	if (!d->v)
		return vv_fail_nomem(err);
	while (i < n_a || k < n_b) {
		int cmp = i == n_a ? 1 : k == n_b ? -1 : strcmp(a->files[i].path, b->files[k].path);

		if (!cmp && same(&a->files[i], &b->files[k])) {
			d->n_same++;
			i++;
			k++;
			continue;
		}
		d->v[d->n].a = cmp <= 0 ? i++ : SIZE_MAX;
		d->v[d->n++].b = cmp >= 0 ? k++ : SIZE_MAX;
	}
	ret = join_renamed(d, a, b, err);
	if (ret)
		vv_dirdiff_release(d);
	return ret;
}

void vv_dirdiff_release(struct vv_dirdiff *d)
{
	free(d->v);
	*d = (struct vv_dirdiff){0};
}
