/* What Keras writes into an HDF5 file's root: the model's configuration and how it was trained, as JSON. */
#include "format/hdf5.h"
#include "format/keras_code.h"
#include "format/keras_config.h"

enum { CONFIG, TRAINING, VERSION, BACKEND, N };

#define TEXT(name) {name, VV_BUF_INIT(VV_MAX_TEXT), false}
#define TEXTS_INIT {TEXT("model_config"), TEXT("training_config"), TEXT("keras_version"), TEXT("backend")}

static void release(struct vv_hdf5_text *texts)
{
	for (size_t i = 0; i < N; i++)
		vv_buf_release(&texts[i].text);
}

int vv_keras_h5_graph(struct vv_graph *out, const struct vv_source *src, struct vv_err *err)
{
	struct vv_hdf5_text t[N] = TEXTS_INIT;
	int ret = vv_hdf5_texts(t, N, src, err);

	if (!ret && !t[CONFIG].text.len)
		ret = vv_fail(err, VV_ENOTFOUND, "no attribute model_config");
	if (!ret)
		ret = vv_keras_config(out, vv_buf_view(&t[CONFIG].text), err);
	if (!ret && t[TRAINING].text.len)
		ret = vv_keras_training(out, vv_buf_view(&t[TRAINING].text), err);
	if (!ret)
		ret = vv_graph_add_fact(out, "keras", vv_buf_view(&t[VERSION].text), err);
	if (!ret)
		ret = vv_graph_add_fact(out, "backend", vv_buf_view(&t[BACKEND].text), err);
	release(t);
	return ret;
}

static void tell(void *ctx, const char *code, uint64_t off VV_UNUSED, const char *detail)
{
	vv_layout_finding(ctx, code, 0, "%s", detail);
}

int vv_keras_h5_report(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct vv_hdf5_text t[N] = TEXTS_INIT;
	int ret = vv_hdf5_texts(t, N, src, err);

	if (!ret && t[CONFIG].text.len)
		ret = vv_keras_code(vv_buf_view(&t[CONFIG].text), tell, b, err);
	release(t);
	if (ret != VV_EFORMAT && ret != VV_ELIMIT)
		return ret;
	vv_err_clear(err);
	return 0;
}
