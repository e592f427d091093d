#!/usr/bin/env python3
"""varve and the package gguf: what it writes comes back byte for byte, what varve assembles its reader loads.

Skips itself where gguf is not installed. On PATH: varve, git-varve, assemble.
"""
import os
import sys
import tempfile

try:
    import gguf
    import numpy as np
    from gguf import GGMLQuantizationType as Q
except ImportError as e:
    print(f"1..0 # SKIP no gguf: {e}")
    sys.exit(0)

from lib import *

rng = np.random.default_rng(1)


def rand(*shape):
    return rng.standard_normal(shape, dtype=np.float32)


def quant(type, *shape):
    return gguf.quants.quantize(rand(*shape), type), type


def save(path, tensors, alignment=None, seconds=0):
    w = gguf.GGUFWriter(path, "llama")
    w.add_block_count(2)
    w.add_token_list([f"token {i}" for i in range(1000)])
    w.add_token_scores([float(i) for i in range(1000)])
    if alignment:
        w.add_custom_alignment(alignment)
    for name, t in tensors.items():
        data, raw = t if isinstance(t, tuple) else (t, None)
        w.add_tensor(name, data, raw_dtype=raw)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    os.utime(path, (1e9 + seconds, 1e9 + seconds))


def load(path):
    return {t.name: (t.tensor_type.name, t.shape.tolist(), t.data.tobytes()) for t in gguf.GGUFReader(path).tensors}


def model(**more):
    m = {"token_embd.weight": quant(Q.Q8_0, 8, 64), "output_norm.weight": rand(64)}
    for i in range(2):
        m[f"blk.{i}.attn_q.weight"] = quant(Q.Q4_0, 64, 64)
        m[f"blk.{i}.attn_norm.weight"] = rand(64)
        m[f"blk.{i}.ffn_up.weight"] = rand(32, 64).astype(np.float16)
        m[f"blk.{i}.ffn_down.weight"] = quant(Q.BF16, 64, 32)
    return {**m, **more}


# --- assembling ---

def assembled(what, frame, donor, alignment=None):
    """FRAME's file with DONOR's tensors is DONOR's file."""
    with tempfile.TemporaryDirectory() as d:
        save(f"{d}/frame", frame, alignment)
        save(f"{d}/donor", donor, alignment)
        r = run("assemble", f"{d}/frame", f"{d}/donor", f"{d}/out")
        ok(not r.returncode, what, r.stderr)
        if not r.returncode:
            ok(load(f"{d}/out") == load(f"{d}/donor"), what + ": gguf reads what is wanted")
            ok(sha(f"{d}/out") == sha(f"{d}/donor"), what + ": byte for byte")


def refused(what, frame, donor):
    with tempfile.TemporaryDirectory() as d:
        save(f"{d}/frame", frame)
        save(f"{d}/donor", donor)
        r = run("assemble", f"{d}/frame", f"{d}/donor", f"{d}/out")
        ok(r.returncode == 2, what, (r.returncode, r.stderr))


def assembling():
    m = model()
    assembled("other payloads", m, model())
    assembled("tensors come", m, {**m, "rope_freqs.weight": rand(8), "ids": np.arange(5, dtype=np.int64)})
    assembled("tensors go", m, {k: v for k, v in m.items() if not k.startswith("blk.0")})
    assembled("another shape", m, {**m, "blk.1.attn_norm.weight": rand(2, 3, 4, 5), "output_norm.weight": rand(1)})
    assembled("another type", m, {**m, "output_norm.weight": rand(64).astype(np.float64)})
    assembled("another order", m, dict(reversed(m.items())))
    for alignment in (8, 256, 4096):
        assembled(f"alignment {alignment}", m, {**m, "more": rand(3)}, alignment)
    every = {t.name: quant(t, 2, 256) for t in (Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.TQ1_0, Q.TQ2_0, Q.MXFP4)}
    assembled("each quantised type stays", {**every, "x": rand(1)}, {**every, "x": rand(2)})
    refused("a quantised tensor comes", m, {**m, "new": quant(Q.Q8_0, 2, 32)})
    refused("a quantised tensor of another width", m, {**m, "token_embd.weight": quant(Q.Q4_1, 8, 64)})


# --- through git ---

