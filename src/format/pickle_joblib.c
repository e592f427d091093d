/*
 * joblib's files, of scikit-learn's models: a pickle in which each array is an object that stands for it, with the
 * array's bytes behind its BUILD. Python's own reader would take those bytes for opcodes, so a file may be one thing to
 * it and another to joblib: both are looked at. After joblib/numpy_pickle.py.
 */
#include "format/pickle_machine.h"

#include "base/check.h"

enum { NESTED = 8, DTYPES = 4 };

static bool is_wrapper(const struct vv_pickle *p, uint32_t node)
{
	uint32_t callee = vv_pickle_item(p, node, 0);

	return p->nodes[node].kind == VV_PK_CALL &&
		(vv_pickle_is_global(p, callee, "joblib.numpy_pickle", "NumpyArrayWrapper") ||
			vv_pickle_is_global(p, callee, "sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"));
}

/* The value of a key in a dictionary, the last one; 0: none. */
static uint32_t find(const struct vv_pickle *p, uint32_t dict, const char *key)
{
	uint32_t k, found = 0;

	for (uint32_t i = 0; p->nodes[dict].kind == VV_PK_DICT && (k = vv_pickle_item(p, dict, i)); i += 2)
		if (vv_pickle_is_str(p, k, key))
			found = vv_pickle_item(p, dict, i + 1);
	return found;
}

/* Does a record hold objects? Its fields' types lie in its state, records in records included. */
static bool has_object(const struct vv_pickle *p, uint32_t node, unsigned depth)
{
	const struct vv_pickle_node *n = &p->nodes[node];
	uint32_t item;

	if (n->kind == VV_PK_CALL && vv_pickle_is_global(p, vv_pickle_item(p, node, 0), "numpy", "dtype")) {
		struct vv_span s = vv_pickle_text(p, vv_pickle_item(p, vv_pickle_item(p, node, 1), 0));
		if (s.len && *s.ptr == 'O')
			return true;
		return n->items.state && depth && has_object(p, n->items.state, depth - 1);
	}
	for (uint32_t i = 0; depth && (item = vv_pickle_item(p, node, i)); i++)
		if (i < VV_MAX_PICKLE_DEPTH * 2 && has_object(p, item, depth - 1))
			return true;
	return false;
}

/* Bytes of an element by the dtype's text, as "f4"; 0: not known. */
static uint64_t width(struct vv_span s)
{
	uint64_t w = 0;

	if (s.len < 2 || !memchr("biufcmMSUVa", *s.ptr, 11))
		return 0;
	for (size_t i = 1; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9' || vv_mul_over(w, (uint64_t)10, &w) ||
			vv_add_over(w, (uint64_t)(s.ptr[i] - '0'), &w))
			return 0;
	return *s.ptr == 'U' && vv_mul_over(w, (uint64_t)4, &w) ? 0 : w;
}

/* Another pickle, of objects, right behind. */
static void objects(struct vv_machine *m, uint32_t off)
{
	struct vv_machine inner = {.first_only = true, .arrays = true, .nested = m->nested + 1};
	struct vv_pickle p;
	struct vv_span skipped;

	if (m->nested >= NESTED) {
		vv_machine_lose(m, off, "arrays of objects in arrays of objects");
		return;
	}
	if (vv_machine_parse(&inner, &p, vv_span(m->c.ptr, m->c.left)) == VV_ENOMEM)
		vv_machine_push(m, 0);
	vv_machine_take(m, &p, (uint32_t)m->c.off);
	if (vv_take(&m->c, inner.c.off, &skipped))
		vv_machine_lose(m, off, "an array that is cut off");
	vv_pickle_release(&p);
}

void vv_machine_array(struct vv_machine *m, uint32_t node, uint32_t off)
{
	struct vv_pickle *p = m->p;
	uint32_t state, dtype, shape, item;
	struct vv_span skipped;
	uint64_t bytes, n;
	uint8_t padding = 0;

	if (m->lost || !is_wrapper(p, node))
		return;
	p->arrays = true;
	if (!m->arrays)
		return;
	state = p->nodes[node].items.state;
	dtype = find(p, state, "dtype");
	shape = find(p, state, "shape");
	if (dtype && has_object(p, dtype, DTYPES)) {
		objects(m, off);
		return;
	}
	bytes = width(vv_pickle_text(p, vv_pickle_item(p, vv_pickle_item(p, dtype, 1), 0)));
	for (uint32_t i = 0; bytes && (item = vv_pickle_item(p, shape, i)); i++)
		if (vv_pickle_u64(p, item, &n) || vv_mul_over(bytes, n, &bytes)) {
			vv_machine_lose(m, off, "an array of no size");
			return;
		}
	if (!shape || !vv_pickle_item(p, dtype, 0)) {
		vv_machine_lose(m, off, "an array of no type and shape");
		return;
	}
	item = find(p, state, "numpy_array_alignment_bytes");
	if ((item && p->nodes[item].kind != VV_PK_NONE && (vv_take8(&m->c, &padding) || vv_take(&m->c, padding, &skipped))) ||
		bytes > m->c.left || vv_take(&m->c, (size_t)bytes, &skipped))
		vv_machine_lose(m, off, "an array that is cut off");
}
