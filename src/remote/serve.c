/* The far end of a pipe: docs/format/pipe.md. It does what it is asked with one store, and nothing else. */
#include "remote/depot.h"
#include "remote/remote.h"
#include "remote/wire.h"

#include <inttypes.h>

struct server {
	struct vv_wire wire;
	struct vv_depot depot;
	struct vv_buf text;
	bool readonly;
};

/* The request failed; the connection goes on. */
static int refuse(struct server *s, const struct vv_err *why, struct vv_err *err)
{
	return vv_wire_say(&s->wire, err, "no %s %s", vv_code_name(why->code), why->msg);
}

static int note_pack(void *arg, const struct vv_id *pack, uint64_t size, struct vv_err *err)
{
	struct server *s = arg;
	char hex[VV_ID_HEX + 1];

	vv_buf_fmt(&s->text, "%s %" PRIu64 "\n", vv_id_hex(pack, hex), size);
	return vv_buf_check(&s->text, err);
}

static int do_list(struct server *s, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	int ret;

	vv_buf_clear(&s->text);
	if (vv_depot_list(&s->depot, note_pack, s, &why))
		return refuse(s, &why, err);
	ret = vv_wire_say(&s->wire, err, "packs %zu", s->text.len);
	return ret ? ret : vv_wire_write(&s->wire, vv_buf_view(&s->text), err);
}

struct sending {
	struct server *server;
	uint64_t len;
	bool begun;
};

static int send_piece(void *arg, struct vv_span bytes, struct vv_err *err)
{
	struct sending *p = arg;

	if (!p->begun && vv_wire_say(&p->server->wire, err, "data %" PRIu64, p->len))
		return err->code;
	p->begun = true;
	return vv_wire_write(&p->server->wire, bytes, err);
}

static int do_get(struct server *s, const struct vv_extent *part, struct vv_err *err)
{
	struct sending p = {s, part->len, false};
	struct vv_err why = VV_ERR_INIT;

	if (!vv_depot_read(&s->depot, part, send_piece, &p, &why))
		return part->len ? 0 : vv_wire_say(&s->wire, err, "data 0");
	/* Once bytes have gone out there is no word left for it. */
	if (!p.begun)
		return refuse(s, &why, err);
	*err = why;
	return why.code;
}

static int write_piece(void *arg, struct vv_span bytes, struct vv_err *err)
{
	return vv_arrival_write(arg, bytes, err);
}

/*
 * "put PACK SIZE": says how many bytes it has already, then takes the rest. A failure while bytes are coming ends
 * the connection: the other side is not listening.
 */
static int do_put(struct server *s, const struct vv_id *pack, uint64_t size, struct vv_err *err)
{
	struct vv_arrival a = VV_ARRIVAL_INIT;
	struct vv_err why = VV_ERR_INIT;
	int ret;

	if (s->readonly)
		vv_fail(&why, VV_ENOTSUP, "this store is for reading only");
	else if (!vv_arrival_begin(&a, &s->depot, pack, &why) && !a.there && a.have > size)
		ret = vv_arrival_from(&a, 0, &why);
	if (why.code) {
		ret = refuse(s, &why, err);
	} else if (a.there) {
		ret = vv_wire_say(&s->wire, err, "done");
	} else {
		ret = vv_wire_say(&s->wire, err, "have %" PRIu64, a.have);
		if (!ret)
			ret = vv_wire_bytes(&s->wire, size - a.have, write_piece, &a, err);
		if (!ret)
			ret = vv_arrival_end(&a, &s->depot, &why) ? refuse(s, &why, err) : vv_wire_say(&s->wire, err, "done");
	}
	vv_arrival_release(&a);
	return ret;
}

static int do_keep(struct server *s, const struct vv_id *pack, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;

	if (s->readonly)
		vv_fail(&why, VV_ENOTSUP, "this store is for reading only");
	else if (!vv_depot_keep(&s->depot, pack, 1, &why))
		return vv_wire_say(&s->wire, err, "done");
	return refuse(s, &why, err);
}

static int answer(struct server *s, char *line, struct vv_err *err)
{
	struct vv_extent part;
	char *w[4];
	size_t n = vv_wire_words(line, w, 4);
	bool pack = n > 1 && n <= 4 && !vv_id_parse(&part.pack, vv_span_str(w[1]));

	if (n == 1 && !strcmp(w[0], "list"))
		return do_list(s, err);
	if (n == 4 && pack && !strcmp(w[0], "get") && !vv_wire_number(w[2], &part.off) && !vv_wire_number(w[3], &part.len))
		return do_get(s, &part, err);
	if (n == 3 && pack && !strcmp(w[0], "put") && !vv_wire_number(w[2], &part.len))
		return do_put(s, &part.pack, part.len, err);
	if (n == 2 && pack && !strcmp(w[0], "keep"))
		return do_keep(s, &part.pack, err);
	return vv_fail(err, VV_EFORMAT, "%s: asked for '%.40s', which is no request", s->wire.name, w[0]);
}

int vv_remote_serve(const char *dir, int in, int out, bool readonly, struct vv_err *err)
{
	struct server s = {.text = VV_BUF_INIT(VV_MAX_TEXT), .readonly = readonly};
	char *line;
	int ret = vv_wire_init(&s.wire, in, out, "the other side", err);

	if (!ret)
		ret = vv_depot_init(&s.depot, dir, err);
	if (!ret)
		ret = vv_wire_say(&s.wire, err, VV_WIRE_GREETING);
	while (!ret) {
		ret = vv_wire_line(&s.wire, &line, err);
		if (ret == VV_ENOTFOUND) {
			vv_err_clear(err);
			ret = 0;
			break;
		}
		if (!ret)
			ret = answer(&s, line, err);
	}
	vv_buf_release(&s.text);
	vv_depot_release(&s.depot);
	vv_wire_release(&s.wire);
	return ret;
}
