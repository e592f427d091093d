/*
 * TensorFlow's graphs: saved_model.pb, the .meta of a checkpoint, a bare GraphDef. Their tensors lie elsewhere; what
 * matters here are operations that do more than compute, since the runtime does them for whoever calls the model.
 * After saved_model.proto, meta_graph.proto, graph.proto, node_def.proto and function.proto.
 */
#include "format/savedmodel.h"
#include "format/formats.h"
#include "format/protobuf.h"

#include "base/check.h"

enum { MAX_SIZE = INT32_MAX, MAX_TEXT = 4096 };
enum { NODE_OP = 2, NODE_ATTR = 5, ENTRY_VALUE = 2, VALUE_LIST = 1, VALUE_TEXT = 2 };
/* Groups, which no message here has: their fields are taken for the message's own, so nothing hides in them. */
enum { GROUP_BEGIN = 3, GROUP_END = 4 };

/* Messages on the way to the nodes, and the fields that lead from one to the next. */
enum kind { SAVED_MODEL, META_GRAPH, GRAPH, LIBRARY, FUNCTION, NODE };

static const struct {
	enum kind in;
	uint32_t number;
	enum kind to;
} ways[] = {
	{SAVED_MODEL, 2, META_GRAPH}, /* meta_graphs */
	{META_GRAPH, 2, GRAPH},       /* graph_def */
	{GRAPH, 1, NODE},             /* node */
	{GRAPH, 2, LIBRARY},          /* library */
	{LIBRARY, 1, FUNCTION},       /* function */
	{FUNCTION, 3, NODE},          /* node_def */
};

/*
 * Not among them are those that every saved model has to load and save itself (RestoreV2, SaveV2, ShardedFilename,
 * MergeV2Checkpoints): the loader calls them, with paths of its own.
 */
static const char *const ops[] = {"ReadFile", "WriteFile", "PyFunc", "PyFuncStateless", "EagerPyFunc", "MatchingFiles",
	"WholeFileReader", "WholeFileReaderV2", "TextLineReader", "TextLineReaderV2", "FixedLengthRecordReader",
	"FixedLengthRecordReaderV2", "TFRecordReader", "TFRecordReaderV2", "LMDBReader", "TextLineDataset",
	"FixedLengthRecordDataset", "FixedLengthRecordDatasetV2", "TFRecordDataset", "TFRecordDatasetV2", "SqlDataset",
	"LMDBDataset", "LoadDataset", "SaveDataset", "SaveDatasetV2", "DatasetToTFRecord", "ExperimentalDatasetToTFRecord",
	"SnapshotDataset", "SnapshotDatasetV2", "CacheDataset", "CacheDatasetV2", "CreateSummaryFileWriter",
	"CreateSummaryDbWriter", "ImportEvent", "ImmutableConst", "DataServiceDataset", "DataServiceDatasetV2",
	"DataServiceDatasetV3", "DataServiceDatasetV4", "RegisterDataset", "RegisterDatasetV2", "RpcCall", "RpcClient",
	"RpcServer", "RpcServerStart",
	/* From here on only where an attribute names a place: to print to, to send to. */
	"PrintV2", "DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "DebugNanCount", "DebugNumericSummary",
	"DebugNumericSummaryV2"};
enum { BY_PLACE = 45 };

bool vv_savedmodel_reaches(const char *op)
{
	for (size_t i = 0; i < BY_PLACE; i++)
		if (!strcmp(op, ops[i]))
			return true;
	return false;
}
static const char *const places[] = {"file:", "grpc:", "http:", "https:", "gs:", "s3:", "hdfs:"};
_Static_assert(VV_COUNT(ops) <= 64, "a bit for each");

struct walk {
	struct vv_savedmodel *out;
	struct vv_buf text;
	uint64_t told; /* a bit for each of `ops` */
};

/* The next field, of whatever group. */
static int next(struct vv_pb *m, struct vv_pb_field *f, struct vv_err *err)
{
	int ret;

	while ((ret = vv_pb_next(m, f, err)) == VV_EFORMAT &&
		((unsigned)f->wire == GROUP_BEGIN || (unsigned)f->wire == GROUP_END))
		vv_err_clear(err);
	return ret;
}

static bool is_op(struct vv_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i], small = c | 0x20;
		bool letter = small >= 'a' && small <= 'z', later = (c >= '0' && c <= '9') || (c && strchr("_>./-", c));
		if (!letter && (!i || !later))
			return false;
	}
	return s.len > 0;
}

/* Does the value, or the list that it is, have a text that names a place? */
static int has_place(struct walk *w, struct vv_pb *value, bool in_list, bool *found, struct vv_err *err)
{
	struct vv_pb_field f;
	struct vv_pb list;
	int ret;

	while (!(ret = next(value, &f, err)) && f.number) {
		if (f.wire != VV_PB_BYTES)
			continue;
		if (f.number == VALUE_LIST && !in_list) {
			ret = vv_pb_enter(&list, value, &f, err);
			if (!ret)
				ret = has_place(w, &list, true, found, err);
		} else if (f.number == VALUE_TEXT && f.len <= MAX_TEXT) {
			ret = vv_pb_bytes(value, &f, &w->text, err);
			for (size_t i = 0; i < VV_COUNT(places) && !ret; i++)
				*found |= vv_span_starts(vv_buf_view(&w->text), places[i]);
		}
		if (ret)
			return ret;
	}
	return ret;
}

