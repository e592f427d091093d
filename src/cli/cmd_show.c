/* What a model is: its layers as a tree, counted, and what it costs. */
#include "cli/cli.h"

#include "cli/graphshow.h"
#include "cli/lineage.h"
#include "cli/plot.h"
#include "cli/table.h"
#include "cli/whole.h"
#include "model/assembly.h"
#include "model/describe.h"
#include "model/lineup.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdlib.h>

struct shower {
	struct vv_ctx *ctx;
	struct vv_table table;
	bool all, graph;
	struct vv_graphshow g;
	uint64_t depth; /* layers below this are counted, not named */
};

/* --- the tree --- */

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == 0;
}

/* Do both hold the same tensors under the same names, whatever they are called themselves? */
static bool alike(const struct vv_layer *a, const struct vv_layer *b)
{
	const struct vv_layer *x, *y;

	if (!a->tensor != !b->tensor || a->count.tensors != b->count.tensors || a->count.bytes != b->count.bytes)
		return false;
	if (a->tensor && (a->tensor->seg->seg.dtype != b->tensor->seg->seg.dtype ||
			!vv_same_shape(a->tensor->view, b->tensor->view)))
		return false;
	for (x = a->child, y = b->child; x && y; x = x->next, y = y->next)
		if (strcmp(x->name, y->name) || !alike(x, y))
			return false;
	return !x && !y;
}

/* The last of the numbered siblings from `l` on that are alike; *n counts them. */
static const struct vv_layer *run_end(const struct shower *s, const struct vv_layer *l, size_t *n)
{
	const struct vv_layer *last = l;

	*n = 1;
	if (s->all || !is_number(l->name))
		return l;
	for (; last->next && is_number(last->next->name) && alike(l, last->next); last = last->next)
		++*n;
	return last;
}

static void put_counts(struct shower *s, const struct vv_count *c, const char *each)
{
	char n[32], bytes[32];

	vv_table_cell(&s->table, VV_PLAIN, "%s", vv_grouped(c->elements, n));
	vv_table_cell(&s->table, VV_PLAIN, "%s", vv_human(c->bytes, bytes));
	vv_table_cell(&s->table, VV_DIM, "%s", each);
}

static void put_tensor(struct shower *s, const char *label, const struct vv_described_tensor *t)
{
	char shape[256];
	struct vv_count c = {1, t->elements, t->own_bytes};

	vv_table_cell(&s->table, VV_PLAIN, "%s", label);
	vv_table_cell(&s->table, VV_CYAN, "%s %s", vv_dtype_info(t->seg->seg.dtype)->name,
		vv_shape_text(t->view->shape, t->view->ndim, shape, sizeof(shape)));
	put_counts(s, &c, t->shared ? "shared" : t->seg->seg.coding ? "compressed" : "");
	vv_table_row(&s->table);
}

/* One layer, or a run of alike ones, and what is below. `prefix`: of names that got no line of their own. */
static const struct vv_layer *put_layer(struct shower *s, const struct vv_layer *l, const char *prefix, unsigned depth)
{
	struct vv_buf label = VV_BUF_INIT(VV_MAX_TEXT), deeper = VV_BUF_INIT(VV_MAX_TEXT);
	const struct vv_layer *last, *after;
	size_t n, inner;
	char *first = vv_safe(l->name), *end;

	last = run_end(s, l, &n);
	after = last->next;
	end = vv_safe(last->name);
	vv_buf_fmt(&deeper, "%s%s.", prefix, first);
	if (n == 1 && l->child && !l->tensor && run_end(s, l->child, &inner)->next == NULL) {
		/* A layer with nothing but one child, or one run, is told together with it. */
		put_layer(s, l->child, (char *)deeper.ptr, depth);
		goto out;
	}
	vv_buf_fmt(&label, "%*s%s%s", (int)depth * 2, "", prefix, first);
	if (n > 1)
		vv_buf_fmt(&label, " \xe2\x80\xa6 %s%s (%zu alike)", prefix, end, n);
	if (label.failed || deeper.failed)
		goto out;
	if (l->tensor) {
		put_tensor(s, (char *)label.ptr, l->tensor);
	} else {
		vv_table_cell(&s->table, VV_BOLD, "%s", (char *)label.ptr);
		vv_table_cell(&s->table, VV_DIM, "%zu tensor%s", l->count.tensors, l->count.tensors == 1 ? "" : "s");
		put_counts(s, &l->count, n > 1 ? "each" : "");
		vv_table_row(&s->table);
	}
	for (const struct vv_layer *c = depth + 1 < s->depth ? l->child : NULL; c;)
		c = put_layer(s, c, "", depth + 1);
out:
	free(first);
	free(end);
	vv_buf_release(&label);
	vv_buf_release(&deeper);
	return after;
}

