#include "cli/names.h"

#include <stdlib.h>

void vv_print_names(const json_t *names, size_t most)
{
	size_t n = json_array_size(names);

	for (size_t i = 0; i < n && i < most; i++) {
		char *safe = vv_safe(json_string_value(json_array_get(names, i)));
		printf("  %s\n", safe);
		free(safe);
	}
	if (n > most)
		printf("  and %zu more\n", n - most);
}

void vv_print_left(const struct vv_resolution *res, const char *indent, size_t most)
{
	for (size_t i = 0; i < res->n_left && i < most; i++) {
		char *name = vv_safe(res->left[i].name);
		printf("%s%s: %s\n", indent, name, vv_merge_reason_text(res->left[i].reason));
		free(name);
	}
	if (res->n_left > most)
		printf("%sand %zu more\n", indent, res->n_left - most);
}

json_t *vv_left_json(const struct vv_resolution *res)
{
	json_t *list = json_array();

	for (size_t i = 0; res && i < res->n_left; i++)
		json_array_append_new(list, json_pack("{s:o,s:s}", "tensor", vv_json_name(res->left[i].name), "reason",
			vv_merge_reason_word(res->left[i].reason)));
	return list;
}