def through_git():
    with tempfile.TemporaryDirectory() as d:
        os.environ.update(HOME=d, GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.invalid",
                          GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.invalid")
        repo, path = f"{d}/r", f"{d}/r/m.gguf"
        run("git", "init", "-q", "-b", "main", repo)
        run("varve", "init", "-q", cwd=repo)
        run("varve", "track", "-q", "*.gguf", cwd=repo)
        versions = [model()]
        versions.append({**versions[0], "output_norm.weight": rand(64)})
        versions.append({**versions[1], "blk.0.attn_q.weight": quant(Q.Q4_0, 64, 64), "more": rand(3)})
        sums, loaded = [], []
        for i, v in enumerate(versions):
            save(path, v, seconds=i)
            sums.append(sha(path))
            loaded.append(load(path))
            r = run("varve", "add", ".", cwd=repo)
            ok(not r.returncode, f"version {i} is added", r.stderr)
            git("commit", "-q", "-m", str(i), cwd=repo)
        text = git("show", "HEAD:m.gguf", cwd=repo)
        ok("\nformat gguf\n" in text, "git has a manifest", text[:300])
        ok('\ntensor "token_embd.weight" u8 [8,2,34] ' in text, "with a quantised tensor's rows")
        ok('\ntensor "blk.0.ffn_up.weight" f16 [32,64] ' in text, "and a plain one's elements")
        for i in range(3):
            git("checkout", "-q", f"main~{2 - i}", cwd=repo)
            ok(sha(path) == sums[i], f"version {i} comes back byte for byte")
            ok(load(path) == loaded[i], f"version {i} is read by gguf")
        git("checkout", "-q", "main", cwd=repo)
        os.unlink(path)
        git("checkout", "-q", "--", "m.gguf", cwd=repo)
        ok(sha(path) == sums[2], "a file that was removed comes back")
        for name in ("output_norm.weight", "blk.0.attn_q.weight"):
            old = run("varve", "restore", "main~2", "--tensor", name, "--", "m.gguf", cwd=repo)
            ok(not old.returncode, f"restore of {name}", old.stderr)
            got = load(path)
            ok(got == {**loaded[2], name: loaded[0][name]}, f"{name} is the old one, the rest is not")
            git("checkout", "-q", "-f", "main", cwd=repo)
            git("checkout", "-q", "-f", "main", "--", ".", cwd=repo)
        merge(repo, path)


def merge(repo, path):
    """Two sides that each change one tensor, one of them how it is quantised."""
    base = model()
    sides = {"ours": {"output_norm.weight": rand(64)}, "theirs": {"blk.1.attn_q.weight": quant(Q.Q4_0, 64, 64)},
             "retyped": {"blk.1.attn_q.weight": (base["blk.1.attn_q.weight"][0][::-1].copy(), Q.IQ4_NL)}}
    save(path, base, seconds=10)
    git("commit", "-q", "-am", "base", cwd=repo)
    for i, (side, change) in enumerate(sides.items()):
        git("checkout", "-q", "-b", side, "main", cwd=repo)
        save(path, {**base, **change}, seconds=20 + i)
        git("commit", "-q", "-am", side, cwd=repo)
    for side in ("theirs", "retyped"):
        git("checkout", "-q", "-B", "merged", "ours", cwd=repo)
        r = run("git", "merge", "-q", "--no-edit", side, cwd=repo)
        ok(not r.returncode, f"a merge with {side}", r.stdout + r.stderr)
        have = load(path)
        save(path + "~", {**base, **sides["ours"], **sides[side]})
        ok(have == load(path + "~"), "has both changes, types too")
        ok(sha(path) == sha(path + "~"), "and is the file that gguf would have written")


def pairs(path):
    return {k: (f.types, f.contents()) for k, f in gguf.GGUFReader(path).fields.items() if not k.startswith("GGUF.")}


def converting():
    """A GGUF file made of one keeps what is said beside the tensors, but for what is no longer so."""
    with tempfile.TemporaryDirectory() as d:
        os.chdir(d)
        w = gguf.GGUFWriter("m.gguf", "llama")
        w.add_name("a name")
        w.add_file_type(gguf.LlamaFileType.ALL_F32)
        w.add_context_length(2048)
        w.add_token_list(["<s>", "</s>", "ünï"])
        w.add_token_scores([0.5, -1.0, 2.0])
        w.add_token_types([1, 3, 1])
        w.add_chat_template("{{ messages }}")
        w.add_bool("general.truth", True)
        w.add_custom_alignment(64)
        w.add_tensor("token_embd.weight", rand(3, 64))
        w.add_tensor("output.weight", quant(Q.Q4_0, 4, 64)[0], raw_dtype=Q.Q4_0)
        w.write_header_to_file()
        w.write_kv_data_to_file()
        w.write_tensors_to_file()
        w.close()
        was, tensors = pairs("m.gguf"), load("m.gguf")
        note = f"from gguf sha256:{sha('m.gguf')}"
        for args, gone, change in (([], set(), {}), (["-d", "f16"], {"general.file_type"}, {"token_embd.weight": "F16"}),
                                   (["-d", "q8_0"], {"general.file_type"}, {"token_embd.weight": "Q8_0"}),
                                   (["-t", "token*"], set(), {"output.weight": None})):
            r = run("varve", "convert", *args, "m.gguf", "-o", "out.gguf")
            ok(not r.returncode, f"convert {args}", r.stderr)
            now = pairs("out.gguf")
            source = now.pop("varve.source", ([], ""))[1]
            ok(source.startswith(note) and now == {k: v for k, v in was.items() if k not in gone}, f"{args}: its pairs", now)
            types = {k: v[0] for k, v in load("out.gguf").items()}
            ok(types == {k: change.get(k, v[0]) for k, v in tensors.items() if change.get(k, "") is not None}, f"{args}: its types", types)
        ok(not run("varve", "convert", "-d", "f32", "m.gguf", "-o", "one.gguf").returncode and "general.file_type" in pairs("one.gguf"),
           "a cast to the type that they have changes no pair")
        ok(not run("varve", "convert", "one.gguf", "-o", "two.gguf").returncode and len(pairs("two.gguf")) == len(was) + 1 and
           sha("one.gguf") in pairs("two.gguf")["varve.source"][1], "its own note is replaced")


print(f"# gguf in {os.path.basename(os.path.dirname(gguf.__file__))}, numpy {np.__version__}")
assembling()
through_git()
converting()
end()