/* --- the head --- */

static void print_stored(const struct vv_description *d, const struct vv_manifest *m)
{
	char a[32];

	if (d->missing == d->objects && d->objects)
		printf("  stored       not yet\n");
	else if (d->missing)
		printf("  stored       %s; %zu of %zu objects are not here\n", vv_human(d->stored, a), d->missing, d->objects);
	else if (d->objects)
		printf("  stored       %s in %zu objects, %.3f of raw, deltas up to %u deep\n", vv_human(d->stored, a), d->objects,
			m->size ? (double)d->stored / (double)m->size : 0, d->max_depth);
}

enum { LARGEST = 5 };

static int by_size(const void *a, const void *b)
{
	const struct vv_manifest_file *x = *(const struct vv_manifest_file *const *)a, *y = *(const struct vv_manifest_file *const *)b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return strcmp(x->path, y->path);
}

/* How many files a directory has, which formats, and the largest. */
static void print_dir_files(const struct vv_manifest *m)
{
	const struct vv_manifest_file **list = calloc(m->n_files + 1, sizeof(*list));
	size_t models = 0;
	char n[32], size[32];

	for (size_t i = 0; i < m->n_files && list; i++) {
		list[i] = &m->files[i];
		models += strcmp(m->files[i].format, "opaque") != 0;
	}
	printf("  files        %s, %zu of them models\n", vv_grouped(m->n_files, n), models);
	if (list)
		qsort(list, m->n_files, sizeof(struct vv_manifest_file *), by_size);
	for (size_t i = 0; i < m->n_files && i < LARGEST && list; i++) {
		char *name = vv_safe(list[i]->path);
		printf("  %-11s  %s, %s, %s\n", i ? "" : "largest", name, list[i]->format, vv_human(list[i]->size, size));
		free(name);
	}
	free(list);
}

static json_t *json_dir_files(const struct vv_manifest *m)
{
	json_t *list = json_array();
	char hex[VV_ID_HEX + 1];

	for (size_t i = 0; i < m->n_files; i++) {
		const struct vv_manifest_file *f = &m->files[i];
		json_array_append_new(list, json_pack("{s:o,s:s,s:s,s:I,s:s}", "path", vv_json_name(f->path), "mode",
			f->mode == 0755 ? "755" : "644", "format", f->format, "size", (json_int_t)f->size, "sha256",
			vv_id_hex(&f->sha256, hex)));
	}
	return list;
}

/* What the file states is more than its state can show. */
static const char *optimizer_of(const struct shower *s, const struct vv_description *d)
{
	return s->g.graph.optimizer ? s->g.graph.optimizer : d->optimizer;
}

static void print_optimizer(const struct shower *s, const struct vv_description *d)
{
	const char *is = optimizer_of(s, d);
	char *name = vv_safe(is ? is : ""), n[32], a[32];

	if (d->state.tensors)
		printf("  optimizer    %s: %s numbers in %zu tensors, %s\n", name, vv_grouped(d->state.elements, n),
			d->state.tensors, vv_human(d->state.bytes, a));
	else if (is)
		printf("  optimizer    %s, without its state\n", name);
	free(name);
}

static void print_findings(const struct vv_ctx *ctx, const char *in, const struct vv_manifest *m)
{
	char *file = vv_safe(in);

	for (size_t i = 0; i < m->n_findings; i++) {
		char *detail = vv_safe(m->findings[i].detail ? m->findings[i].detail : "");
		printf("  %sfinding%s      %s%s%s at offset %" PRIu64 ": %s\n", vv_color(ctx, VV_RED), vv_color(ctx, VV_PLAIN), file,
			*file ? ": " : "", m->findings[i].code, m->findings[i].off, detail);
		free(detail);
	}
	free(file);
}

static void print_files(const struct vv_whole *w)
{
	char a[32];

	printf("  files        %zu\n", w->n);
	for (size_t i = 0; i < w->n; i++) {
		char *name = vv_safe(w->files[i].path);
		printf("    %s  %s\n", name, vv_human(w->files[i].manifest->size, a));
		free(name);
	}
}

