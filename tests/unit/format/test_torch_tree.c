#include "format/torch.h"

#include "torchpkl.h"

/* The names of a pickle's tensors, in its order: "a b c". */
static void names(struct vv_span pickle, const char *want)
{
	struct vv_buf told = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_torch_tree tree = {0};
	struct vv_arena arena = {0};
	struct vv_err err = VV_ERR_INIT;
	struct vv_pickle p;
	uint32_t off;

	CHECK_OK(vv_pickle_parse(&p, pickle, &err), &err);
	CHECK_OK(vv_torch_tree_make(&tree, &p, &arena, &off, &err), &err);
	for (size_t i = 0; i < tree.n_tensors; i++)
		vv_buf_fmt(&told, "%s%s", i ? " " : "", tree.tensors[i].view.name);
	vv_buf_add(&told, "", 0);
	CHECK_STR((const char *)told.ptr, want);
	size_t *g = vv_torch_tree_group(&tree), total = 0;
	for (size_t i = 0; i < tree.n_storages; i++)
		for (size_t k = g[i]; k < g[i + 1]; k++)
			total += tree.tensors[g[tree.n_storages + 1 + k]].storage == i;
	CHECK_INT(total, tree.n_tensors);
	free(g);
	vv_buf_release(&told);
	vv_torch_tree_release(&tree);
	vv_pickle_release(&p);
	vv_arena_release(&arena);
}

/* `text` with each T in braces replaced by a tensor's opcodes. */
static struct vv_buf with_tensors(struct vv_span text)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t i = 0; i < text.len; i++)
		if (i + 3 <= text.len && !memcmp(text.ptr + i, "<T>", 3)) {
			torch_tensor(&b, &(struct torch_words){0});
			i += 2;
		} else {
			vv_buf_char(&b, (char)text.ptr[i]);
		}
	return b;
}

static void named(struct vv_span text, const char *want)
{
	struct vv_buf b = with_tensors(text);

	names(vv_buf_view(&b), want);
	vv_buf_release(&b);
}

int main(void)
{
	named(LIT("\x80\x02<T>."), "tensor");
	named(LIT("\x80\x02}(X\1\0\0\0a<T>X\1\0\0\0b]<T>a<T>au."), "a b.0 b.1") /* the list grows once more by a tensor */;
	named(LIT("\x80\x02(<T><T>K\1}U\1k<T>s\x86t."), "0 1 2.1.k");
	/* Keys of every kind; the index of the pair where a key has no text. */
	named(LIT("\x80\x02}(K\7<T>J\xff\xff\xff\xff<T>\x88<T>\x89<T>N<T>K\1\x85<T>X\0\0\0\0<T>X\3\0\0\0a\0b<T>u."),
		"7 -1 True False None #5 tensor a?b");
	/* Two ways to one name, and one that is taken already. */
	named(LIT("\x80\x02}(X\3\0\0\0a.b<T>X\1\0\0\0a}X\1\0\0\0b<T>sX\5\0\0\0a.b~2<T>X\1\0\0\0a}X\1\0\0\0b<T>su."),
		"a.b a.b~2 a.b~2~2 a.b~3");
	/* Parameters, a tensor of its own class, objects that only Python knows: arguments, items, state. */
	named(LIT("\x80\x02}X\1\0\0\0wctorch._utils\n_rebuild_parameter\n<T>\x88N\x87Rs."), "w");
	named(LIT("\x80\x02}X\1\0\0\0wctorch._utils\n_rebuild_parameter_with_state\n(<T>\x88N}tRs."), "w");
	named(LIT("\x80\x02}X\1\0\0\0wctorch.nn.parameter\nParameter\n<T>\x88\x86Rs."), "w");
	named(LIT("\x80\x02}X\1\0\0\0ocm\nC\n<T>\x85\x81}X\1\0\0\0s<T>sbX\1\0\0\0k<T>s<T>as."), "o.0 o.k o.0~2 o.s");
	named(LIT("\x80\x02""ccollections\nOrderedDict\n)RX\1\0\0\0a<T>s}X\1\0\0\0m<T>sb."), "a m");
	/* One tensor under two names; a storage by itself; nothing in a key. */
	named(LIT("\x80\x02}(X\1\0\0\0a<T>q\1X\1\0\0\0bh\1u."), "a b");
	named(LIT("\x80\x02(X\7\0\0\0storagectorch\nLongStorage\nX\1\0\0\0k""X\3\0\0\0cpuK\2tQ."), "tensor");
	named(LIT("\x80\x02}<T>K\1s."), "");
	/* A list in itself. */
	named(LIT("\x80\x02]q\1(h\1<T>h\1e."), "1");
	CHECK_STR(vv_torch_storage_name(VV_DT_BF16), "BFloat16Storage");
	CHECK_STR(vv_torch_type_name(VV_DT_F8_E4M3), "float8_e4m3fn");
	CHECK(!vv_torch_storage_name(VV_DT_U16) && !vv_torch_type_name(VV_DT_F4));
	return done();
}
