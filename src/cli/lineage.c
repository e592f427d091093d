#define _GNU_SOURCE
#include "cli/lineage.h"

#include "model/assembly.h"
#include "os/file.h"
#include "os/sys.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RECORD = 1 << 20 };

/* The program that the command's first word names, when that is a plain word; NULL: none is found. */
static char *program_of(const char *command)
{
	const char *from = command + strspn(command, " \t\n"), *path = getenv("PATH");
	size_t n = strcspn(from, " \t\n\"'\\$`;|&<>()*?[]#~=%{}!");
	char *word, *found = NULL;

	if (!n || !strchr(" \t\n;|&<>", from[n]))
		return NULL;
	word = strndup(from, n);
	if (word && strchr(word, '/'))
		return word;
	while (word && path && *path && !found) {
		size_t k = strcspn(path, ":");
		if (asprintf(&found, "%.*s/%s", (int)k, path, word) < 0)
			found = NULL;
		if (found && (!k || access(found, X_OK))) {
			free(found);
			found = NULL;
		}
		path += k + (path[k] == ':');
	}
	free(word);
	return found;
}

static json_t *maybe(const char *text)
{
	return text ? vv_json_name(text) : json_null();
}

json_t *vv_lineage_new(const char *command, int status, const char *const *env, size_t n_env)
{
	json_t *vars = json_object(), *machine = json_null();
	char *program = program_of(command), date[32] = "";
	time_t now = (time_t)vv_now_s();
	struct utsname u;
	struct tm tm;

	for (size_t i = 0; i < n_env; i++)
		json_object_set_new(vars, env[i], maybe(getenv(env[i])));
	if (!uname(&u))
		machine = json_pack("{s:s,s:s,s:s}", "system", u.sysname, "release", u.release, "machine", u.machine);
	if (gmtime_r(&now, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_t *record = json_pack("{s:i,s:o,s:i,s:o,s:o,s:o,s:s,s:s}", "varve_lineage", 1, "command", vv_json_name(command),
		"exit", status, "program", maybe(program), "env", vars, "machine", machine, "varve", VV_VERSION, "date", date);
	free(program);
	return record;
}

int vv_lineage_file(json_t **out, const char *path, const char *name, struct vv_err *err)
{
	struct vv_hash_sink sink = {0};
	char hex[VV_ID_HEX + 1];
	struct vv_file f;
	struct vv_id id;
	int ret = vv_file_open(&f, path, err);

	if (ret)
		return ret;
	ret = vv_hash_sink_init(&sink, err);
	if (!ret)
		ret = vv_source_copy(&f.base, 0, f.base.size, &sink.base, err);
	if (!ret) {
		vv_sha256_final(&sink.sha, &id);
		*out = json_pack("{s:o,s:I,s:s}", "file", vv_json_name(name), "size", (json_int_t)f.base.size, "sha256",
			vv_id_hex(&id, hex));
	}
	vv_sha256_release(&sink.sha);
	vv_file_close(&f);
	return ret;
}

int vv_lineage_write(const json_t *record, const char *path, struct vv_err *err)
{
	char *text = json_dumps(record, JSON_INDENT(1));
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	int ret;

	if (!text)
		return vv_fail_nomem(err);
	vv_buf_str(&b, text);
	vv_buf_char(&b, '\n');
	ret = vv_buf_check(&b, err);
	if (!ret)
		ret = vv_write_file(path, vv_buf_view(&b), false, err);
	vv_buf_release(&b);
	free(text);
	return ret;
}

json_t *vv_lineage_read(const char *file, const struct vv_id *sha256)
{
	struct vv_buf text = VV_BUF_INIT(MAX_RECORD);
	struct vv_err ignore = VV_ERR_INIT;
	char hex[VV_ID_HEX + 1], *path = NULL;
	json_t *record = NULL;
	const char *is;

	if (asprintf(&path, "%s" VV_LINEAGE_ENDING, file) < 0)
		return NULL;
	if (!vv_read_file(&text, path, &ignore))
		record = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	is = json_string_value(json_object_get(json_object_get(record, "output"), "sha256"));
	if (!is || strcmp(is, vv_id_hex(sha256, hex)) != 0 || !json_is_string(json_object_get(record, "command"))) {
		json_decref(record);
		record = NULL;
	}
	vv_buf_release(&text);
	free(path);
	return record;
}