/* How the file was made, when a record beside it says so. Its words are not ours. */
static void print_lineage(const json_t *record)
{
	char *command = vv_safe(json_string_value(json_object_get(record, "command")));
	const json_t *input;
	size_t i;

	printf("  made by      %s\n", command);
	free(command);
	json_array_foreach(json_object_get(record, "inputs"), i, input) {
		const char *name = json_string_value(json_object_get(input, "name"));
		const char *sha = json_string_value(json_object_get(input, "sha256"));
		char *a = vv_safe(name ? name : ""), *b = vv_safe(sha ? sha : "");
		printf("  from         %s sha256:%s\n", a, b);
		free(a);
		free(b);
	}
}

/* What of it merges, and is restored, on its own. */
static const char *merges(const struct vv_manifest *m, char *text, size_t cap)
{
	const char *sets = vv_assembly_sets(m);
	size_t packed = 0;
	int n;

	if (vv_manifest_is_dir(m) || !vv_can_assemble(m))
		return vv_manifest_is_dir(m) ? "file by file" : "as a whole file";
	for (size_t i = 0; i < m->n_segs; i++)
		packed += m->segs[i].seg.coding != 0;
	n = snprintf(text, cap, "tensor by tensor%s%s", sets ? ": " : "", sets ? sets : "");
	if (packed)
		snprintf(text + n, cap - (size_t)n, "; %zu compressed with the file", packed);
	return text;
}

static void print_head(const struct shower *s, const struct vv_named *named, const struct vv_description *d,
	const json_t *lineage, bool store)
{
	const struct vv_manifest *m = named->manifest;
	const struct vv_whole *w = named->whole;
	struct vv_ctx *ctx = s->ctx;
	char *name = vv_safe(named->path), n[32], a[32], how[256];

	printf("%s%s%s: %s, %zu tensor%s, %s parameters, %s\n", vv_color(ctx, VV_BOLD), name, vv_color(ctx, VV_PLAIN),
		m->format, d->n_tensors, d->n_tensors == 1 ? "" : "s", vv_grouped(d->params.elements, n),
		vv_human(m->size, a));
	free(name);
	if (w)
		print_files(w);
	if (vv_manifest_is_dir(m))
		print_dir_files(m);
	for (unsigned i = 0; i < VV_DT_COUNT; i++)
		if (d->by_dtype[i].tensors)
			printf("  %-11s  %s in %zu tensor%s, %s\n", vv_dtype_info(i)->name, vv_grouped(d->by_dtype[i].elements, n),
				d->by_dtype[i].tensors, d->by_dtype[i].tensors == 1 ? "" : "s",
				vv_human(d->by_dtype[i].bytes, a));
	print_optimizer(s, d);
	printf("  around       %s between the tensors\n", vv_human(d->opaque, a));
	if (store)
		print_stored(d, m);
	if (lineage)
		print_lineage(lineage);
	printf("  merges       %s\n", merges(m, how, sizeof(how)));
	print_findings(ctx, "", m);
	for (size_t i = 0; w && i < w->n; i++)
		print_findings(ctx, w->files[i].path, w->files[i].manifest);
}

/* --- JSON --- */

static json_t *json_count(const struct vv_count *c)
{
	return json_pack("{s:I,s:I,s:I}", "tensors", (json_int_t)c->tensors, "elements", (json_int_t)c->elements, "bytes",
		(json_int_t)c->bytes);
}

static json_t *json_tensor(const struct vv_described_tensor *t)
{
	char hex[VV_ID_HEX + 1];

	return json_pack("{s:o,s:s,s:o,s:I,s:I,s:b,s:b,s:s?,s:s}", "name", vv_json_name(t->view->name), "dtype",
		vv_dtype_info(t->seg->seg.dtype)->name, "shape", vv_json_shape(t->view->shape, t->view->ndim), "elements",
		(json_int_t)t->elements, "bytes", (json_int_t)t->own_bytes, "shared", t->shared, "optimizer", t->state,
		"packed", t->seg->seg.coding ? vv_coding_name(t->seg->seg.coding) : NULL, "object", vv_id_hex(&t->seg->id, hex));
}

static void json_findings(json_t *list, const struct vv_named *named)
{
	const struct vv_manifest *m = named->manifest;

	for (size_t i = 0; i < m->n_findings; i++)
		json_array_append_new(list,
			json_pack("{s:o,s:s,s:I,s:o}", "path", vv_json_name(named->path), "code", m->findings[i].code, "offset",
				(json_int_t)m->findings[i].off, "detail",
				vv_json_name(m->findings[i].detail ? m->findings[i].detail : "")));
	for (size_t i = 0; named->whole && i < named->whole->n; i++)
		json_findings(list, &named->whole->files[i]);
}

