#include "cli/shelf.h"

#include <stdlib.h>

bool vv_oid_is_zero(const char *oid)
{
	return oid[strspn(oid, "0")] == 0;
}

static void empty(struct vv_shelf_slot *slot)
{
	if (slot->m)
		vv_manifest_release(slot->m);
	free(slot->m);
	free(slot->name);
	*slot = (struct vv_shelf_slot){0};
}

/* Fills the slot's manifest; what cannot be one leaves it NULL. */
static int read_manifest(struct vv_shelf *s, struct vv_shelf_slot *slot, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err why = VV_ERR_INIT;
	struct vv_manifest m = {0};
	int ret = 0;

	/* After a blob too large to be a manifest the child is gone: the next call starts another. */
	if (s->blobs.child.pid < 0)
		ret = vv_blobs_open(&s->blobs, s->repo, err);
	if (ret)
		return ret;
	if (vv_blobs_get(&s->blobs, slot->name, &text, &why)) {
		if (why.code != VV_ENOTFOUND && why.code != VV_ELIMIT && why.code != VV_ENOTSUP) {
			*err = why;
			ret = why.code;
		}
	} else if (vv_manifest_detect(vv_buf_view(&text)) == VV_TEXT_MANIFEST &&
		!vv_manifest_parse(&m, vv_buf_view(&text), &why)) {
		slot->m = malloc(sizeof(m));
		if (slot->m)
			*slot->m = m;
		else
			vv_manifest_release(&m);
		ret = slot->m ? 0 : vv_fail_nomem(err);
	} else if (why.code == VV_ENOMEM) {
		ret = vv_fail_nomem(err);
	}
	vv_buf_release(&text);
	return ret;
}

int vv_shelf_get(struct vv_shelf *s, const char *name, const struct vv_manifest **out, struct vv_err *err)
{
	struct vv_shelf_slot *slot = &s->slots[0];
	int ret;

	*out = NULL;
	if (vv_oid_is_zero(name))
		return 0;
	for (size_t i = 0; i < VV_SHELF_SLOTS; i++) {
		struct vv_shelf_slot *o = &s->slots[i];
		if (o->name && !strcmp(o->name, name)) {
			o->used = ++s->clock;
			*out = o->m;
			return 0;
		}
		if (o->used < slot->used)
			slot = o;
	}
	empty(slot);
	slot->name = strdup(name);
	ret = slot->name ? read_manifest(s, slot, err) : vv_fail_nomem(err);
	if (ret) {
		empty(slot);
		return ret;
	}
	slot->used = ++s->clock;
	*out = slot->m;
	return 0;
}

void vv_shelf_release(struct vv_shelf *s)
{
	vv_blobs_close(&s->blobs);
	for (size_t i = 0; i < VV_SHELF_SLOTS; i++)
		empty(&s->slots[i]);
}
