/*
 * SVG, element by element, into a buffer: plain, with classes for colours, without scripts or links. Texts may
 * come from a file: whatever they hold is shown, and nothing of it is markup.
 */
#ifndef VV_CLI_SVG_H
#define VV_CLI_SVG_H

#include "base/buf.h"

/* A text's characters, escaped; at most `max` of them, with "…" in the middle of a longer one (0: all). */
void vv_svg_escape(struct vv_buf *out, const char *text, size_t max);
/* Opens the picture: `title` and `desc` are read aloud, `style` is CSS of varve's own. */
void vv_svg_begin(struct vv_buf *out, double width, double height, const char *title, const char *desc, const char *style);
void vv_svg_end(struct vv_buf *out);
/* `class`: a constant. */
void vv_svg_text(struct vv_buf *out, double x, double y, const char *class, const char *text, size_t max);
void vv_svg_rect(struct vv_buf *out, double x, double y, double width, double height, const char *class);
void vv_svg_line(struct vv_buf *out, double x1, double y1, double x2, double y2, const char *class);
/* A group that a pointer over it names in full. */
void vv_svg_group(struct vv_buf *out, const char *title);
void vv_svg_group_end(struct vv_buf *out);

#endif