static json_t *json_files(const struct vv_whole *w)
{
	json_t *list = json_array();
	char hex[VV_ID_HEX + 1];

	for (size_t i = 0; i < w->n; i++)
		json_array_append_new(list,
			json_pack("{s:o,s:I,s:s}", "path", vv_json_name(w->files[i].path), "size",
				(json_int_t)w->files[i].manifest->size, "sha256", vv_id_hex(&w->files[i].manifest->sha256, hex)));
	return list;
}

static int print_json(struct shower *s, const struct vv_named *named, const struct vv_description *d, json_t *lineage)
{
	bool store = s->ctx->repo.store != NULL;
	const struct vv_manifest *m = named->manifest;
	const struct vv_whole *w = named->whole;
	json_t *tensors = json_array(), *dtypes = json_object(), *findings = json_array(), *graph = NULL, *root;
	const char *is = optimizer_of(s, d);
	char hex[VV_ID_HEX + 1], how[256];
	int ret = vv_graphshow_json(&s->g, s->ctx, &graph);

	for (size_t i = 0; i < d->n_tensors; i++)
		json_array_append_new(tensors, json_tensor(&d->tensors[i]));
	for (unsigned i = 0; i < VV_DT_COUNT; i++)
		if (d->by_dtype[i].tensors)
			json_object_set_new(dtypes, vv_dtype_info(i)->name, json_count(&d->by_dtype[i]));
	json_findings(findings, named);
	root = json_pack("{s:o,s:s,s:I,s:s,s:I,s:o,s:o,s:o,s:I,s:b,s:s,s:o,s:o,s:o}", "path", vv_json_name(named->path),
		"format", m->format, "size", (json_int_t)m->size, "sha256", vv_id_hex(&m->sha256, hex), "parameters",
		(json_int_t)d->params.elements, "model", json_count(&d->params), "optimizer_state", json_count(&d->state),
		"optimizer", is ? vv_json_name(is) : json_null(), "around", (json_int_t)d->opaque, "merges_by_tensor",
		vv_can_assemble(m), "merges", merges(m, how, sizeof(how)), "dtypes", dtypes, "findings", findings, "tensors", tensors);
	json_object_set_new(root, "graph", graph ? graph : json_null());
	if (w)
		json_object_set_new(root, "files", json_files(w));
	json_object_set(root, "lineage", lineage ? lineage : json_null());
	json_object_set_new(root, "manifest", named->oid[0] ? json_string(named->oid) : json_null());
	if (store)
		json_object_set_new(root, "stored",
			json_pack("{s:I,s:I,s:I,s:I}", "bytes", (json_int_t)d->stored, "objects", (json_int_t)d->objects, "missing",
				(json_int_t)d->missing, "max_depth", (json_int_t)d->max_depth));
	else
		json_object_set_new(root, "stored", json_null());
	if (vv_manifest_is_dir(m))
		json_object_set_new(root, "files", json_dir_files(m));
	vv_print_json(root);
	return ret;
}

static int print_text(struct shower *s, const struct vv_named *named, const struct vv_description *d, const json_t *lineage)
{
	int ret;

	print_head(s, named, d, lineage, s->ctx->repo.store != NULL);
	ret = vv_graphshow_head(&s->g, s->ctx);
	if (s->graph || (s->all && s->g.has)) {
		if (s->g.graph.n_nodes)
			putchar('\n');
		vv_graphshow_nodes(&s->g, s->ctx);
	}
	for (const struct vv_layer *l = s->depth && (s->all || !s->graph) ? d->root->child : NULL; l;)
		l = put_layer(s, l, "", 0);
	if (s->table.n)
		putchar('\n');
	vv_table_print(&s->table, s->ctx, 0);
	return ret;
}

static int draw(struct shower *s, const struct vv_named *named, const struct vv_description *d, const char *file)
{
	struct vv_ctx *ctx = s->ctx;
	struct vv_bytes bytes;
	int ret = vv_bytes_open(ctx, named, &bytes);

	if (!ret)
		ret = vv_plot(ctx, named->path, &bytes.version, d, optimizer_of(s, d), file);
	if (!ret && strcmp(file, "-") && !ctx->quiet && !ctx->json)
		fprintf(stderr, "%s: drawn\n", file);
	return ret;
}

