/*
 * The configuration that Keras saves with a model: a JSON text which says what layers there are. In an
 * archive it is the member config.json; the older HDF5 files have it as attributes of the root.
 */
#ifndef VV_FORMAT_KERAS_CONFIG_H
#define VV_FORMAT_KERAS_CONFIG_H

#include "format/graph.h"

/*
 * Layers, inputs and outputs by a model's configuration, and the optimizer where it is stated within. A
 * class of the user's own has no layers here: what it does is in its code.
 */
VV_MUST_CHECK int vv_keras_config(struct vv_graph *g, struct vv_span text, struct vv_err *err);
/* Which Keras wrote it, by an archive's metadata.json. */
VV_MUST_CHECK int vv_keras_version(struct vv_graph *g, struct vv_span text, struct vv_err *err);
/* The optimizer by an HDF5 file's training_config. */
VV_MUST_CHECK int vv_keras_training(struct vv_graph *g, struct vv_span text, struct vv_err *err);

/* --- keras_h5.c --- */

/* The slot of HDF5's table. VV_ENOTFOUND: no file of Keras', or one of weights alone. */
int vv_keras_h5_graph(struct vv_graph *out, const struct vv_source *src, struct vv_err *err);
/* Findings on such a file; whatever is wrong with its attributes is none. */
VV_MUST_CHECK int vv_keras_h5_report(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err);

#endif
