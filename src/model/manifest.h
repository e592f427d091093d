/*
 * The manifest: the text that stands for a model file in git. Exact format: docs/format/manifest.md.
 * Emitting is deterministic and parsing is its strict inverse: a text that parses is the text that
 * emitting the result yields, byte for byte.
 */
#ifndef VV_MODEL_MANIFEST_H
#define VV_MODEL_MANIFEST_H

#include "base/buf.h"
#include "base/id.h"
#include "format/format.h"

enum {
	VV_MANIFEST_VERSION = 1,
	VV_MAX_FILES = 1000000, /* of a directory */
};

struct vv_manifest_seg {
	struct vv_segment seg; /* off, len, dtype, views as in a layout */
	struct vv_id id;
};

/*
 * One file of a directory. Its segments are segs[seg, seg + n_segs) of the manifest, whose offsets count as
 * if the files were joined; one that is opaque has one segment, the file, or none when it is empty. In its
 * findings the detail begins with "<path>: ", and its tensors are called "<path>//<name>": no path holds "//".
 */
struct vv_manifest_file {
	const char *path;   /* below the directory */
	const char *format; /* "opaque": no reader found more than bytes */
	unsigned mode;      /* 0644 or 0755 */
	uint64_t off, size;
	struct vv_id sha256;
	size_t seg, n_segs;
	size_t finding, n_findings;
};

struct vv_manifest {
	struct vv_arena arena; /* owns all below */
	const char *format;    /* "safetensors"; "directory" */
	uint64_t size;         /* bytes of the file, or of all files */
	struct vv_id sha256;   /* of the whole file; of a directory: of its file lines, filled by emit as size is */
	struct vv_id root;     /* over everything else: filled by emit, checked by parse */
	struct vv_finding *findings;
	size_t n_findings;
	struct vv_manifest_seg *segs;
	size_t n_segs;
	struct vv_manifest_file *files; /* of a directory, by path in byte order */
	size_t n_files;
};

enum vv_manifest_kind {
	VV_TEXT_OTHER = 0,  /* not a manifest */
	VV_TEXT_MANIFEST,   /* begins like one of a version we read */
	VV_TEXT_NEWER,      /* begins like one of a newer version */
	VV_TEXT_CONFLICTED, /* a manifest with git's conflict markers */
};
/* Looks at the first line (64 bytes suffice), and for conflict markers in all that is given. */
enum vv_manifest_kind vv_manifest_detect(struct vv_span text);

/*
 * VV_EFORMAT names the line. VV_ECONFLICT: conflict markers. VV_ENOTSUP: a newer version.
 * VV_ECORRUPT: every line is well-formed but the root is not theirs, so the text was merged or edited
 * by hand.
 */
VV_MUST_CHECK int vv_manifest_parse(struct vv_manifest *m, struct vv_span text, struct vv_err *err);
/* Also sets m->root. */
VV_MUST_CHECK int vv_manifest_emit(struct vv_manifest *m, struct vv_buf *out, struct vv_err *err);
void vv_manifest_release(struct vv_manifest *m);
bool vv_manifest_is_dir(const struct vv_manifest *m);
/* May a directory's file have this path? No "..", no ".git" in any spelling, none of varve's own names, not too long or deep. */
bool vv_manifest_path_ok(const char *path);
/* The segment and view of that name; false when there is none. */
bool vv_manifest_find(const struct vv_manifest *m, const char *name, size_t *seg, size_t *view);

#endif