/* Of a file on disk only: git's versions of the record are git's to show. New. */
static json_t *lineage_of(const struct vv_ctx *ctx, const struct vv_named *n)
{
	char *full = n->rev || (!n->outside && !ctx->repo.top) ? NULL :
		n->outside ? strdup(n->path) : vv_join(ctx->repo.top, n->path);
	json_t *record = full ? vv_lineage_read(full, &n->manifest->sha256) : NULL;

	free(full);
	return record;
}

/* Ranges of which an index tells are no objects: what its files cost is what they cost. */
static int count_files(struct vv_ctx *ctx, const struct vv_whole *w, struct vv_description *d)
{
	int ret = 0;

	d->objects = d->missing = 0;
	d->stored = d->max_depth = 0;
	for (size_t i = 0; i < w->n && !ret; i++) {
		struct vv_description file;

		ret = vv_describe(&file, ctx->repo.store, w->files[i].manifest, NULL, &ctx->err);
		if (ret)
			break;
		d->objects += file.objects;
		d->missing += file.missing;
		d->stored += file.stored;
		d->max_depth = file.max_depth > d->max_depth ? file.max_depth : d->max_depth;
		vv_description_release(&file);
	}
	return ret;
}

/* Chunks of HDF5 that reach past the array's edge are told by the file alone, where its bytes are at hand. */
static int describe(struct vv_ctx *ctx, const struct vv_named *named, struct vv_description *d)
{
	const struct vv_manifest *m = named->manifest;
	bool chunks = !named->whole && (!strcmp(m->format, "hdf5") || !strcmp(m->format, "keras"));
	struct vv_layout l = {0};
	struct vv_bytes bytes;
	int ret = chunks ? vv_bytes_open(ctx, named, &bytes) : 1;

	if (!ret)
		ret = vv_layout_locate(&l, bytes.version.bytes, &ctx->err);
	if (ret == VV_ENOMEM)
		return ret;
	if (ret < 0)
		vv_err_clear(&ctx->err);
	ret = vv_describe(d, ctx->repo.store, m, ret ? NULL : &l, &ctx->err);
	vv_layout_release(&l);
	return ret;
}

int cmd_show(struct vv_ctx *ctx, int argc, char **argv)
{
	struct shower s = {.ctx = ctx, .table = VV_TABLE_INIT(1 << 2 | 1 << 3), .depth = UINT64_MAX};
	bool one_file = false;
	const char *plot = NULL;
	const struct vv_opt opts[] = {
		{'a', "all", VV_OPT_FLAG, &s.all, NULL, "every layer, also where numbered ones are alike"},
		{'g', "graph", VV_OPT_FLAG, &s.graph, NULL, "operators, or layers, in order instead of tensors"},
		{'p', "plot", VV_OPT_TEXT, &plot, "FILE", "draw layers and their values as SVG; - is standard output"},
		{'d', "depth", VV_OPT_COUNT, &s.depth, "N", "N levels of layers"},
		{0, "one-file", VV_OPT_FLAG, &one_file, NULL, "only this file of a model that lies in several"},
		{0},
	};
	struct vv_description d;
	struct vv_named named = {0};
	json_t *lineage = NULL;
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret && argc != 2)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "show takes one model");
	if (!ret && plot && ctx->json && !strcmp(plot, "-"))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "--json and --plot - both want standard output");
	if (!ret)
		ret = vv_named_open(ctx, argv[1], &named);
	/* Of a model in several files the graph is in the one that was named. */
	if (!ret)
		ret = vv_graphshow_open(ctx, &named, &s.g);
	if (!ret && !one_file)
		ret = vv_whole_find(ctx, &named, false);
	if (ret)
		goto out;
	ret = describe(ctx, &named, &d);
	if (ret)
		goto out;
	if (named.whole && named.whole->index.n)
		ret = count_files(ctx, named.whole, &d);
	if (ret)
		goto described;
	lineage = lineage_of(ctx, &named);
	if (plot)
		ret = draw(&s, &named, &d, plot);
	if (!ret && ctx->json)
		ret = print_json(&s, &named, &d, lineage);
	else if (!ret && !plot)
		ret = print_text(&s, &named, &d, lineage);
	json_decref(lineage);
described:
	vv_description_release(&d);
out:
	vv_graphshow_release(&s.g);
	vv_named_release(&named);
	return ret;
}
