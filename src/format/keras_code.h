/* What a configuration of Keras would have Python import and run, beyond Keras' own layers. */
#ifndef VV_FORMAT_KERAS_CODE_H
#define VV_FORMAT_KERAS_CODE_H

#include "base/buf.h"

/*
 * Calls `tell` with findings on the configuration of a model: `keras-lambda`, `keras-global` ("module.name"), and
 * `keras-path` for files that a layer would read. Offsets are counted from the text's start. The text needs not be JSON
 * all through: what is found before it breaks is told, and what cannot be read is passed over.
 */
typedef void vv_keras_tell_fn(void *ctx, const char *code, uint64_t off, const char *detail);
VV_MUST_CHECK int vv_keras_code(struct vv_span text, vv_keras_tell_fn *tell, void *ctx, struct vv_err *err);
/* May it be such a configuration: does it begin as an object, in whatever UTF Python would take? */
bool vv_keras_config_probe(struct vv_span head);

#endif