/* The value in an entry of the map of attributes. */
static int entry_has_place(struct walk *w, struct vv_pb *entry, bool *found, struct vv_err *err)
{
	struct vv_pb_field f;
	struct vv_pb value;
	int ret;

	while (!(ret = next(entry, &f, err)) && f.number)
		if (f.number == ENTRY_VALUE && f.wire == VV_PB_BYTES) {
			ret = vv_pb_enter(&value, entry, &f, err);
			if (!ret)
				ret = has_place(w, &value, false, found, err);
			if (ret)
				return ret;
		}
	return ret;
}

static int node_has_place(struct walk *w, struct vv_pb *node, bool *found, struct vv_err *err)
{
	struct vv_pb_field f;
	struct vv_pb entry;
	int ret;

	*found = false;
	while (!(ret = next(node, &f, err)) && f.number)
		if (f.number == NODE_ATTR && f.wire == VV_PB_BYTES) {
			ret = vv_pb_enter(&entry, node, &f, err);
			if (!ret)
				ret = entry_has_place(w, &entry, found, err);
			if (ret)
				return ret;
		}
	return ret;
}

/* Of several names the last counts, as for any reader of protocol buffers; all are looked at. */
static int node(struct walk *w, struct vv_pb *m, struct vv_err *err)
{
	struct vv_pb attrs = *m;
	struct vv_pb_field f;
	bool looked = false, place = false;
	int ret;

	while (!(ret = next(m, &f, err)) && f.number) {
		if (f.number != NODE_OP || f.wire != VV_PB_BYTES || f.len > MAX_TEXT)
			continue;
		ret = vv_pb_bytes(m, &f, &w->text, err);
		if (ret)
			return ret;
		w->out->nodes += is_op(vv_buf_view(&w->text));
		for (size_t i = 0; i < VV_COUNT(ops); i++) {
			if ((w->told >> i & 1) || !vv_span_is(vv_buf_view(&w->text), ops[i]))
				continue;
			ret = i < BY_PLACE || looked ? 0 : node_has_place(w, &attrs, &place, err);
			if (ret)
				return ret;
			looked |= i >= BY_PLACE;
			if (i >= BY_PLACE && !place)
				break;
			w->out->op(w->out->ctx, ops[i], f.off);
			w->told |= (uint64_t)1 << i;
			break;
		}
	}
	return ret;
}

/* As deep as `ways` leads. */
static int walk(struct walk *w, struct vv_pb *m, enum kind kind, struct vv_err *err)
{
	struct vv_pb_field f;
	struct vv_pb child;
	int ret;

	if (kind == NODE)
		return node(w, m, err);
	while (!(ret = next(m, &f, err)) && f.number)
		for (size_t i = 0; i < VV_COUNT(ways); i++)
			if (ways[i].in == kind && ways[i].number == f.number && f.wire == VV_PB_BYTES) {
				ret = vv_pb_enter(&child, m, &f, err);
				if (!ret)
					ret = walk(w, &child, ways[i].to, err);
				if (ret)
					return ret;
			}
	return ret;
}

int vv_savedmodel_walk(struct vv_savedmodel *s, const struct vv_source *src, struct vv_err *err)
{
	static const enum kind kinds[] = {SAVED_MODEL, META_GRAPH, GRAPH};
	struct walk w = {.out = s, .text = VV_BUF_INIT(MAX_TEXT)};
	struct vv_err first = VV_ERR_INIT;
	struct vv_pb_input in;
	struct vv_pb m;
	int ret = 0;

	s->nodes = 0;
	for (size_t i = 0; i < VV_COUNT(kinds) && !ret && src->size <= MAX_SIZE; i++) {
		uint64_t before = s->nodes;
		vv_pb_init(&m, &in, src);
		ret = walk(&w, &m, kinds[i], err);
		if (ret != VV_EFORMAT && ret != VV_ELIMIT)
			continue;
		if (s->nodes > before && !first.code)
			first = *err;
		vv_err_clear(err);
		ret = 0;
	}
	vv_buf_release(&w.text);
	if (!ret && first.code) {
		*err = first;
		ret = first.code;
	}
	return ret;
}

/* --- saved_model.pb as a file of its own --- */

/* The version of the schema, 1, and a graph that begins with what it says of itself. */
static enum vv_probe probe(struct vv_span head, uint64_t size)
{
	static const uint8_t start[] = {0x08, 1, 0x12};
	struct vv_source_mem mem;
	struct vv_pb_input in;
	struct vv_pb m;
	struct vv_err err = VV_ERR_INIT;
	uint64_t len;

	if (head.len < 16 || memcmp(head.ptr, start, sizeof(start)))
		return VV_PROBE_NO;
	vv_source_mem_init(&mem, head);
	vv_pb_init(&m, &in, &mem.base);
	m.at = sizeof(start);
	if (vv_pb_varint(&m, &len, &err) || len > size - m.at || !len)
		return VV_PROBE_NO;
	return head.ptr[m.at] == 0x0a || head.ptr[m.at] == 0x12 ? VV_PROBE_YES : VV_PROBE_NO;
}

static void tell(void *ctx, const char *name, uint64_t off)
{
	vv_layout_finding(ctx, "tf-op", off, "%s", name);
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct vv_savedmodel s = {.op = tell, .ctx = b};

	return vv_savedmodel_walk(&s, src, err);
}

const struct vv_format vv_format_savedmodel = {.name = "savedmodel", .probe = probe, .locate = locate};
