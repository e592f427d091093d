#define _GNU_SOURCE
#include "format/keras_config.h"

#include "graphs.h"

static struct vv_err err;

static void test_graph(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_graph g;

	check_graph(__FILE__, "hdf5", "short.h5", "hdf5");
	check_graph(__FILE__, "hdf5", "code.h5", "hdf5");
	golden_read(&b, __FILE__, "hdf5/new.h5");
	CHECK(graph_of(&g, "hdf5", vv_buf_view(&b), &err) == VV_ENOTFOUND && strstr(err.msg, "model_config"));
	b.len = 100;
	CHECK(graph_of(&g, "hdf5", vv_buf_view(&b), &err) == VV_EFORMAT);
	vv_buf_release(&b);
}

/* A layer with code is found; attributes that cannot be read are no finding and keep no tensor from being seen. */
static void test_report(void)
{
	static const uint8_t gcol[] = {'G', 'C', 'O', 'L'};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;
	uint8_t *heap;

	check_golden(__FILE__, "hdf5", "code.h5", "hdf5");
	check_golden(__FILE__, "hdf5", "short.h5", "hdf5");
	golden_read(&b, __FILE__, "hdf5/code.h5");
	heap = memmem(b.ptr, b.len, gcol, sizeof(gcol));
	CHECK(heap != NULL);
	if (heap)
		*heap = 'X';
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK_STR(l.layout.format->name, "hdf5");
	CHECK_INT(l.layout.n_findings, 0);
	located_release(&l);
	vv_buf_release(&b);
}

int main(void)
{
	test_graph();
	test_report();
	return done();
}
