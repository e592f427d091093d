/* Options. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>

static void help_row(FILE *to, const struct vv_opt *o)
{
	char left[64];
	int n = o->letter ? snprintf(left, sizeof(left), "-%c, --%s", o->letter, o->name)
			  : snprintf(left, sizeof(left), "    --%s", o->name);

	if (o->arg)
		snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->arg);
	fprintf(to, "  %-24s %s\n", left, o->help);
}

void vv_opt_help(FILE *to, const struct vv_cmd *cmd, const struct vv_opt *opts)
{
	static const struct vv_opt always[] = {
		{0, "json", VV_OPT_FLAG, NULL, NULL, "one JSON value on standard output, errors too"},
		{'q', "quiet", VV_OPT_FLAG, NULL, NULL, "only what was asked for: no remarks, no progress"},
		{'h', "help", VV_OPT_FLAG, NULL, NULL, "this text"},
	};

	fprintf(to, "usage: varve %s %s\n\n%s.\n", cmd->name, cmd->usage, cmd->summary);
	if (cmd->flags & VV_CMD_HIDDEN)
		return;
	fputc('\n', to);
	for (const struct vv_opt *o = opts; o && o->name; o++)
		help_row(to, o);
	for (size_t i = 0; i < VV_COUNT(always); i++)
		help_row(to, &always[i]);
	fprintf(to, "\nSee 'man varve-%s' for the whole story.\n", cmd->name);
}

static const struct vv_opt *find_long(const struct vv_opt *opts, const char *word, size_t len)
{
	for (const struct vv_opt *o = opts; o && o->name; o++)
		if (strlen(o->name) == len && !memcmp(o->name, word, len))
			return o;
	return NULL;
}

static const struct vv_opt *find_short(const struct vv_opt *opts, char c)
{
	for (const struct vv_opt *o = opts; o && o->name; o++)
		if (o->letter == c)
			return o;
	return NULL;
}

static int set(struct vv_ctx *ctx, const struct vv_opt *o, const char *value)
{
	char *end;

	switch (o->kind) {
	case VV_OPT_FLAG:
		*(bool *)o->value = true;
		return 0;
	case VV_OPT_TEXT:
		*(const char **)o->value = value;
		return 0;
	case VV_OPT_LIST: {
		struct vv_opt_list *l = o->value;
		const char **v = realloc(l->v, (l->n + 2) * sizeof(*v));
		if (!v)
			return vv_fail_nomem(&ctx->err);
		l->v = v;
		l->v[l->n++] = value;
		l->v[l->n] = NULL;
		return 0;
	}
	case VV_OPT_COUNT:
		errno = 0;
		*(uint64_t *)o->value = strtoull(value, &end, 10);
		if (errno || end == value || *end || value[0] == '-')
			return vv_fail(&ctx->err, VV_EUSAGE, "--%s: '%s' is not a number", o->name, value);
		return 0;
	}
	return 0;
}

/* Sets what the word at argv[*i] says, and takes the next one when that is its value. */
static int take(struct vv_ctx *ctx, const struct vv_opt *opts, int argc, char **argv, int *i)
{
	char *word = argv[*i];
	const struct vv_opt *o;
	const char *value = NULL;
	int ret;

	if (word[1] == '-') {
		size_t len = strcspn(word + 2, "=");
		o = find_long(opts, word + 2, len);
		value = word[2 + len] ? word + 3 + len : NULL;
	} else {
		/* "-xyz": flags, of which the last may have a value. */
		const char *p = word + 1;
		while ((o = find_short(opts, *p)) && o->kind == VV_OPT_FLAG && p[1]) {
			*(bool *)o->value = true;
			p++;
		}
		value = p[1] ? p + 1 : NULL;
	}
	if (!o)
		return vv_fail(&ctx->err, VV_EUSAGE, "unknown option '%s'", word);
	if (o->kind == VV_OPT_FLAG && value)
		return vv_fail(&ctx->err, VV_EUSAGE, "option '%s' takes no value", word);
	if (o->kind != VV_OPT_FLAG && !value && ++*i >= argc)
		return vv_fail(&ctx->err, VV_EUSAGE, "option '%s' needs a value", word);
	ret = set(ctx, o, value || o->kind == VV_OPT_FLAG ? value : argv[*i]);
	return ret;
}

int vv_opt_parse(struct vv_ctx *ctx, const struct vv_opt *opts, int *argc, char **argv, int *dashdash)
{
	int out = 1, i, ret;

	if (ctx->help) {
		vv_opt_help(stdout, ctx->cmd, opts);
		return 1;
	}
	if (dashdash)
		*dashdash = -1;
	for (i = 1; i < *argc; i++) {
		char *word = argv[i];

		if (!strcmp(word, "--")) {
			if (dashdash)
				*dashdash = out - 1;
			for (i++; i < *argc; i++)
				argv[out++] = argv[i];
			break;
		}
		if (word[0] != '-' || !word[1]) {
			argv[out++] = word;
			continue;
		}
		/* main() has looked at these. */
		if (!strcmp(word, "--json") || !strcmp(word, "--quiet") || !strcmp(word, "-q"))
			continue;
		ret = take(ctx, opts, *argc, argv, &i);
		if (ret)
			return ret;
	}
	argv[out] = NULL;
	*argc = out;
	return 0;
}
