/*
 * What a store has been given whole: tips of history, all of whose models' objects were there when they
 * were written down, in its file "sent". A push has to look at what lies behind them only: neither at
 * all of history, nor at what the remote's refs say, which a push without varve moves as well.
 */
#ifndef VV_GIT_SENT_H
#define VV_GIT_SENT_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the tips, an oid a line; none when nothing is noted. */
VV_MUST_CHECK int vv_sent_read(const char *store_dir, struct vv_buf *out, struct vv_err *err);
/* Notes these, an oid a line, and forgets the oldest of many. */
VV_MUST_CHECK int vv_sent_add(const char *store_dir, struct vv_span tips, struct vv_err *err);
/* Something may have been taken out of the store, or lost: the next push looks at everything. */
void vv_sent_clear(const char *store_dir);

#endif
